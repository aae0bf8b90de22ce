"""Send to the bus what nobody should: damaged, foreign and oversized messages, past every check of our own client."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, PublicTrade
from tradebus.core.model.side import Side
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.codec.dlq import PAYLOAD_BYTES_MAX, DeadLetter
from tradebus.wire.codec.heartbeat import Heartbeat, heartbeat_to_bytes
from tradebus.wire.codec.market import MarketBatch, market_batch_from_bytes, market_batch_to_bytes
from tradebus.wire.integrity import CRC_HEADER, checked_headers

ANSWER_LIMIT_S = 10.0
FAR_AHEAD = 10**9
"""A number in the shard that has not been seen; what was seen is left out and not looked at."""

LARGE_BYTES = 900 * 1024
"""What the server just lets pass."""


@dataclass(frozen=True, slots=True)
class Attack:
    """A message that must be refused, and words of the reason that must be given for it."""

    name: str
    subject: str
    payload: bytes
    reason: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def is_kept_in(self, letter: DeadLetter) -> bool:
        """Tell whether a dead letter keeps this message, or the part of it that was bad, with the reason."""
        if self.reason not in letter.reason:
            return False
        kept = self.payload[:PAYLOAD_BYTES_MAX]
        return letter.payload == kept or (letter.payload != b"" and letter.payload in kept)


class Intruder:
    """A client of the server that no library keeps from anything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect to ``nats://host:port``."""
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        await reader.readline()
        options = {"verbose": False, "headers": True, "no_responders": False}
        writer.write(b"CONNECT %s\r\n" % json.dumps(options).encode())
        intruder = cls(reader, writer)
        await intruder.settle()
        return intruder

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def publish(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Write a message; `settle` waits until the server has it."""
        if headers:
            block = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"NATS/1.0\r\n{block}\r\n".encode()
            total = len(head) + len(payload)
            self._writer.write(f"HPUB {subject} {len(head)} {total}\r\n".encode() + head + payload + b"\r\n")
        else:
            self._writer.write(f"PUB {subject} {len(payload)}\r\n".encode() + payload + b"\r\n")

    async def settle(self) -> str:
        """Return once the server has taken everything: an empty text, or what it complained of before it hung up."""
        self._writer.write(b"PING\r\n")
        async with asyncio.timeout(ANSWER_LIMIT_S):
            with suppress(ConnectionError):
                while line := await self._reader.readline():
                    if line.startswith(b"PONG"):
                        return ""
                    if line.startswith(b"-ERR"):
                        return line.decode().strip()
        return "the server hung up"


def market_attacks(subject: str, genuine: bytes, seed: int) -> Iterator[Attack]:
    """Yield bad messages made from a genuine batch on ``subject`` that holds at least one event."""
    batch = market_batch_from_bytes(genuine)
    event = next(item for item in batch.items if isinstance(item, MarketEvent))
    yield from damaged(subject, genuine, "publisher: expected a text", "expected a MarketBatch", seed)
    yield Attack("a heartbeat", subject, _heartbeat(), "expected")
    foreign = replace(batch.head, index_fingerprint="0123456789abcdef")
    yield Attack("another index", subject, market_batch_to_bytes(MarketBatch(foreign, (event,))), "expected the index")
    unknown = _with(event, instrument=4_000_000_000)
    yield Attack("no such instrument", subject, _batch(batch, unknown), "expected an instrument below")
    elsewhere = _with(event, exchange=(event.exchange + 1) % 2)
    ahead = replace(batch, head=replace(batch.head, sequence=batch.head.sequence + FAR_AHEAD))
    yield Attack("another exchange's instrument", subject, _batch(ahead, elsewhere), "is on exchange")
    price = PublicTrade("1", Decimal("7777.125"), Decimal(1), Side.BUY)
    for text in (b"NaN00.125", b"1e999.125", b"7 77.1250", b"infinity0"):
        payload = _batch(batch, _with(event, data=price)).replace(b"7777.125", text[:8])
        yield Attack(f"the price {text[:8]!r}", subject, payload, "trade.price")
    yield Attack("a batch of another subject", "md.sim_alpha.7", genuine, "expected a batch of md.sim_alpha.7")
    yield Attack("an unknown exchange", "md.nowhere.0", genuine, "expected")


def heartbeat_attacks(service: str, seed: int) -> Iterator[Attack]:
    """Yield bad messages on a service's heartbeat."""
    yield from damaged(f"hb.{service}.intruder", _heartbeat(), "service: expected a text", "expected a Heartbeat", seed)


def command_attacks(engine: str, seed: int) -> Iterator[Attack]:
    """Yield bad messages on an engine's commands; the checksum of some is right, so that the rest is looked at."""
    subject = f"cmd.{engine}"
    genuine = _command(expiry_ns=0)
    yield Attack("no checksum", subject, genuine, f"expected the header {CRC_HEADER}")
    yield Attack("a wrong checksum", subject, genuine, "the payload gives", {CRC_HEADER: "00000000"})
    flipped = bytes([genuine[0], genuine[1] ^ 1, *genuine[2:]])
    yield Attack("a flipped bit", subject, flipped, "the payload gives", checked_headers(genuine))
    late = _command(expiry_ns=1)
    yield Attack("an expired command", subject, late, "expired", checked_headers(late))
    for attack in damaged(subject, genuine, "expected", "expected a Command", seed):
        yield replace(attack, headers=checked_headers(attack.payload))


def damaged(subject: str, genuine: bytes, empty: str, malformed: str, seed: int) -> Iterator[Attack]:
    """Yield what is no message at all: nothing, noise small and large, a cut one."""
    random = Random(seed)
    yield Attack("nothing", subject, b"", empty)
    yield Attack("noise", subject, b"\xff" + random.randbytes(200), malformed)
    yield Attack("large noise", subject, b"\xff" + random.randbytes(LARGE_BYTES), malformed)
    yield Attack("a cut message", subject, genuine[:-1], malformed)


def flips(genuine: bytes, count: int, seed: int) -> Iterator[bytes]:
    """Yield copies of a message with one bit flipped in each; some of them still are messages."""
    random = Random(seed)
    for _ in range(count):
        place = random.randrange(8 * len(genuine))
        copy = bytearray(genuine)
        copy[place // 8] ^= 1 << (place % 8)
        yield bytes(copy)


def _batch(batch: MarketBatch, event: MarketEvent) -> bytes:
    return market_batch_to_bytes(MarketBatch(batch.head, (event,)))


def _with(event: MarketEvent, **changes: object) -> MarketEvent:
    values = {name: getattr(event, name) for name in MarketEvent.FIELDS} | changes
    return MarketEvent(**values)


def _heartbeat() -> bytes:
    return heartbeat_to_bytes(Heartbeat("market", "intruder", "demo", 1, "ready"))


def _command(expiry_ns: int) -> bytes:
    """Return a command that would show: it switches trading off."""
    switch = TradingStateUpdate(TradingState.DISABLED, "intruder")
    return command_message_to_bytes(CommandMessage("intruder", "intruder", 1, expiry_ns, switch))
