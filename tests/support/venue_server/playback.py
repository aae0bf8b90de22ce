"""Play frames to whoever listens, on one cursor for the whole server.

Playback starts once the awaited streams are subscribed and stands still while nobody listens, so that a client that
reconnects goes on where the last one stopped: nothing falls between two connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from tests.support.venue_server.flow import StreamFrame
from tests.support.venue_server.recording import Recording, TimedFrame
from tests.support.venue_server.server import VenueServer

NANOSECONDS_PER_SECOND: Final = 1_000_000_000
_YIELD_EVERY: Final = 64


def recorded(recordings: Iterable[Recording]) -> Iterator[TimedFrame]:
    """Yield the frames of several recordings, one recording after the other."""
    for recording in recordings:
        yield from recording.frames()


def unpaced(frames: Iterable[StreamFrame]) -> Iterator[TimedFrame]:
    """Give frames that were made, not recorded, a time each: all the same, so they are sent as fast as possible."""
    for frame in frames:
        yield TimedFrame(0, frame)


async def play(
    server: VenueServer, frames: Iterable[TimedFrame], *, speed: float | None = None, awaited: Iterable[str] = ()
) -> int:
    """Send frames in order to the connections that listen to their stream; return how many were sent.

    ``speed`` is a factor on the recorded pace (2 is twice as fast), None sends as fast as the sockets take it.
    ``awaited`` are streams that must be subscribed before the first frame; a frame that nobody listens to is dropped,
    unless nobody is connected at all: then playback waits.
    """
    await server.wait_subscribed(*awaited, within_s=float("inf"))
    sent = 0
    loop = asyncio.get_running_loop()
    started_s: float | None = None
    first_ns = 0
    for number, timed in enumerate(frames):
        if speed is not None:
            if started_s is None:
                started_s, first_ns = loop.time(), timed.time_ns
            due_s = started_s + (timed.time_ns - first_ns) / NANOSECONDS_PER_SECOND / speed
            if due_s > loop.time():
                await asyncio.sleep(due_s - loop.time())
        elif number % _YIELD_EVERY == 0:
            await asyncio.sleep(0)
        if not any(session.streams.streams for session in server.open_sessions):
            await server.wait_until(
                lambda: any(session.streams.streams for session in server.open_sessions), within_s=float("inf")
            )
        sent += await server.publish(timed.frame.stream, timed.frame.payload)
    return sent
