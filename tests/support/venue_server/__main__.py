"""Run the venue server as a process of its own: ``python -m tests.support.venue_server``.

Prints one JSON line with its addresses when it listens, one with what it sent when it ends. Stops on SIGINT and
SIGTERM, or by itself when everything is played and ``--exit-when-done`` is given.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.venue_server.flow import GeneratedFlow
from tests.support.venue_server.playback import play, recorded, unpaced
from tests.support.venue_server.recording import Recording, RecordingError, TimedFrame
from tests.support.venue_server.rest import MarketSource
from tests.support.venue_server.server import VenueServer

_GENERATED_AT_A_TIME = 1_000


class Recordings:
    """Several recordings as one source of symbols and snapshots."""

    def __init__(self, paths: list[Path]) -> None:
        self.recordings = [Recording(path) for path in paths]

    def symbols(self) -> list[str]:
        """Return the symbols of all recordings."""
        return list(dict.fromkeys(symbol for recording in self.recordings for symbol in recording.symbols()))

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """Return the snapshot from the first recording that has one for the symbol."""
        bodies = (recording.snapshot(symbol, limit) for recording in self.recordings)
        return next((body for body in bodies if body is not None), None)


def main() -> int:
    """Parse the command line, serve, and return the exit status."""
    options = _parser().parse_args()
    try:
        return asyncio.run(_serve(options))
    except (RecordingError, OSError) as error:
        sys.stderr.write(f"venue server: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.support.venue_server", description=__doc__)
    parser.add_argument("--recording", type=Path, action="append", help="play this recording; may be repeated")
    parser.add_argument(
        "--generate", type=int, default=0, help="frames to generate where there is no recording; 0: endless"
    )
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT", help="symbols to generate, separated by commas")
    parser.add_argument("--seed", type=int, default=0, help="seed of the generated flow")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--speed", type=_speed, default=None, help="'max', or a factor on the recorded pace")
    parser.add_argument("--await-streams", default="", help="streams to be subscribed before playback, by commas")
    parser.add_argument("--exit-when-done", action="store_true", help="end once everything is played")
    return parser


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    factor = float(text)
    if factor <= 0:
        raise argparse.ArgumentTypeError(f"expected 'max' or a factor above zero, found {text}")
    return factor


async def _serve(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    source, frames = _source(options)
    async with VenueServer(source, port=options.port) as server:
        _say({"ws": server.ws_url, "stream": server.stream_url, "rest": server.rest_url, "port": server.port})
        awaited = [name for name in options.await_streams.split(",") if name]
        playing = asyncio.create_task(play(server, frames, speed=options.speed, awaited=awaited))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if playing.done() and not options.exit_when_done:
            _say({"played": playing.result()})
            await stopping
        for task in (playing, stopping):
            task.cancel()
        await asyncio.gather(playing, stopping, return_exceptions=True)
        _say({"sessions": len(server.sessions), "sent": sum(session.frames_sent for session in server.sessions)})
        if not playing.cancelled() and (error := playing.exception()) is not None:
            raise error
    return 0


def _source(options: argparse.Namespace) -> tuple[MarketSource, Iterator[TimedFrame]]:
    if options.recording:
        recordings = Recordings(options.recording)
        return recordings, recorded(recordings.recordings)
    flow = GeneratedFlow([name for name in options.symbols.split(",") if name], seed=options.seed)
    if options.generate:
        return flow, unpaced(flow.frames(options.generate))
    endless = itertools.chain.from_iterable(flow.frames(_GENERATED_AT_A_TIME) for _ in itertools.count())
    return flow, unpaced(endless)


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
