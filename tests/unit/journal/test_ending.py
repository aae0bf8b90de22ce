"""Nothing is written behind a last message that does not follow the one before it."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.journal.batches import ACCOUNT, STREAM, SUBJECT, batch
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.journal.ending import check_last_link
from tradebus.journal.sealed import SealedBatch
from tradebus.journal.verify import JournalDamaged
from tradebus.wire.codec.account_journal import account_batch_from_bytes


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    broker = MemoryBroker()
    broker.provision(topology((), (ACCOUNT,)))
    bus = MemoryBus(broker)
    yield bus
    await bus.close(0.1)


async def check(bus: MemoryBus, *batches: SealedBatch) -> None:
    """Store batches and check the end."""
    for made in batches:
        await bus.append(SUBJECT, made.payload, headers=made.headers)
    last = await bus.last_message(STREAM)
    assert last is not None
    await check_last_link(bus, last, account_batch_from_bytes(last.payload).head.previous_chain)


async def test_a_journal_ends_well_after_each_of_its_batches(bus: MemoryBus) -> None:
    first = batch("one", 1, 0, 2)
    second = batch("one", 1, 2, 2, first.chain)
    await check(bus, first)
    await check(bus, second)
    await check(bus, batch("one", 1, 4, 1, second.chain))


async def test_a_batch_that_was_written_twice_is_found(bus: MemoryBus) -> None:
    first = batch("one", 1, 0, 2)
    second = batch("one", 1, 2, 2, first.chain)
    with pytest.raises(JournalDamaged, match=f"{STREAM}, message 3: chain: the batch before has {second.chain}"):
        await check(bus, first, second, second)


async def test_a_first_batch_that_follows_another_is_found(bus: MemoryBus) -> None:
    with pytest.raises(JournalDamaged, match=f"{STREAM}, message 1: chain: "):
        await check(bus, batch("one", 1, 2, 2, batch("one", 1, 0, 2).chain))


async def test_a_batch_behind_something_else_is_found(bus: MemoryBus) -> None:
    await bus.append(SUBJECT, b"nobody's record")
    with pytest.raises(JournalDamaged, match=f"{STREAM}, message 2: expected the header Tb-Chain"):
        await check(bus, batch("one", 1, 0, 2))
