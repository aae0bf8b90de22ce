"""Follow the shards of market data: who publishes, up to which number, and what is missing.

Market data is lossy and says so. A batch carries its publisher, epoch and shard sequence, each event its instrument's
sequence; heartbeats repeat the last shard sequence, so that a lost tail shows too. What is missing becomes an event
before any later data, and only the instruments concerned turn stale. What no instrument's numbers have told of within
``LOSS_GRACE_NS`` concerns one that is quiet, or was the loss of the feed itself: then all of the exchange turn stale.

Numbers and epochs come from outside, and one wrong one must not deafen us: whatever a publisher goes on with is taken,
and one that replaced another is preferred only while it is heard.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, final

from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.market.sequences import following
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex

LOSS_GRACE_NS: Final = 2_000_000_000


@dataclass(slots=True)
class Loss:
    """Items that never came, noticed at a time; ``count`` falls as the gaps of instruments tell of them."""

    noticed_ns: int
    count: int


@dataclass(slots=True)
class Shard:
    """One shard's publisher, the next number expected from it, and the last number that it says it has published."""

    exchange: ExchangeIndex
    publisher: str
    epoch: int
    next_sequence: int
    heard_ns: int
    said_sequence: int = 0
    is_silent: bool = False
    instruments: dict[InstrumentIndex, int] = field(default_factory=dict)
    losses: deque[Loss] = field(default_factory=deque)

    def lose(self, count: int, now_ns: int) -> None:
        """Note items that never came."""
        if self.losses and now_ns <= self.losses[-1].noticed_ns:
            self.losses[-1].count += count
        else:
            self.losses.append(Loss(now_ns, count))

    def explain(self, count: int) -> None:
        """Note that so many of the lost items are told of, the longest lost first."""
        while count and self.losses:
            told = min(count, self.losses[0].count)
            count -= told
            self.losses[0].count -= told
            if not self.losses[0].count:
                self.losses.popleft()

    def give_up(self, reason: str) -> MarketReconnecting:
        """Return the event by which every instrument of the exchange turns stale; nothing is left to be explained."""
        self.losses.clear()
        self.instruments.clear()
        return MarketReconnecting(self.exchange, reason)


class StalePublisher(ValueError):
    """A batch of a publisher that another one, which is heard, has replaced."""

    def __init__(self, subject: str, stale: Shard, heard: Shard) -> None:
        super().__init__(
            f"{subject}: {stale.publisher} (epoch {stale.epoch}) was replaced by "
            f"{heard.publisher} (epoch {heard.epoch})"
        )
        self.publisher: Final = stale.publisher


@final
class Shards:
    """All shards by subject. Times are nanoseconds of whatever clock the caller uses.

    ``gaps`` counts the events that tell of losses, ``lost`` the items that never came.
    """

    def __init__(self, silence_ns: int) -> None:
        self._silence_ns: Final = silence_ns
        self._shards: Final[dict[str, Shard]] = {}
        self.gaps = 0
        self.lost = 0

    def begin_batch(
        self, subject: str, exchange: ExchangeIndex, publisher: str, epoch: int, sequence: int, items: int, now_ns: int
    ) -> list[EngineEvent]:
        """Take note of a batch; return what is to be processed before it.

        Raises StalePublisher for a publisher that began before the one that is heard.
        """
        shard = self._shards.get(subject)
        if shard is None or (shard.epoch, shard.publisher) != (epoch, publisher):
            return self._begin_shard(shard, subject, Shard(exchange, publisher, epoch, sequence + items, now_ns))
        before: list[EngineEvent] = []
        shard.heard_ns = now_ns
        shard.is_silent = False
        missing = sequence - shard.next_sequence
        if missing > 0:
            self.lost += missing
            shard.lose(missing, now_ns)
        elif missing < 0:
            # The bus repeats nothing, and one publisher's numbers never go back: an earlier one was wrong.
            self.gaps += 1
            before.append(shard.give_up(f"{publisher} goes on at {sequence}, not at {shard.next_sequence}"))
            shard.said_sequence = 0
        shard.next_sequence = sequence + items
        return before

    def following(self, subject: str, items: tuple[EngineEvent, ...], begin: int) -> int:
        """Return the place behind the market events from ``begin`` on before which there is no gap."""
        return following(self._shards[subject].instruments, items, begin)

    def gap_before(self, subject: str, event: MarketEvent) -> MarketGap | None:
        """Return the gap before an event of a shard, if its instrument's sequence jumped."""
        shard = self._shards[subject]
        last = shard.instruments.get(event.instrument, 0)
        shard.instruments[event.instrument] = event.sequence
        if not last or event.sequence <= last + 1:
            return None
        self.gaps += 1
        shard.explain(event.sequence - last - 1)
        return MarketGap(event.exchange, event.instrument, last + 1, event.sequence - 1)

    def heard(self, subject: str, publisher: str, epoch: int, last_sequence: int, now_ns: int) -> None:
        """Take note of a heartbeat, which says up to which number was published."""
        shard = self._shards.get(subject)
        if shard is not None and (shard.epoch, shard.publisher) == (epoch, publisher):
            shard.heard_ns = now_ns
            shard.said_sequence = last_sequence

    def overdue(self, now_ns: int, *, is_inbox_empty: bool) -> list[MarketReconnecting]:
        """Return an event for each shard that lost something of which nothing later tells.

        A heartbeat is published after the batches it speaks of, on the same connection; but those may still wait in
        our own inbox. So what it says is believed missing only when that is empty.
        """
        events: list[MarketReconnecting] = []
        for shard in self._shards.values():
            missing = shard.said_sequence + 1 - shard.next_sequence
            if is_inbox_empty and missing > 0:
                self.lost += missing
                shard.next_sequence += missing
                events.append(shard.give_up(f"the last {missing} items of {shard.publisher} were lost"))
            elif shard.losses and now_ns - shard.losses[0].noticed_ns > LOSS_GRACE_NS:
                count = sum(loss.count for loss in shard.losses)
                events.append(shard.give_up(f"{count} items of {shard.publisher} were lost"))
        self.gaps += len(events)
        return events

    def silent(self, now_ns: int) -> list[MarketReconnecting]:
        """Return an event for each shard of which nothing was heard for too long; once until it is heard again."""
        events: list[MarketReconnecting] = []
        for shard in self._shards.values():
            if not shard.is_silent and now_ns - shard.heard_ns > self._silence_ns:
                shard.is_silent = True
                events.append(shard.give_up(f"nothing heard of {shard.publisher}"))
        return events

    def _begin_shard(self, replaced: Shard | None, subject: str, shard: Shard) -> list[EngineEvent]:
        before: list[EngineEvent] = []
        if replaced is not None and not replaced.is_silent:
            if (shard.epoch, shard.publisher) < (replaced.epoch, replaced.publisher):
                raise StalePublisher(subject, shard, replaced)
            before.append(MarketReconnecting(shard.exchange, f"{shard.publisher} took over from {replaced.publisher}"))
        self._shards[subject] = shard
        return before
