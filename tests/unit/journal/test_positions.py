import pytest

from tradebus.bus.errors import NoBucket
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import JournalMessage
from tradebus.bus.topology import topology
from tradebus.journal.positions import (
    JournalMark,
    PositionsUnreadable,
    fingerprint_of,
    publish_positions,
    read_positions,
)
from tradebus.wire import subjects
from tradebus.wire.integrity import chained_headers, checked_headers

ENGINE = subjects.engine_reader("demo")
ARCHIVE = subjects.archive_reader("demo")


@pytest.fixture
async def bus() -> MemoryBus:
    broker = MemoryBroker()
    broker.provision(topology([], []))
    return MemoryBus(broker)


async def test_a_reader_that_said_nothing_has_no_positions(bus: MemoryBus) -> None:
    assert await read_positions(bus, ENGINE) is None


async def test_what_a_reader_said_last_counts(bus: MemoryBus) -> None:
    first = (JournalMark("AUDIT_demo", 7, "aa", 100),)
    second = (JournalMark("AUDIT_demo", 9, "bb", 120), JournalMark("CMD_demo", 2, "cc"))
    await publish_positions(bus, ENGINE, "engine-1", first)
    await publish_positions(bus, ARCHIVE, "audit-1", first)
    await publish_positions(bus, ENGINE, "engine-1", second)
    found = await read_positions(bus, ENGINE)
    assert found is not None
    assert (found.reader, found.instance, found.marks) == (ENGINE, "engine-1", second)
    assert found.mark("CMD_demo") == second[1]
    assert found.mark("ACCT_demo") is None


async def test_what_is_no_record_is_said_with_its_key(bus: MemoryBus) -> None:
    await bus.bucket(subjects.POSITIONS).put(ENGINE, b"\xff\xff")
    with pytest.raises(PositionsUnreadable, match=r"positions/engine\.demo: expected a ReaderPositions"):
        await read_positions(bus, ENGINE)


async def test_a_record_under_another_readers_key_is_refused(bus: MemoryBus) -> None:
    await publish_positions(bus, ARCHIVE, "audit-1", ())
    entry = await bus.bucket(subjects.POSITIONS).get(ARCHIVE)
    assert entry is not None
    assert entry.value is not None
    await bus.bucket(subjects.POSITIONS).put(ENGINE, entry.value)
    with pytest.raises(PositionsUnreadable, match=r"expected a record of 'engine\.demo', found one of 'archive\.demo'"):
        await read_positions(bus, ENGINE)


async def test_without_the_bucket_it_says_so() -> None:
    with pytest.raises(NoBucket):
        await read_positions(MemoryBus(MemoryBroker()), ENGINE)


def test_a_message_is_named_by_its_chain_hash_or_its_checksum() -> None:
    def message(headers: dict[str, str] | None) -> JournalMessage:
        return JournalMessage("S", "s", 1, b"x", headers, 0, 0)

    assert fingerprint_of(message(chained_headers(b"x"))) == chained_headers(b"x")["Tb-Chain"]
    assert fingerprint_of(message(checked_headers(b"x"))) == checked_headers(b"x")["Tb-Crc32c"]
    assert fingerprint_of(message(None)) == ""
