"""Replace a stream that is damaged inside by what the archive has of it; its sound end goes behind that."""

from collections.abc import Awaitable, Callable

from tradebus.bus.errors import HandlerRaised, JournalHole
from tradebus.bus.message import JournalMessage, JournalState
from tradebus.bus.permissions import User
from tradebus.bus.remaking import remake_stream
from tradebus.cli.audit_source import Source, nats_options, number
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.writer import ArchiveEnd
from tradebus.journal.streamed import read_stream
from tradebus.journal.verify import JournalDamaged


async def broken_at(source: Source, state: JournalState) -> tuple[int, str] | None:
    """Return the first message that is damaged or missing inside a stream, and why; none where all are sound."""
    assert source.bus is not None, "checked before"
    if not state.messages:
        return (state.last_sequence, "no message is left") if state.last_sequence else None
    verifier = FrameVerifier.behind_gap(state.first_sequence)

    def take(message: JournalMessage) -> None:
        verifier.accept(message)

    try:
        await read_stream(source.bus, source.stream, state.first_sequence, take)
    except HandlerRaised as failed:
        if not isinstance(failed.error, JournalDamaged):
            raise
        return verifier.position + 1, failed.error.reason
    except JournalHole as error:
        return error.wanted, "it is not there"
    return None


async def sound_end(source: Source, state: JournalState, end: ArchiveEnd) -> list[JournalMessage]:
    """Return what the stream has behind the archive's end and follows it."""
    assert source.bus is not None, "checked before"
    verifier = FrameVerifier(position=end.position, chain=end.chain, sequence=end.sequence)
    found: list[JournalMessage] = []
    for position in range(end.position + 1, state.last_sequence + 1):
        message = await source.bus.message(source.stream, position)
        if message is None:
            break
        try:
            verifier.accept(message)
        except JournalDamaged:
            break
        found.append(message)
    return found


def remake_work(
    source: Source, archive: Archive, end: ArchiveEnd, tail: list[JournalMessage]
) -> Callable[[], Awaitable[str]]:
    """Return what puts the archive's batches, and ``tail`` behind them, in the place of a stream."""

    async def work() -> str:
        assert source.bus is not None, "checked before"
        first = archive.first_position
        await remake_stream(nats_options(source.url, User.REPAIR), source.stream, first)
        for message in [*archive.messages(first), *tail]:
            await source.bus.append(
                message.subject,
                message.payload,
                expected_last_sequence=message.sequence - 1,
                headers=message.headers,
            )
        last = tail[-1].sequence if tail else end.position
        return f"{source.stream}: made anew with messages {number(first)} to {number(last)}"

    return work
