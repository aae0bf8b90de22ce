"""Heartbeats come at once, then one a period, without drift."""

import asyncio

from services.runtime.heartbeat import Heartbeats
from tradebus.wire.codec.heartbeat import Heartbeat, StreamPosition


def beat(time_ns: int) -> Heartbeat:
    return Heartbeat("market", "m-1", "demo", time_ns, "ready", (StreamPosition("md.sim_alpha.0", 1, 7),))


async def test_beats_keep_coming_until_cancelled() -> None:
    sent: list[Heartbeat] = []
    enough = asyncio.Event()

    def send(one: Heartbeat) -> None:
        sent.append(one)
        if len(sent) == 5:
            enough.set()

    loop = asyncio.get_running_loop()
    began = loop.time()
    task = asyncio.create_task(Heartbeats(beat, send, 0.02).run())
    async with asyncio.timeout(5):
        await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert loop.time() - began >= 4 * 0.02 - 0.005
    assert sent[0].positions == (StreamPosition("md.sim_alpha.0", 1, 7),)
    assert [one.time_ns for one in sent] == sorted(one.time_ns for one in sent)


async def test_a_beat_that_cannot_be_made_ends_the_task_with_its_error() -> None:
    def broken(_: int) -> Heartbeat:
        raise ValueError("no beat")

    result = await asyncio.gather(Heartbeats(broken, lambda _: None, 1.0).run(), return_exceptions=True)
    assert isinstance(result[0], ValueError)
