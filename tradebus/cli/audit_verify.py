"""`tradebus audit verify`: everything about a journal that can be proven, and everything that is wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from tradebus.bus.message import JournalMessage, JournalState
from tradebus.cli.audit_source import Source, Unusable, as_data, number, opened, span
from tradebus.cli.output import print_json, print_rows, stderr, stdout
from tradebus.config import ExitCode
from tradebus.journal.archive.check import Finding, Tally
from tradebus.journal.archive.repair import plan_archive
from tradebus.journal.archive.verification import Verification
from tradebus.journal.positions import read_positions
from tradebus.journal.streamed import read_range, read_stream
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire import subjects

_REFRESH_BATCHES = 64


async def verify(
    archive: Path | None, nats: str | None, engine: str | None, strategies: Path, *, as_json: bool, quiet: bool
) -> int:
    """Verify, print what was found, return the exit status: 0 sound, 7 damaged."""
    async with opened(archive, nats, engine, strategies) as source:
        state = await source.stream_state()
        if source.bus is not None and state is None:
            raise Unusable(f"find the stream {source.stream} at {source.url}")
        published = await _published(source)
        with _progress(source, state, is_shown=not (as_json or quiet)) as progress:
            verification = Verification(
                source.archive, load_data, load_user_data, progress, await _spare(source, state)
            )
            verification.archive()
            if source.bus is not None:
                await read_stream(source.bus, source.stream, 1, verification.stream)
        tally = verification.tally
        if source.archive is not None:
            tally.findings += _lost_end(published, verification.archive_end)
            tally.findings += _stream_lost_end(state, verification.archive_end)
        tally.findings += _emptied(state)
        if as_json:
            print_json(_as_json(source, state, verification.archive_end, tally))
        elif not quiet or tally.findings:
            _print(source, state, verification.archive_end, tally)
        return ExitCode.DAMAGED if tally.findings else ExitCode.OK


async def _spare(source: Source, state: JournalState | None) -> dict[int, JournalMessage]:
    """Return what the stream still has of the batches that the archive lost."""
    if source.archive is None or source.bus is None or state is None:
        return {}
    found: dict[int, JournalMessage] = {}
    for plan in plan_archive(source.archive, state.first_sequence, state.last_sequence):
        for first, last in plan.held:
            for message in await read_range(source.bus, source.stream, first, last):
                found[message.sequence] = message
    return found


async def _published(source: Source) -> int:
    """Return up to which batch the archive's service said that it has them on disk, 0 where it said nothing."""
    if source.bus is None:
        return 0
    positions = await read_positions(source.bus, subjects.archive_reader(source.engine))
    mark = None if positions is None else positions.mark(source.stream)
    return 0 if mark is None else mark.position


def _lost_end(published: int, archive_end: int) -> list[Finding]:
    """Return that the archive lost its end, where its service once said that it had more on disk."""
    if published <= archive_end:
        return []
    reason = f"it once held batches up to {published}, now up to {archive_end}: it lost its end"
    return [Finding("segment", "archive", reason, archive_end + 1, published)]


def _stream_lost_end(state: JournalState | None, archive_end: int) -> list[Finding]:
    """Return that the stream lost its end, where the archive has more: what is archived stood in the stream."""
    if state is None or state.last_sequence >= archive_end:
        return []
    last = state.last_sequence
    reason = f"it ends with message {last}, the archive with {archive_end}: it lost its end"
    return [Finding("stream", state.stream, reason, last + 1, archive_end)]


def _emptied(state: JournalState | None) -> list[Finding]:
    """Return that a stream lost everything: whoever shortens one leaves its last message."""
    if state is None or state.messages or not state.last_sequence:
        return []
    last = state.last_sequence
    return [Finding("stream", state.stream, f"it counts messages up to {last} and holds none of them", last, last)]


@contextmanager
def _progress(source: Source, state: JournalState | None, *, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """Show how far verification is, on a terminal."""
    console = stderr()
    if not is_shown or not console.is_terminal:
        yield lambda _position: None
        return
    total = 0 if state is None else state.last_sequence
    last = None if source.archive is None else source.archive.last_place()
    total = max(total, 0 if last is None else last.place.head.last_position)
    columns = (SpinnerColumn(), TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("verify", total=total)

        def show(position: int) -> None:
            if position % _REFRESH_BATCHES == 0:
                bar.update(task, completed=position)

        yield show


def _print(source: Source, state: JournalState | None, archive_end: int, tally: Tally) -> None:
    console = stdout()
    facts: list[tuple[str, str, str]] = []
    if source.archive is not None:
        size = sum(path.stat().st_size for path in source.archive.paths)
        batches = span(source.archive.first_position, archive_end) if archive_end else "none"
        segments = len(source.archive.paths)
        words = f"batches {batches} in {segments} segment{'s' if segments != 1 else ''}, {_size(size)}"
        facts.append(("archive", str(source.folder), words))
    if state is not None:
        words = f"messages {span(state.first_sequence, state.last_sequence)}" if state.messages else "empty"
        facts.append(("stream", source.stream, words))
    if tally.ticks:
        facts.append(("ticks", span(tally.first_tick, tally.last_tick), _proof(tally)))
    width = max((len(name) for _, name, _ in facts), default=0)
    for what, name, words in facts:
        console.print(f"{what:<8} {name:<{width}}  {words}")
    if not tally.findings:
        console.print(Text("sound", style="bold green"))
        return
    count = len(tally.findings)
    console.print(Text(f"{count} finding{'s' if count != 1 else ''}", style="bold red"))
    rows = [(each.kind, _where(each), _batches(each), _tick(each), each.reason) for each in tally.findings]
    print_rows(("what", "where", "batches", "from tick", "why"), rows)
    if source.archive is not None and source.bus is None:
        console.print("`tradebus audit repair` with --nats says what can be brought back from the stream.")


def _proof(tally: Tally) -> str:
    words = [f"{number(tally.hashes_equal)} hashes equal"]
    if tally.hashes_unequal:
        words.append(f"{number(tally.hashes_unequal)} unequal")
    if tally.hashes_not_verified:
        words.append(f"{number(tally.hashes_not_verified)} of the core only (a strategy's class is not here)")
    if tally.checkpoints:
        words.append(f"{number(tally.checkpoints)} checkpoint{'s' if tally.checkpoints != 1 else ''} equal")
    if tally.unproven:
        words.append(f"{number(tally.unproven)} ticks by checksum and chain only, for want of a state before them")
    return ", ".join(words)


def _where(finding: Finding) -> str:
    if finding.offset < 0 or not finding.length:
        return finding.where
    return f"{finding.where}, bytes {finding.offset} to {finding.offset + finding.length}"


def _batches(finding: Finding) -> str:
    if not finding.position:
        return ""
    return span(finding.position, finding.last_position) if finding.last_position else f"from {finding.position}"


def _tick(finding: Finding) -> str:
    return number(finding.sequence) if finding.sequence >= 0 else ""


def _size(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB" if size >= 1_000_000 else f"{size / 1_000:,.1f} kB"


def _as_json(source: Source, state: JournalState | None, archive_end: int, tally: Tally) -> dict[str, Any]:
    archive = None
    if source.archive is not None:
        first = source.archive.first_position
        archive = {"folder": str(source.folder), "first_position": first, "last_position": archive_end}
    stream = None
    if state is not None:
        stream = {"url": source.url, "first_position": state.first_sequence, "last_position": state.last_sequence}
    counts = {name: value for name, value in as_data(tally).items() if name != "findings"}
    return {
        "stream": source.stream,
        "archive": archive,
        "of_stream": stream,
        **counts,
        "sound": not tally.findings,
        "findings": [as_data(each) for each in tally.findings],
    }
