"""The journal of an account: its only writer's records in order, in batches within their limits, of one numbering."""

from typing import cast

import pytest

from services.execution.account_journal import AccountEnd, AccountJournal, account_end
from tests.support.builders import account_event, asset_balance, fill, filled, order_error, order_in, order_told
from tests.support.engine_journal import NoBus
from tradebus.bus.interface import Bus
from tradebus.bus.memory import MemoryBus
from tradebus.core.engine.event import AccountEvent, BalanceReceived
from tradebus.core.model.order import OpenFailed
from tradebus.journal.sealed import BATCH_BYTES_MAX, ITEM_BYTES_MAX, TICKS_MAX, ItemTooLarge, SealedBatch, sealed
from tradebus.journal.verify import JournalDamaged
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import AccountBatch, Ownership, account_batch_from_bytes
from tradebus.wire.integrity import CHAIN_START, verify_chain_hash, verify_checksum

ACCOUNT = "alpha-paper"
EMPTY = AccountEnd(0, CHAIN_START, -1)


def journal_at(end: AccountEnd = EMPTY, owner: str = "execution-1") -> AccountJournal:
    return AccountJournal(cast("Bus", NoBus()), ACCOUNT, owner, "index-1", end)


def taken(journal: AccountJournal) -> list[AccountBatch]:
    """Take out every batch and return what is in them."""
    chain = journal.writer.chain
    batches: list[AccountBatch] = []
    while (batch := journal.next_batch(chain)) is not None:
        verify_checksum(batch.payload, batch.headers)
        assert verify_chain_hash(batch.payload, batch.headers) == batch.chain
        batches.append(account_batch_from_bytes(batch.payload))
        assert batches[-1].head.previous_chain.hex() == chain
        chain = batch.chain
    return batches


def large(size: int) -> AccountEvent:
    """Return an event of about so many bytes."""
    return order_told(order_in(OpenFailed(order_error(message="x" * size))), cause=1, ordinal=1)


def test_the_first_record_takes_the_ownership_under_its_own_message_number() -> None:
    journal = journal_at(AccountEnd(7, "ab" * 16, 41))
    journal.take_ownership(0)
    journal.add(filled(fill(), 5, 1), 100, 6)
    (batch,) = taken(journal)
    assert batch.entries[0].record == Ownership("execution-1", 8)
    assert (batch.head.owner, batch.head.owner_epoch) == ("execution-1", 8)
    assert (batch.head.first_entry, batch.head.last_entry) == (42, 43)
    assert batch.head.previous_chain.hex() == "ab" * 16
    assert batch.head.audit_sequence == 6
    assert batch.entries[1].time_ns == 100


def test_a_batch_holds_at_most_so_many_records() -> None:
    journal = journal_at()
    for _ in range(TICKS_MAX + 3):
        journal.add(filled(fill(), 1, 1), 1, 1)
    assert [len(batch.entries) for batch in taken(journal)] == [TICKS_MAX, 3]


def test_a_batch_holds_at_most_so_many_bytes_and_a_larger_record_stands_alone() -> None:
    journal = journal_at()
    for size in (1, 30_000, 30_000, 30_000, 30_000, 30_000, 300_000, 1):
        journal.add(large(size), 1, 1)
    assert [len(batch.entries) for batch in taken(journal)] == [5, 1, 1, 1]


def test_a_record_that_no_batch_can_hold_is_refused_and_not_taken() -> None:
    journal = journal_at()
    with pytest.raises(ItemTooLarge, match="AccountEvent of account alpha-paper"):
        journal.add(large(ITEM_BYTES_MAX), 1, 1)
    assert journal.next_batch(CHAIN_START) is None


def test_records_of_two_numberings_never_share_a_batch() -> None:
    journal = journal_at()
    journal.add(filled(fill("a"), 1, 1), 1, 2)
    journal.add(filled(fill("b"), 1, 2), 1, 2)
    journal.use_index("index-2")
    journal.add(filled(fill("c"), 9, 1), 1, 10)
    batches = taken(journal)
    assert [(batch.head.index_fingerprint, len(batch.entries)) for batch in batches] == [("index-1", 2), ("index-2", 1)]


def test_a_batch_says_up_to_which_tick_everything_is_there() -> None:
    journal = journal_at()
    journal.add(filled(fill("a"), 4, 1), 1, 5)
    journal.add(filled(fill("b"), 9, 1), 1, 9)
    (batch,) = taken(journal)
    assert batch.head.audit_sequence == 9


def test_it_is_owned_once_the_record_is_on_disk() -> None:
    journal = journal_at(AccountEnd(7, "ab" * 16, 41))
    journal.take_ownership(0)
    assert not journal.is_owned
    journal.writer.position = 8
    assert journal.is_owned


async def append(bus: MemoryBus, batch: SealedBatch | None) -> None:
    assert batch is not None
    await bus.append(subjects.acct(ACCOUNT), batch.payload, headers=batch.headers)


async def test_its_end_is_found(bus: MemoryBus) -> None:
    assert await account_end(bus, ACCOUNT) == EMPTY
    journal = journal_at()
    journal.take_ownership(0)
    first = journal.next_batch(CHAIN_START)
    await append(bus, first)
    assert first is not None
    assert await account_end(bus, ACCOUNT) == AccountEnd(1, first.chain, 0)
    journal.add(account_event(BalanceReceived(asset_balance()), cause=1, ordinal=1), 1, 1)
    journal.add(account_event(BalanceReceived(asset_balance()), cause=1, ordinal=2), 1, 1)
    second = journal.next_batch(first.chain)
    await append(bus, second)
    assert second is not None
    assert await account_end(bus, ACCOUNT) == AccountEnd(2, second.chain, 2)


async def test_an_end_that_is_not_what_was_written_is_refused(bus: MemoryBus) -> None:
    journal = journal_at()
    journal.take_ownership(0)
    batch = journal.next_batch(CHAIN_START)
    assert batch is not None
    await bus.append(subjects.acct(ACCOUNT), batch.payload + b"x", headers=batch.headers)
    with pytest.raises(JournalDamaged, match="ACCT_alpha-paper, message 1"):
        await account_end(bus, ACCOUNT)
    await append(bus, sealed(b"\xff\xff", 0, 0))
    with pytest.raises(JournalDamaged, match="ACCT_alpha-paper, message 2"):
        await account_end(bus, ACCOUNT)


def test_batches_are_of_the_size_that_was_said() -> None:
    journal = journal_at()
    for _ in range(200):
        journal.add(large(3_000), 1, 1)
    chain = CHAIN_START
    sizes: list[int] = []
    while (batch := journal.next_batch(chain)) is not None:
        chain = batch.chain
        sizes.append(len(batch.payload))
    assert len(sizes) > 2
    assert max(sizes) <= BATCH_BYTES_MAX + 256
