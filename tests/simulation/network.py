"""A bus between simulated processes on which everything can happen that JetStream allows, and no more.

Journals keep their order and refuse a wrong expected sequence; what travels to them may be lost, late, refused or
acknowledged in vain. Other messages may be lost, doubled, late and out of order.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Final, final

from tradebus.bus.errors import AppendUncertain, JournalFull, NotSent, Refused, UnknownOutcome
from tradebus.bus.events import Listener
from tradebus.bus.interface import (
    APPEND_TIMEOUT_S,
    CLOSE_TIMEOUT_S,
    PENDING_MESSAGES_MAX,
    READ_TIMEOUT_S,
    Bucket,
    Bus,
    JournalReader,
    Subscription,
)
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import (
    Headers,
    JournalHandler,
    JournalMessage,
    JournalState,
    Message,
    MessageHandler,
    RequestHandler,
)
from tradebus.wire.integrity import CHAIN_HEADER

LATENCY_S: Final = (0.0002, 0.002)
LATE_S: Final = (0.5, 4.0)


class ProcessDied(BaseException):
    """The process is dead: whatever its code does on the way out reaches nobody."""


@dataclass
class Odds:
    """How often each fault happens, of all occasions for it; 0 everywhere is a healthy network."""

    lose_message: float = 0.0
    double_message: float = 0.0
    delay_message: float = 0.0
    lose_append: float = 0.0
    late_append: float = 0.0
    lose_ack: float = 0.0
    refuse_append: float = 0.0
    slow_reader: float = 0.0
    lose_request: float = 0.0
    delay_request: float = 0.0


@final
class Network:
    """What all buses of one simulation share: the broker, the dice, and what was promised."""

    def __init__(self, broker: MemoryBroker, draw: random.Random) -> None:
        self.broker: Final = broker
        self.draw: Final = draw
        self.odds = Odds()
        self.fired: Final[Counter[str]] = Counter()
        self.full: Final[set[str]] = set()
        """Subjects whose disk is full."""
        self.promised: Final[dict[tuple[str, int], str]] = {}
        """Every acknowledged message, by subject and sequence, with its chain hash."""

    def happens(self, fault: str) -> bool:
        """Throw the dice for a fault; count it when it happens."""
        odds: float = getattr(self.odds, fault)
        if not odds or self.draw.random() >= odds:
            return False
        self.fired[fault] += 1
        return True

    def latency_s(self) -> float:
        """Return how long a message is on its way."""
        return self.draw.uniform(*LATENCY_S)


@final
class SimulatedBus(Bus):
    """The bus of one process; ``die`` cuts it off for good."""

    def __init__(self, network: Network, listener: Listener) -> None:
        self._network: Final = network
        self._inner: Final = MemoryBus(network.broker, listener=listener)
        self._listener: Final = listener
        self.is_dead = False

    def die(self) -> None:
        """Let nothing through any more, in either direction."""
        self.is_dead = True
        self._inner.lose_connection()
        self._network.broker.detach(self._inner)

    def lose_connection(self) -> None:
        """Play a lost connection of this process alone."""
        self._inner.lose_connection()

    def regain_connection(self) -> None:
        """Play its return."""
        if not self.is_dead and self._network.broker.is_up:
            self._inner.regain_connection()

    # ------------------------------------------------------------------------------ state

    def add_listener(self, listener: Listener) -> None:
        """Report what happens to the bus itself."""
        self._inner.add_listener(listener)

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be reached."""
        return self._inner.is_connected

    @property
    def message_bytes_max(self) -> int:
        """Return how many bytes one message may have."""
        return self._inner.message_bytes_max

    # ------------------------------------------------------------------------------ messages

    def publish(self, subject: str, payload: bytes, headers: Headers | None = None) -> bool:
        """Send a message on its way; it may not arrive, or twice, or after a later one."""
        self._must_live()
        if not self._inner.is_connected:
            return self._inner.publish(subject, payload, headers)
        network = self._network
        if network.happens("lose_message"):
            return True
        copies = 2 if network.happens("double_message") else 1
        for _ in range(copies):
            if network.happens("delay_message"):
                asyncio.get_running_loop().call_later(
                    network.draw.uniform(*LATE_S), self._arrive, subject, payload, headers
                )
            else:
                self._inner.publish(subject, payload, headers)
        return True

    def _arrive(self, subject: str, payload: bytes, headers: Headers | None) -> None:
        # What was sent before its sender died still arrives.
        if self._network.broker.is_up:
            self._network.broker.publish(Message(subject, payload, headers))

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, pending_messages_max: int = PENDING_MESSAGES_MAX
    ) -> Subscription:
        """Call ``handler`` with each message that arrives."""
        self._must_live()
        return await self._inner.subscribe(subject, handler, pending_messages_max=pending_messages_max)

    async def flush(self, timeout_s: float = READ_TIMEOUT_S) -> None:
        """Return at once."""
        self._must_live()
        await self._inner.flush(timeout_s)

    async def request(
        self, subject: str, payload: bytes, *, timeout_s: float, headers: Headers | None = None
    ) -> Message:
        """Send a request and return the first answer; it may be lost, or arrive when its sender has given it up."""
        self._must_live()
        network = self._network
        if self._inner.is_connected and network.happens("lose_request"):
            await self._no_answer(subject, timeout_s)
        if self._inner.is_connected and network.happens("delay_request"):
            asyncio.get_running_loop().call_later(
                network.draw.uniform(*LATE_S), self._request_arrives, subject, payload, headers
            )
            await self._no_answer(subject, timeout_s)
        return await self._inner.request(subject, payload, timeout_s=timeout_s, headers=headers)

    async def _no_answer(self, subject: str, timeout_s: float) -> None:
        await asyncio.sleep(timeout_s)
        self._must_live()
        raise UnknownOutcome(subject, f"no answer within {timeout_s:g} s")

    def _request_arrives(self, subject: str, payload: bytes, headers: Headers | None) -> None:
        if self._network.broker.is_up:
            self._network.broker.publish(Message(subject, payload, headers), lambda answer: None)

    async def respond(self, subject: str, handler: RequestHandler) -> Subscription:
        """Call ``handler`` with each request."""
        self._must_live()
        return await self._inner.respond(subject, handler)

    # ------------------------------------------------------------------------------ journals

    async def append(
        self,
        subject: str,
        payload: bytes,
        *,
        expected_last_sequence: int | None = None,
        headers: Headers | None = None,
        timeout_s: float = APPEND_TIMEOUT_S,
    ) -> int:
        """Append to the stream that keeps ``subject``, with whatever can go wrong on the way there and back."""
        self._must_live()
        network = self._network
        if not self._inner.is_connected:
            raise NotSent(subject, "not connected")
        if network.happens("lose_append"):
            await self._never(subject, timeout_s)
        if network.happens("late_append"):
            self._store_later(subject, payload, headers, expected_last_sequence)
            await self._never(subject, timeout_s)
        is_ack_lost = network.happens("lose_ack")
        await self._travel(subject)
        if subject in network.full or network.happens("refuse_append"):
            network.fired["disk_full" if subject in network.full else "refused"] += 1
            raise JournalFull(subject, 503, 10077, "maximum bytes exceeded")
        sequence = network.broker.append(subject, payload, headers, expected_last_sequence)
        assert sequence is not None, "no such fault was ordered"
        if is_ack_lost:
            await self._never(subject, timeout_s)
        await self._travel(subject)
        network.promised[subject, sequence] = (headers or {}).get(CHAIN_HEADER, "")
        return sequence

    async def _travel(self, subject: str) -> None:
        await asyncio.sleep(self._network.latency_s())
        self._must_live()
        if not self._inner.is_connected:
            raise AppendUncertain(subject, "the connection was lost while waiting")

    async def _never(self, subject: str, timeout_s: float) -> None:
        """Wait in vain."""
        await asyncio.sleep(timeout_s)
        self._must_live()
        raise AppendUncertain(subject, f"no answer within {timeout_s:g} s")

    def _store_later(
        self, subject: str, payload: bytes, headers: Headers | None, expected_last_sequence: int | None
    ) -> None:
        """Let an append arrive when its sender has given it up, or is dead."""

        def arrive() -> None:
            if not self._network.broker.is_up:
                return
            try:
                self._network.broker.append(subject, payload, headers, expected_last_sequence)
            except Refused:
                self._network.fired["late_append_refused"] += 1
            else:
                self._network.fired["late_append_landed"] += 1

        asyncio.get_running_loop().call_later(self._network.draw.uniform(*LATE_S), arrive)

    async def journal_state(self, stream: str) -> JournalState:
        """Return what a stream holds."""
        await self._ask()
        return await self._inner.journal_state(stream)

    async def last_message(self, stream: str) -> JournalMessage | None:
        """Return a stream's last message."""
        await self._ask()
        return await self._inner.last_message(stream)

    async def message(self, stream: str, sequence: int) -> JournalMessage | None:
        """Return one message of a stream."""
        await self._ask()
        return await self._inner.message(stream, sequence)

    async def consume(self, stream: str, start_sequence: int, handler: JournalHandler) -> JournalReader:
        """Read a stream from ``start_sequence`` on."""
        await self._ask()
        network = self._network

        async def slowly(message: JournalMessage) -> None:
            if network.happens("slow_reader"):
                await asyncio.sleep(network.draw.uniform(0.01, 0.3))
            self._must_live()
            outcome = handler(message)
            if outcome is not None:
                await outcome

        return await self._inner.consume(stream, start_sequence, slowly)

    async def _ask(self) -> None:
        await asyncio.sleep(self._network.latency_s())
        self._must_live()

    # ------------------------------------------------------------------------------ buckets and the end

    def bucket(self, name: str) -> Bucket:
        """Return a bucket by name."""
        self._must_live()
        return self._inner.bucket(name)

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Stop in order."""
        if not self.is_dead:
            await self._inner.close(timeout_s)

    def _must_live(self) -> None:
        if self.is_dead:
            raise ProcessDied
