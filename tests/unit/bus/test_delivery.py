import asyncio
import itertools

from tests.support.waiting import eventually
from tradebus.bus.delivery import SLICE_ITEMS, HandlerQueue


def ignore(_item: object, error: Exception) -> None:
    raise AssertionError(f"nothing should fail here: {error}")


async def test_items_are_handled_in_order_one_at_a_time() -> None:
    trace: list[str] = []

    async def handle(item: int) -> None:
        trace.append(f"begin {item}")
        await asyncio.sleep(0)
        trace.append(f"end {item}")

    queue = HandlerQueue(handle, ignore)
    for item in range(3):
        assert queue.offer(item)
    await queue.drain()
    assert trace == [f"{step} {item}" for item in range(3) for step in ("begin", "end")]
    await queue.stop()


async def test_a_full_queue_refuses_the_newest() -> None:
    got: list[int] = []
    queue = HandlerQueue(got.append, ignore, pending_max=2)
    assert [queue.offer(item) for item in range(4)] == [True, True, False, False]
    assert queue.pending == 2
    await queue.drain()
    assert got == [0, 1]
    await queue.stop()
    assert not queue.offer(5)


async def test_an_error_is_handed_on_and_the_next_item_handled() -> None:
    failed: list[tuple[int, str]] = []
    got: list[int] = []

    def handle(item: int) -> None:
        if item == 1:
            raise ValueError("one")
        got.append(item)

    queue = HandlerQueue(handle, lambda item, error: failed.append((item, str(error))))
    for item in range(3):
        queue.offer(item)
    await queue.drain()
    assert (got, failed) == ([0, 2], [(1, "one")])
    await queue.stop()


async def test_a_long_queue_lets_others_run() -> None:
    handled = 0
    handled_when_others_ran: list[int] = []

    def handle(_item: int) -> None:
        nonlocal handled
        handled += 1

    queue = HandlerQueue(handle, ignore)
    for item in range(5 * SLICE_ITEMS):
        queue.offer(item)

    async def other() -> None:
        while handled < 5 * SLICE_ITEMS:
            handled_when_others_ran.append(handled)
            await asyncio.sleep(0)

    await other()
    steps = [after - before for before, after in itertools.pairwise(handled_when_others_ran)]
    assert max(steps) <= SLICE_ITEMS
    await queue.stop()


async def test_stopping_discards_what_waits_and_awaits_what_runs() -> None:
    began, release = asyncio.Event(), asyncio.Event()
    ended: list[int] = []

    async def handle(item: int) -> None:
        began.set()
        await release.wait()
        ended.append(item)

    queue = HandlerQueue(handle, ignore)
    queue.offer(1)
    queue.offer(2)
    await began.wait()
    stopping = asyncio.create_task(queue.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    release.set()
    await stopping
    await queue.stop()
    assert ended == [1]


async def test_a_handler_may_stop_its_own_queue() -> None:
    got: list[int] = []

    async def handle(item: int) -> None:
        got.append(item)
        await queue.stop()

    queue = HandlerQueue(handle, ignore)
    queue.offer(1)
    queue.offer(2)
    await eventually(lambda: got)
    await queue.drain()
    assert got == [1]


async def test_a_stuck_handler_can_be_cancelled() -> None:
    began = asyncio.Event()

    async def handle(_item: int) -> None:
        began.set()
        await asyncio.Event().wait()

    queue = HandlerQueue(handle, ignore)
    queue.offer(1)
    await began.wait()
    queue.cancel()
    await asyncio.wait_for(queue.drain(), 5)
    await queue.stop()
