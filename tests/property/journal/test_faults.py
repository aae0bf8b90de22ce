"""Whatever happens to appends, the journal holds every batch once, in order, and nobody was told otherwise."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.examples import scaled
from tests.unit.journal.batches import ACCOUNT, STREAM, Entries, batch, expected, read, writer
from tradebus.bus.errors import WrongLastSequence
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import Headers
from tradebus.bus.topology import topology
from tradebus.journal import writer as writer_module
from tradebus.journal.writer import Fenced

FAULTS = ("none", "lost append", "lost acknowledgement", "late copy", "outage before", "outage after", "foreign")


@pytest.fixture(scope="module", autouse=True)
def impatient() -> Iterator[None]:
    """Waits that a test need not sit out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer_module, "RETRY_FIRST_S", 0.0)
        patch.setattr(writer_module, "RETRY_MAX_S", 0.0)
        patch.setattr(writer_module, "APPEND_TIMEOUT_S", 0.001)
        yield


class FaultyBroker:
    """Plays one fault per append that arrives, in order, and none when the script is over."""

    def __init__(self, broker: MemoryBroker, script: list[str]) -> None:
        self._broker = broker
        self._append: Callable[[str, bytes, Headers | None, int | None], int | None] = broker.append
        self._script = script
        self._held: list[tuple[str, bytes, Headers | None, int | None]] = []
        self.foreign = False
        broker.append = self.append  # type: ignore[method-assign]

    def append(
        self, subject: str, payload: bytes, headers: Headers | None, expected_last_sequence: int | None
    ) -> int | None:
        held, self._held = self._held, []
        for late in held:
            # An earlier copy arrives first; its sender has given it up and does not hear of a refusal.
            with contextlib.suppress(WrongLastSequence):
                self._append(*late)
        fault = self._script.pop(0) if self._script else "none"
        if fault == "late copy":
            self._held.append((subject, payload, headers, expected_last_sequence))
            return None
        if fault == "lost append":
            return None
        if fault == "outage before":
            self._outage()
            return None
        if fault == "foreign" and not self.foreign:
            self.foreign = True
            other = batch("two", 1, 0, 1)
            self._append(subject, other.payload, other.headers, None)
        sequence = self._append(subject, payload, headers, expected_last_sequence)
        if fault == "outage after":
            self._outage()
        return None if fault in {"lost acknowledgement", "outage after"} else sequence

    def _outage(self) -> None:
        self._broker.start_outage()
        asyncio.get_running_loop().call_soon(self._broker.end_outage)


async def write(sizes: list[int], script: list[str]) -> tuple[Entries, FaultyBroker, bool, list[bytes]]:
    """Write batches of these sizes through these faults; tell whether the writer was fenced, and what is stored."""
    broker = MemoryBroker()
    broker.provision(topology((), (ACCOUNT,)))
    faults = FaultyBroker(broker, script)
    bus = MemoryBus(broker)
    source = Entries()
    source.ask(*sizes)
    writes = writer(bus, source)
    writes.close()
    fenced = False
    try:
        await asyncio.wait_for(writes.run(), 2)
    except Fenced:
        fenced = True
    kept = [await bus.message(STREAM, i + 1) for i in range(broker.stream(STREAM).last_sequence)]
    if not faults.foreign:
        assert (await read(bus))[0] == expected("one", sum(sizes))
    await bus.close()
    return source, faults, fenced, [message.payload for message in kept if message is not None]


@given(st.lists(st.integers(1, 3), min_size=1, max_size=5), st.lists(st.sampled_from(FAULTS), max_size=12))
@settings(max_examples=scaled(250), deadline=None)
def test_every_batch_is_stored_once_or_the_writer_is_fenced(sizes: list[int], script: list[str]) -> None:
    source, faults, fenced, stored = asyncio.run(write(sizes, list(script)))
    durable = [source.sealed[i].payload for i in range(len(source.stored))]
    assert [sequence for sequence, _, _ in source.stored] == list(range(1, len(durable) + 1))
    assert stored[: len(durable)] == durable, "what was called durable is there, in its place"
    assert fenced == faults.foreign
    if not fenced:
        assert stored == [made.payload for made in source.sealed]
        assert len(stored) == len(sizes)
