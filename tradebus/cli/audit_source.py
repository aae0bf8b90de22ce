"""Where `tradebus audit` reads from: the archive in a folder, a stream, or both, without any service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import typer
import uvloop

from tradebus.bus.errors import BusError, ConnectFailed, NoJournal
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalState
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.permissions import User
from tradebus.bus.user_keys import seed_file
from tradebus.cli.audit_options import STRATEGIES
from tradebus.cli.output import stderr
from tradebus.config import ConfigError, ExitCode, load
from tradebus.config.strategies import add_strategies_folder
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.damage import ArchiveDamaged, ArchiveError
from tradebus.journal.verify import JournalDamaged
from tradebus.wire import subjects
from tradebus.wire.codec.error import DecodeError

CONNECT_TIMEOUT_S: Final = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """What was named, opened: ``archive`` and ``bus`` are None where there is none."""

    stream: str
    engine: str
    archive: Archive | None
    folder: Path | None
    bus: Bus | None
    url: str

    async def stream_state(self) -> JournalState | None:
        """Return what the stream holds, None where there is none. Raises BusUnavailable."""
        if self.bus is None:
            return None
        try:
            return await self.bus.journal_state(self.stream)
        except NoJournal:
            return None


class Unusable(Exception):
    """What was named cannot be read; the message says why."""

    def __init__(self, reason: str, code: ExitCode = ExitCode.FAILURE) -> None:
        super().__init__(reason)
        self.code: Final = code


@asynccontextmanager
async def opened(
    folder: Path | None,
    url: str | None,
    engine: str | None,
    strategies: Path = STRATEGIES,
    *,
    is_made: bool = False,
    user: User = User.OPERATOR,
) -> AsyncIterator[Source]:
    """Open what was named; without either, what the configuration names. ``is_made`` allows an archive to be empty.

    ``user`` is who reads the stream on a server with users.

    Raises Unusable.
    """
    if folder is None and url is None:
        folder, engine = _configured(engine)
    add_strategies_folder(strategies)
    archive = None if folder is None else _archive(folder, engine, is_made=is_made)
    if archive is not None:
        engine = archive.subject.partition(".")[2]
    if not engine:
        raise Unusable("expected an engine's id with --nats, found none: --engine demo, say", ExitCode.USAGE)
    bus = None if url is None else await _connected(url, user)
    try:
        yield Source(subjects.audit_stream(engine), engine, archive, folder, bus, url or "")
    finally:
        if bus is not None:
            await bus.close(1.0)


def run(work: Callable[[], Awaitable[int]]) -> None:
    """Run a command; end with its exit status, or with the reason why it could not work."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(_awaited(work))
    except Unusable as error:
        stderr().print(f"[bold red]cannot[/] {error}", soft_wrap=True)
        code = error.code
    except ConnectFailed as error:
        stderr().print(f"[bold red]cannot reach NATS:[/] {error}")
        code = ExitCode.NOT_REACHABLE
    except (BusError, ArchiveError, OSError) as error:
        stderr().print(f"[bold red]failed:[/] {error}")
        code = ExitCode.FAILURE
    except (ArchiveDamaged, JournalDamaged, DecodeError) as error:
        stderr().print(f"[bold red]damaged:[/] {error}")
        code = ExitCode.DAMAGED
    if code:
        raise typer.Exit(code)


async def _awaited(work: Callable[[], Awaitable[int]]) -> int:
    return await work()


def _configured(engine: str | None) -> tuple[Path, str]:
    try:
        settings = load().settings
    except ConfigError as error:
        reason = f"expected --archive or --nats, or a configuration that names the archive: {error.problems[0]}"
        raise Unusable(reason, ExitCode.USAGE) from error
    engine = engine or settings.journal_id
    return settings.runtime.data_dir / "audit" / engine, engine


def _archive(folder: Path, engine: str | None, *, is_made: bool) -> Archive:
    stream, subject = ("", "") if engine is None else (subjects.audit_stream(engine), subjects.audit(engine))
    if not is_made and not (folder / "segments").is_dir():
        raise Unusable(f"read an archive in {folder}: found no folder `segments` in it", ExitCode.USAGE)
    try:
        return Archive(folder, stream, subject)
    except (ArchiveError, ValueError) as error:
        raise Unusable(str(error), ExitCode.USAGE) from error


async def _connected(url: str, user: User) -> Bus:
    return await NatsBus.connect(nats_options(url, user), timeout_s=CONNECT_TIMEOUT_S)


def nats_options(url: str, user: User) -> NatsOptions:
    """Return how to connect: with the user's key if the configuration leads to one, else without."""
    try:
        folder = load().settings.nats_users_dir()
    except ConfigError:
        folder = None  # what was named on the command line is enough to read a server without users
    seed = None if folder is None else seed_file(folder, user)
    return NatsOptions((url,), user, nkey_seed_file=seed if seed is not None and seed.is_file() else None)


def number(value: int) -> str:
    """Return a number as people read it: 143,781."""
    return f"{value:,}"


def span(first: int, last: int) -> str:
    """Return a range as people read it."""
    return number(first) if first == last else f"{number(first)} to {number(last)}"


def as_data(value: Any) -> Any:  # noqa: ANN401 - whatever a dataclass holds
    """Return a dataclass with slots as plain data."""
    return {name: getattr(value, name) for name in value.__slots__}
