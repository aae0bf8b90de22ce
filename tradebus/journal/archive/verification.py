"""Verify an archive, a stream, or both against each other, and say everything that is wrong."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias, final

from tradebus.bus.message import JournalMessage
from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory, no_user_data
from tradebus.journal.archive.archive import Archive, Chunk
from tradebus.journal.archive.check import Finding, JournalCheck, Tally
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.journal.archive.damage import ArchiveDamaged, Damage
from tradebus.journal.archive.survey import survey
from tradebus.journal.positions import fingerprint_of

Progress: TypeAlias = Callable[[int], None]
"""Told the stream sequence of each batch that was looked at."""


def finding_of(damage: Damage) -> Finding:
    """Return a damaged place of a file as a finding."""
    kind = {".idx": "index", ".ckp": "checkpoint", ".ckx": "checkpoint", ".ckr": "checkpoint"}.get(
        damage.path.suffix, "segment"
    )
    return Finding(
        kind,
        damage.path.name,
        damage.reason,
        damage.first_position,
        damage.last_position or damage.first_position,
        damage.next_sequence,
        damage.offset,
        damage.length,
    )


@final
class Verification:
    """First the archive, if there is one, then the stream, if there is one; ``tally`` holds what was found.

    ``spare`` holds batches of the stream that the archive lost, so that the state is not lost with them.
    """

    def __init__(
        self,
        archive: Archive | None,
        make_data: StrategyDataFactory,
        make_user_data: UserDataFactory = no_user_data,
        progress: Progress = lambda _position: None,
        spare: Mapping[int, JournalMessage] | None = None,
    ) -> None:
        self._archive: Final = archive
        self._progress: Final = progress
        self._spare: Final = spare or {}
        self._checkpoints: Final = None if archive is None else Checkpoints(archive.folder)
        # Listed before the archive is read: where a service writes it meanwhile, none of these stands behind its end.
        self._listed: Final = [] if self._checkpoints is None else self._checkpoints.sequences()
        self._check: Final = JournalCheck(make_data, make_user_data, self._checkpoints)
        self._beside: Iterator[JournalMessage] | None = None
        self._archived: JournalMessage | None = None
        self.archive_end = 0
        """The last sound batch of the archive."""

    @property
    def tally(self) -> Tally:
        """Return what was seen so far."""
        return self._check.tally

    def archive(self) -> None:
        """Verify the whole archive. Raises OSError."""
        archive = self._archive
        if archive is None:
            return
        archive.refresh()
        findings = self.tally.findings
        for segment in survey(archive):
            findings += [finding_of(damage) for damage in segment.damages]
            for place in segment.places:
                self._take_chunk(archive, Chunk(segment.path, place))
        if self._checkpoints is None:
            return
        for damage in self._checkpoints.damages():
            if damage.path.suffix in {".ckx", ".ckr"}:
                findings.append(finding_of(damage))
        last = self._check.sequence
        for sequence in self._listed:
            if sequence > last:
                name = self._checkpoints.path(sequence).name
                reason = f"it is of tick {sequence}, and the archive ends with tick {last}: it lost its end"
                findings.append(Finding("segment", name, reason, self.archive_end + 1, 0, last + 1))

    def stream(self, message: JournalMessage) -> None:
        """Verify the next message of the stream: the same as archived, or what follows the archive."""
        if message.sequence <= self.archive_end:
            self._compare(message)
        else:
            if message.sequence != self._check.position + 1 and self._check.position:
                self._miss(message.stream, message.sequence)
            self._check.take(message, message.stream)
        self._progress(message.sequence)

    # ------------------------------------------------------------------------------ inside

    def _take_chunk(self, archive: Archive, chunk: Chunk) -> None:
        check = self._check
        try:
            messages = archive.read(chunk)
        except ArchiveDamaged as error:
            self.tally.findings.append(finding_of(error.damage))
            return
        for message in messages:
            if message.sequence <= check.position:
                continue
            if check.position + 1 != message.sequence:
                self._bridge(message.sequence)
            check.take(message, chunk.path.name)
            self._progress(message.sequence)
        self.archive_end = max(self.archive_end, messages[-1].sequence)

    def _bridge(self, following: int) -> None:
        """Go over batches that the archive lost, which was found already, with those of the stream if it has them."""
        check = self._check
        while check.position + 1 in self._spare and check.position + 1 < following:
            message = self._spare[check.position + 1]
            check.take(message, message.stream)
        if check.position and check.position + 1 != following:
            check.missing(following)

    def _miss(self, stream: str, following: int) -> None:
        first = self._check.position + 1
        reason = f"the archive ends with batch {first - 1}, the stream begins with batch {following}"
        finding = Finding("gap", stream, reason, first, following - 1, self._check.sequence + 1)
        self.tally.findings.append(finding)
        self._check.missing(following)

    def _compare(self, message: JournalMessage) -> None:
        """Compare a message with its copy in the archive; damage of the copy was found already."""
        archive = self._archive
        assert archive is not None, "what lies before the archive's end needs an archive"
        copy = self._archived
        while copy is None or copy.sequence < message.sequence:
            if self._beside is None:
                self._beside = archive.messages(message.sequence)
            try:
                copy = next(self._beside, None)
            except ArchiveDamaged:
                copy = None
            if copy is None:
                self._beside = None
                return
        self._archived = copy
        if copy.sequence == message.sequence and (fingerprint_of(copy), copy.payload) != (
            fingerprint_of(message),
            message.payload,
        ):
            self._differs(message.stream, message.sequence)

    def _differs(self, stream: str, position: int) -> None:
        """Note that both copies differ at a batch; of many in a row one finding is made."""
        findings = self.tally.findings
        if findings and findings[-1].kind == "difference" and findings[-1].last_position == position - 1:
            findings[-1] = replace(findings[-1], last_position=position)
        else:
            reason = "the stream holds other batches here than the archive"
            findings.append(Finding("difference", stream, reason, position, position))
