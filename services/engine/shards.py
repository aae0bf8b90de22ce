"""Follow the shards of market data: who publishes, up to which number, and what is missing.

Market data is lossy and says so. A batch carries its publisher, epoch and shard sequence, each event its instrument's
sequence; heartbeats carry the last shard sequence, so that a lost tail shows too. What is missing becomes an event
before any later data, and only the instruments concerned turn stale.

Numbers and epochs come from outside and one wrong one must not deafen us: a jump is believed only once the numbers go
on behind it, and a publisher that replaced another is believed only while it is heard.
"""

from dataclasses import dataclass, field
from typing import Final, final

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex


@dataclass(slots=True)
class Shard:
    """One shard's publisher and the next number expected from it.

    ``jumped_from`` is the lowest number that may still come if the last jump forward was not real; a first batch is a
    jump too. 0 once the numbers have gone on behind it.
    """

    exchange: ExchangeIndex
    publisher: str
    epoch: int
    next_sequence: int
    heard_ns: int
    is_silent: bool = False
    jumped_from: int = 1
    instruments: dict[InstrumentIndex, int] = field(default_factory=dict)


class StalePublisher(ValueError):
    """A batch of a publisher that another one has replaced."""


@final
class Shards:
    """All shards by subject. Times are the shell's monotonic clock in nanoseconds."""

    def __init__(self, silence_ns: int) -> None:
        self._silence_ns: Final = silence_ns
        self._shards: Final[dict[str, Shard]] = {}
        self.gaps = 0
        self.repeated = 0

    def begin_batch(
        self, subject: str, exchange: ExchangeIndex, publisher: str, epoch: int, sequence: int, items: int, now_ns: int
    ) -> tuple[list[EngineEvent], int]:
        """Take note of a batch; return events to process before it, and how many of its items were seen before.

        Raises StalePublisher for a publisher with an older epoch than the one that is heard.
        """
        shard = self._shards.get(subject)
        before: list[EngineEvent] = []
        if shard is None or (shard.publisher, shard.epoch) != (publisher, epoch):
            if shard is not None and not shard.is_silent:
                if epoch < shard.epoch:
                    replaced = f"{subject}: {publisher} (epoch {epoch}) was replaced by"
                    raise StalePublisher(f"{replaced} {shard.publisher} (epoch {shard.epoch})")
                before.append(MarketReconnecting(exchange, f"{publisher} took over from {shard.publisher}"))
            self._shards[subject] = Shard(exchange, publisher, epoch, sequence + items, now_ns)
            return before, 0
        shard.heard_ns = now_ns
        shard.is_silent = False
        if 0 < shard.jumped_from <= sequence < shard.next_sequence:
            # One publisher's numbers never go back: the jump was not real, and what follows is not a repetition.
            self.gaps += 1
            before.append(MarketReconnecting(exchange, f"{publisher} goes on at {sequence}, not {shard.next_sequence}"))
            shard.next_sequence = sequence
        if sequence > shard.next_sequence:
            shard.jumped_from = shard.jumped_from or shard.next_sequence
        elif sequence == shard.next_sequence:
            shard.jumped_from = 0
        seen = min(max(0, shard.next_sequence - sequence), items)
        self.repeated += seen
        shard.next_sequence = max(shard.next_sequence, sequence + items)
        return before, seen

    def gap_before(self, subject: str, event: MarketEvent) -> MarketGap | None:
        """Return the gap before an event of a shard, if its instrument's sequence jumped."""
        numbers = self._shards[subject].instruments
        last = numbers.get(event.instrument, 0)
        numbers[event.instrument] = event.sequence
        if not last or event.sequence <= last + 1:
            return None
        self.gaps += 1
        return MarketGap(event.exchange, event.instrument, last + 1, event.sequence - 1)

    def heard(
        self, subject: str, publisher: str, epoch: int, last_sequence: int, now_ns: int
    ) -> MarketReconnecting | None:
        """Take note of a heartbeat; return an event when it tells of batches that never came.

        A heartbeat can overtake nothing: it is published after the batches it speaks of, on the same connection.
        """
        shard = self._shards.get(subject)
        if shard is None or (publisher, epoch) != (shard.publisher, shard.epoch):
            return None
        shard.heard_ns = now_ns
        if last_sequence < shard.next_sequence:
            return None
        missing = last_sequence - shard.next_sequence + 1
        shard.jumped_from = shard.jumped_from or shard.next_sequence
        shard.next_sequence = last_sequence + 1
        self.gaps += 1
        return MarketReconnecting(shard.exchange, f"the last {missing} events of {shard.publisher} were lost")

    def silent(self, now_ns: int) -> list[MarketReconnecting]:
        """Return an event for each shard of which nothing was heard for too long; once until it is heard again."""
        events: list[MarketReconnecting] = []
        for shard in self._shards.values():
            if not shard.is_silent and now_ns - shard.heard_ns > self._silence_ns:
                shard.is_silent = True
                events.append(MarketReconnecting(shard.exchange, f"nothing heard of {shard.publisher}"))
        return events
