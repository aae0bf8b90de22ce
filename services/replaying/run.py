"""Run one replay: NATS and the four services as processes, until every one of them has seen the end."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.replaying.outcome import Outcome, outcome_of
from services.supervisor import SERVICES, Program, Silent, Supervisor, SupervisorError
from tradebus.config import Settings

POLL_S: Final = 0.05
STALLED_S: Final = 60.0
"""How long nothing at all may move before the replay is given up."""


class ReplayFailed(Exception):
    """A replay that did not come to its end; the message says what stood still."""


async def run_replay(
    settings: Settings,
    data_dir: Path,
    *,
    programs: Sequence[Program] = SERVICES,
    stalled_s: float = STALLED_S,
    bar: Progress | None = None,
    resume: bool = False,
) -> Outcome:
    """Return what a replay gave, one that ended early in ``data_dir`` if it is to ``resume``.

    Raises ReplayFailed or SupervisorError.
    """
    supervisor = Supervisor(
        settings, data_dir=data_dir, any_ports=True, programs=programs, progress=Silent(), resume=resume
    )
    loop = asyncio.get_running_loop()
    try:
        await supervisor.start()
        await supervisor.wait_ready(names=("engine", "execution", "market"))
        begin_s = loop.time()
        said = await _until_finished(supervisor, stalled_s, bar)
        wall_s = loop.time() - begin_s
        problems = () if await _is_ready(supervisor) else ("a service is not healthy at the end",)
        return outcome_of(said["engine"], said["audit"], said["execution"], _feed(said["market"]), wall_s, problems)
    finally:
        await supervisor.stop()


def progress_bar() -> Progress:
    """Return the bar that long replays show, on stderr: what goes to stdout is the summary."""
    columns = (TextColumn("[bold]replay"), BarColumn(), MofNCompleteColumn(), TextColumn("events"), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


async def _until_finished(
    supervisor: Supervisor, stalled_s: float, bar: Progress | None
) -> dict[str, Mapping[str, Any]]:
    """Return everybody's last word once engine, fold and replica have seen the end of the feed."""
    loop = asyncio.get_running_loop()
    moved_s = loop.time()
    last: tuple[object, ...] = ()
    task = None if bar is None else bar.add_task("replay", total=None)
    while True:
        said = {name: await _data(supervisor, name) for name in ("engine", "audit", "execution", "market")}
        engine, audit, execution = said["engine"], said["audit"], said["execution"]
        now = (engine.get("sequence"), audit.get("sequence"), execution.get("sequence"))
        if bar is not None and task is not None:
            bar.update(task, completed=engine.get("market_events", 0), total=engine.get("feed_total"))
        if (
            engine.get("is_finished")
            and execution.get("is_finished")
            and audit.get("sequence", -1) >= engine["sequence"]
            and said["market"]
        ):
            return said
        if now != last:
            last, moved_s = now, loop.time()
        elif loop.time() - moved_s > stalled_s:
            raise ReplayFailed(_standstill(said, stalled_s))
        await asyncio.sleep(POLL_S)


def _standstill(said: Mapping[str, Mapping[str, Any]], stalled_s: float) -> str:
    engine = said["engine"]
    return (
        f"nothing moved for {stalled_s:g} s: the engine received {engine.get('events_received')} of "
        f"{engine.get('feed_total', 'unknown')} events and stands at sequence {engine.get('sequence')}, "
        f"the replica at {said['audit'].get('sequence')}, the fold at {said['execution'].get('sequence')}"
    )


async def _data(supervisor: Supervisor, name: str) -> Mapping[str, Any]:
    status = await supervisor.status(name)
    data = None if status is None else status.get("data")
    return data if isinstance(data, dict) else {}


async def _is_ready(supervisor: Supervisor) -> bool:
    try:
        await supervisor.wait_ready(timeout_s=5.0)
    except SupervisorError:
        return False
    return True


def _feed(market: Mapping[str, Any]) -> Mapping[str, Any]:
    feeds = market["feeds"]
    if len(feeds) != 1:
        raise ReplayFailed(f"expected one feed, found {sorted(feeds)}")
    feed: Mapping[str, Any] = next(iter(feeds.values()))
    return feed
