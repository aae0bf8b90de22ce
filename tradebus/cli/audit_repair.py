"""`tradebus audit repair`: say what can be brought back from the other copy, and do it when told to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.text import Text

from tradebus.bus.errors import WrongLastSequence
from tradebus.bus.message import JournalMessage, JournalState
from tradebus.bus.permissions import User
from tradebus.cli.audit_remake import broken_at, remake_work, sound_end
from tradebus.cli.audit_source import Source, Unusable, number, opened, span
from tradebus.cli.output import print_json, print_rows, stdout
from tradebus.config import ExitCode
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.journal.archive.chunk import CHUNK_BYTES
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.lineage import Lineage, lineage
from tradebus.journal.archive.repair import SegmentRepair, drop_checkpoints, plan_archive, repair_segment
from tradebus.journal.archive.writer import ArchiveEnd, ArchiveWriter, locked
from tradebus.journal.streamed import read_range, read_stream
from tradebus.wire import subjects

_FLUSH_BYTES: Final = 8 * CHUNK_BYTES
_NOTHING: Final[tuple[int, int]] = (1, 0)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, or one that cannot be done (``work`` None): what it is about, what is wrong, what happens."""

    what: str
    trouble: str
    remedy: str
    work: Callable[[], Awaitable[str]] | None


async def repair(archive: Path | None, nats: str | None, engine: str | None, *, yes: bool, as_json: bool) -> int:
    """Plan, print, do it with ``yes``; return the exit status: 0 nothing is left to do, 7 something is."""
    if nats is None:
        raise Unusable("repair without the other copy: name the server with --nats", ExitCode.USAGE)
    async with opened(archive, nats, engine, is_made=True, user=User.REPAIR) as source:
        if source.archive is None or source.folder is None:
            raise Unusable("repair without the other copy: name the archive with --archive", ExitCode.USAGE)
        state = await source.stream_state()
        if state is None:
            raise Unusable(f"find the stream {source.stream} at {source.url}: provision it, then repair it")
        steps = await _plan(source, source.archive, source.folder, state)
        done: list[str] = []
        if yes:
            done = [await step.work() for step in steps if step.work is not None]
        if as_json:
            plan = [{"what": s.what, "trouble": s.trouble, "remedy": s.remedy, "possible": bool(s.work)} for s in steps]
            print_json({"stream": source.stream, "plan": plan, "done": done})
        else:
            _print(steps, done, yes=yes)
        left = [step for step in steps if step.work is None] if yes else steps
        return ExitCode.DAMAGED if left else ExitCode.OK


def _print(steps: list[Step], done: list[str], *, yes: bool) -> None:
    console = stdout()
    if not steps:
        console.print(Text("nothing to repair", style="bold green"))
        return
    print_rows(("what", "trouble", "remedy"), [(step.what, step.trouble, step.remedy) for step in steps])
    for line in done:
        console.print(Text(f"done: {line}", style="green"))
    if not yes and any(step.work for step in steps):
        console.print(Text("nothing was changed; --yes does it", style="bold"))


async def _plan(source: Source, archive: Archive, folder: Path, state: JournalState) -> list[Step]:
    end = _end(archive)
    assert source.bus is not None, "checked before"
    kin = await lineage(source.bus, source.stream, folder, end)
    if kin is Lineage.FOREIGN and state.last_sequence:
        reason = "it holds other batches than the archive at the same places: it is another journal"
        return [Step(source.stream, reason, "move the archive's folder away to begin a new one", None)]
    has_stream = state.messages and kin is not Lineage.FOREIGN
    first, last = (state.first_sequence, state.last_sequence) if has_stream else _NOTHING
    steps = [_segment_step(source, archive, plan) for plan in plan_archive(archive, first, last)]
    steps += _checkpoint_steps(folder, end)
    broken = await broken_at(source, state) if kin is not Lineage.FOREIGN else None
    if broken is not None:
        return [*steps, await _remade_stream(source, archive, end, state, broken, is_sound=not steps)]
    if has_stream:
        steps += _longer_archive(source, archive, folder, end, state)
    steps += _longer_stream(source, archive, end, state)
    return steps


def _end(archive: Archive) -> ArchiveEnd | None:
    last = archive.last_place()
    if last is None:
        return None
    message = archive.read(last)[-1]
    head = last.place.head
    chain = (message.headers or {}).get("Tb-Chain", "")
    return ArchiveEnd(head.last_position, head.last_sequence, chain, head.last_time_ns)


def _segment_step(source: Source, archive: Archive, plan: SegmentRepair) -> Step:
    name = plan.segment.path.name
    trouble = "; ".join(damage.reason for damage in plan.segment.damages)
    if not plan.lost:
        words = "index" if all(damage.path.suffix == ".idx" for damage in plan.segment.damages) else "file"
        return Step(name, trouble, f"write the {words} anew, no batch is lost", _segment_work(source, archive, plan))
    lost = "batches " + ", ".join(span(*each) for each in plan.lost) + " lost"
    if not plan.held:
        return Step(name, f"{trouble}; {lost}", "none: the stream does not hold them any more", None)
    held = "bring back " + ", ".join(span(*each) for each in plan.held) + " from the stream"
    gone = "; nobody has " + ", ".join(span(*each) for each in plan.gone) if plan.gone else ""
    return Step(name, f"{trouble}; {lost}", held + gone, _segment_work(source, archive, plan))


def _segment_work(source: Source, archive: Archive, plan: SegmentRepair) -> Callable[[], Awaitable[str]]:
    async def fetch(first: int, last: int) -> list[JournalMessage]:
        assert source.bus is not None
        return await read_range(source.bus, source.stream, first, last)

    async def work() -> str:
        with locked(archive.folder):
            found = await repair_segment(archive, plan, fetch)
        return f"{plan.segment.path.name}: {number(found)} batches brought back"

    return work


def _checkpoint_steps(folder: Path, end: ArchiveEnd | None) -> list[Step]:
    last = -1 if end is None else end.sequence
    checkpoints = Checkpoints(folder)
    bad = {damage.path.name: damage.reason for damage in checkpoints.damages()}
    if not bad:
        return []

    async def work() -> str:
        names = drop_checkpoints(folder, max(last, max(checkpoints.sequences(), default=0)))
        return f"{', '.join(names)}: put aside"

    return [
        Step(", ".join(sorted(bad)), "; ".join(sorted(set(bad.values()))), "put aside, others take their place", work)
    ]


def _longer_archive(
    source: Source, archive: Archive, folder: Path, end: ArchiveEnd | None, state: JournalState
) -> list[Step]:
    """Bring the archive up to the stream's end."""
    position = 0 if end is None else end.position
    if state.last_sequence <= position:
        return []
    missing = span(position + 1, state.last_sequence)
    if state.first_sequence > position + 1 and end is not None:
        reason = f"batches {missing} are not in the archive, the stream begins with {number(state.first_sequence)}"
        gone = span(position + 1, state.first_sequence - 1)
        return [Step("archive", reason, f"none for {gone}: nobody has them any more", None)]

    async def work() -> str:
        assert source.bus is not None
        with ArchiveWriter(folder, source.stream, subjects.audit(source.engine)) as writer:
            start = state.first_sequence if writer.end is None else writer.end.position + 1
            verifier = (
                FrameVerifier.behind_gap(start)
                if writer.end is None
                else FrameVerifier(position=start - 1, chain=writer.end.chain, sequence=writer.end.sequence)
            )

            def take(message: JournalMessage) -> None:
                writer.append(verifier.accept(message))
                if writer.waiting_bytes >= _FLUSH_BYTES:
                    writer.flush()

            await read_stream(source.bus, source.stream, start, take)
            writer.flush()
        archive.refresh()
        return f"archive: batches {missing} added"

    return [Step("archive", f"it ends before the stream, batches {missing} are missing", "add them", work)]


async def _remade_stream(
    source: Source,
    archive: Archive,
    end: ArchiveEnd | None,
    state: JournalState,
    broken: tuple[int, str],
    *,
    is_sound: bool,
) -> Step:
    """Put the archive's batches in the place of a stream that is damaged inside, where a stream takes nothing."""
    position, reason = broken
    trouble = f"message {number(position)}: {reason}"
    if end is None or end.position < position or archive.first_position > max(1, state.first_sequence):
        has = "nothing" if end is None else f"batches {span(archive.first_position, end.position)}"
        return Step(source.stream, trouble, f"none: the archive has {has}", None)
    if not is_sound:
        return Step(source.stream, trouble, "none yet: repair the archive first, then ask again", None)
    tail = await sound_end(source, state, end)
    last = tail[-1].sequence if tail else end.position
    remedy = f"make the stream anew with messages {span(archive.first_position, last)}; stop every service first"
    if last < state.last_sequence:
        remedy += f"; nobody has {span(last + 1, state.last_sequence)}"
    return Step(source.stream, trouble, remedy, remake_work(source, archive, end, tail))


def _longer_stream(source: Source, archive: Archive, end: ArchiveEnd | None, state: JournalState) -> list[Step]:
    """Append again what the stream lost at its end."""
    last = state.last_sequence
    if end is None or end.position <= last:
        return []
    missing = span(last + 1, end.position)
    trouble = f"it ends with message {number(last)}, the archive with {number(end.position)}"
    if archive.first_position > last + 1:
        reason = f"none: the archive begins with batch {number(archive.first_position)}, and a stream takes no gap"
        return [Step(source.stream, trouble, reason, None)]

    async def work() -> str:
        assert source.bus is not None
        for message in archive.messages(last + 1):
            try:
                await source.bus.append(
                    message.subject,
                    message.payload,
                    expected_last_sequence=message.sequence - 1,
                    headers=message.headers,
                )
            except WrongLastSequence as error:
                now = await source.bus.journal_state(source.stream)
                if now.last_sequence >= message.sequence:
                    raise Unusable(f"repair {source.stream}: somebody else writes it, stop the engine first") from error
                if archive.first_position > state.first_sequence:
                    raise Unusable(
                        f"repair {source.stream}: start nats-server anew, then ask again ({error})"
                    ) from error
                # The server goes on counting from where the stream ended once, and would number what comes wrong.
                return await remake_work(source, archive, end, [])()
        return f"{source.stream}: messages {missing} appended again"

    return [Step(source.stream, trouble, f"append {missing} again from the archive; stop the engine first", work)]
