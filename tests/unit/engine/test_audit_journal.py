"""Every tick goes into the journal once, in batches within their limits, hashed when due and never wrongly."""

import asyncio

import pytest

from services.engine.journal import BEHIND_TICKS, NS_PER_S, SEAL_BYTES, Cadence
from services.engine.position import JournalEnd
from tests.support.engine_journal import DrivenJournal
from tests.support.engine_service import turns
from tradebus.journal.sealed import BATCH_BYTES_MAX, ITEM_BYTES_MAX, TICKS_MAX, ItemTooLarge
from tradebus.wire.codec.audit import audit_frames_from_bytes
from tradebus.wire.integrity import verify_chain_hash, verify_checksum

RARELY = Cadence(1_000_000, 1_000_000 * NS_PER_S)


def frames_bytes(driven: DrivenJournal) -> list[int]:
    """Return how many bytes of ticks each batch holds."""
    return [sum(len(tick) for tick in audit_frames_from_bytes(batch.payload).ticks) for batch in driven.taken]


def ranges(driven: DrivenJournal) -> list[tuple[int, int]]:
    return [(batch.first, batch.last) for batch in driven.taken]


def hashed(driven: DrivenJournal) -> list[int]:
    """Return the last ticks of the batches that have a hash."""
    return [batch.head.last_sequence for batch in driven.batches if batch.head.core_hash]


def test_nothing_to_write_is_no_batch() -> None:
    driven = DrivenJournal()
    assert driven.write() is not None
    assert driven.write() is None


def test_a_batch_is_sealed_with_checksum_and_chain() -> None:
    driven = DrivenJournal()
    driven.feed(3)
    first = driven.write()
    driven.feed(1)
    second = driven.write()
    assert first is not None
    assert second is not None
    for batch in (first, second):
        verify_checksum(batch.payload, batch.headers)
        assert verify_chain_hash(batch.payload, batch.headers) == batch.chain
    assert driven.batches[1].head.previous_chain.hex() == first.chain
    assert ranges(driven) == [(0, 3), (4, 4)]


def test_a_batch_holds_at_most_so_many_ticks() -> None:
    driven = DrivenJournal(RARELY)
    driven.feed(2 * TICKS_MAX)
    driven.write_all()
    assert ranges(driven) == [(0, TICKS_MAX - 1), (TICKS_MAX, 2 * TICKS_MAX - 1), (2 * TICKS_MAX, 2 * TICKS_MAX)]


def test_a_batch_holds_at_most_so_many_bytes() -> None:
    driven = DrivenJournal(RARELY)
    driven.feed(10, size=30_000)
    driven.write_all()
    assert len(driven.taken) == 3
    assert max(frames_bytes(driven)) <= BATCH_BYTES_MAX
    assert [first for first, _ in ranges(driven)[1:]] == [last + 1 for _, last in ranges(driven)[:-1]]


def test_a_larger_tick_stands_alone() -> None:
    driven = DrivenJournal(RARELY)
    driven.feed(2)
    driven.feed(1, size=ITEM_BYTES_MAX - 2_000)
    driven.feed(2)
    driven.write_all()
    assert ranges(driven) == [(0, 2), (3, 3), (4, 5)]


def test_a_tick_that_no_batch_can_hold_is_refused_and_not_taken() -> None:
    driven = DrivenJournal()
    driven.feed(2)
    with pytest.raises(ItemTooLarge, match=f"tick 3: expected at most {ITEM_BYTES_MAX} bytes"):
        driven.feed(1, size=ITEM_BYTES_MAX)
    driven.journal.lose_state()
    driven.write_all()
    assert ranges(driven) == [(0, 2)]
    assert hashed(driven) == [], "the state is already another one"


def test_every_batch_is_hashed_where_that_is_asked_for() -> None:
    driven = DrivenJournal()
    driven.write()
    driven.feed(5)
    driven.write()
    driven.feed(3 * TICKS_MAX + 7)
    driven.write_all()
    assert hashed(driven) == [last for _, last in ranges(driven)]
    assert driven.check() == len(driven.taken) > 4


def test_a_batch_that_many_bytes_end_is_hashed_too() -> None:
    driven = DrivenJournal()
    driven.feed(20, size=SEAL_BYTES // 4)
    driven.write_all()
    assert len(driven.taken) == 5
    assert driven.check() == len(driven.taken)


def test_only_the_batch_before_a_very_large_tick_has_no_hash() -> None:
    driven = DrivenJournal()
    driven.feed(2)
    driven.feed(1, size=SEAL_BYTES + BATCH_BYTES_MAX)
    driven.feed(2)
    driven.write_all()
    assert ranges(driven) == [(0, 2), (3, 3), (4, 5)]
    assert hashed(driven) == [3, 5]
    assert driven.check() == 2


def test_a_hash_is_due_after_so_many_ticks() -> None:
    driven = DrivenJournal(Cadence(10, 1_000 * NS_PER_S))
    driven.feed(34)
    driven.write_all()
    assert hashed(driven) == [9, 19, 29]
    assert ranges(driven) == [(0, 9), (10, 19), (20, 29), (30, 34)]
    assert driven.check() == 3


def test_a_hash_is_due_after_so_much_time() -> None:
    driven = DrivenJournal(Cadence(1_000_000, NS_PER_S))
    driven.feed(3)
    driven.write_all()
    driven.clock.now_ns += NS_PER_S
    driven.feed(1)
    driven.write_all()
    assert hashed(driven) == [4]
    driven.clock.now_ns += NS_PER_S - 1
    driven.feed(40)
    driven.write_all()
    assert hashed(driven) == [4]
    driven.clock.now_ns += 1
    driven.feed(40)
    driven.write_all()
    assert len(hashed(driven)) == 2
    assert hashed(driven)[1] <= 44 + 16, "the clock is asked at least at every 16th tick"
    assert driven.check() == 2


def test_the_last_tick_is_hashed_whatever_the_cadence() -> None:
    driven = DrivenJournal(RARELY)
    driven.feed(3)
    driven.shut_down()
    driven.write_all()
    assert hashed(driven) == [4]
    assert driven.check() == 1


def test_it_goes_on_behind_an_earlier_run() -> None:
    driven = DrivenJournal(end=JournalEnd(7, "ab" * 16, 99))
    driven.feed(1)
    driven.write()
    head = driven.batches[0].head
    assert (head.first_sequence, head.last_sequence, head.engine_epoch) == (100, 101, 8)
    assert head.previous_chain.hex() == "ab" * 16
    assert driven.journal.writer.position == 7


async def test_who_feeds_it_is_held_up_while_it_is_behind() -> None:
    driven = DrivenJournal(RARELY)
    await driven.journal.pressure.wait()
    driven.feed(BEHIND_TICKS)
    assert driven.journal.is_behind
    waiting = [asyncio.create_task(driven.journal.pressure.wait()) for _ in range(3)]
    await turns()
    assert not any(task.done() for task in waiting)
    # More came in before the waiting ones had their turn: they wait on, and none is forgotten.
    driven.write()
    driven.feed(TICKS_MAX)
    await turns()
    assert not any(task.done() for task in waiting)
    driven.write()
    await asyncio.gather(*waiting)
    assert driven.journal.pending == BEHIND_TICKS + 1 - TICKS_MAX


def test_what_is_on_disk_is_told_apart_from_what_waits() -> None:
    driven = DrivenJournal()
    assert (driven.journal.durable_sequence, driven.journal.pending) == (-1, 1)
    driven.feed(4)
    batch = driven.write()
    assert batch is not None
    assert (driven.journal.durable_sequence, driven.journal.pending) == (-1, 0)
    driven.journal.durable(batch, 1)
    assert driven.journal.durable_sequence == 4
