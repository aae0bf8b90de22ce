import asyncio

import pytest

from tradebus.bus.batching import BATCH_ITEMS_MAX, MicroBatcher


async def test_what_comes_in_one_turn_of_the_loop_is_flushed_together_in_the_next() -> None:
    batches: list[list[int]] = []
    batcher = MicroBatcher(batches.append)
    for item in range(5):
        batcher.add(item)
    assert (batches, batcher.pending) == ([], 5)
    await asyncio.sleep(0)
    assert (batches, batcher.pending) == ([[0, 1, 2, 3, 4]], 0)


async def test_everything_that_was_ready_is_in_the_batch() -> None:
    batches: list[list[int]] = []
    batcher = MicroBatcher(batches.append)
    loop = asyncio.get_running_loop()
    for item in range(10):
        loop.call_soon(batcher.add, item)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert batches == [list(range(10))]


async def test_a_full_batch_is_flushed_at_once_and_the_rest_when_idle() -> None:
    batches: list[list[int]] = []
    batcher = MicroBatcher(batches.append)
    for item in range(2 * BATCH_ITEMS_MAX + 3):
        batcher.add(item)
    assert [len(batch) for batch in batches] == [BATCH_ITEMS_MAX, BATCH_ITEMS_MAX]
    await asyncio.sleep(0)
    assert [len(batch) for batch in batches] == [BATCH_ITEMS_MAX, BATCH_ITEMS_MAX, 3]
    assert [item for batch in batches for item in batch] == list(range(2 * BATCH_ITEMS_MAX + 3))


@pytest.mark.parametrize("sizes", [(0,), (3,), (64,), (65,), (60, 10), (200, 0, 1), (63, 1, 64, 129)])
async def test_items_added_together_make_the_same_batches_as_one_by_one(sizes: tuple[int, ...]) -> None:
    together: list[list[int]] = []
    one_by_one: list[list[int]] = []
    many, single = MicroBatcher(together.append), MicroBatcher(one_by_one.append)
    for turn, size in enumerate(sizes):
        items = [turn * 1_000 + each for each in range(size)]
        many.add_all(items)
        for item in items:
            single.add(item)
        assert many.pending == single.pending
    await asyncio.sleep(0)
    assert together == one_by_one
    assert sum(map(len, together)) == sum(sizes)


async def test_nothing_is_flushed_when_there_is_nothing() -> None:
    batches: list[list[int]] = []
    batcher = MicroBatcher(batches.append, items_max=2)
    batcher.add(1)
    batcher.add(2)
    await asyncio.sleep(0)
    batcher.flush()
    batcher.close()
    assert batches == [[1, 2]]


async def test_a_quiet_batcher_schedules_nothing() -> None:
    """No timer, no polling: an idle loop stays idle."""
    loop = asyncio.get_running_loop()
    batcher = MicroBatcher[int](lambda _items: None)
    batcher.add(1)
    await asyncio.sleep(0)
    scheduled = getattr(loop, "_scheduled", [])
    ready = getattr(loop, "_ready", [])
    assert (list(scheduled), list(ready)) == ([], [])


async def test_closing_flushes_and_cancels_what_is_scheduled() -> None:
    batches: list[list[int]] = []
    batcher = MicroBatcher(batches.append)
    batcher.add(1)
    batcher.close()
    await asyncio.sleep(0)
    assert batches == [[1]]


async def test_items_added_during_a_flush_come_in_the_next_batch() -> None:
    batches: list[list[int]] = []

    def flush(items: list[int]) -> None:
        batches.append(items)
        if len(batches) == 1:
            batcher.add(99)

    batcher = MicroBatcher(flush)
    batcher.add(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert batches == [[1], [99]]


def test_a_batch_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least 1, found 0"):
        MicroBatcher[int](lambda _items: None, items_max=0)
