"""What became of a message of the journal: how much was taken in, or why the fold could not go on."""

from dataclasses import dataclass
from enum import Enum

from services.audit.verification import Check
from tradebus.journal.verify import JournalDamaged
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import ChainBroken, ChainMismatch, ChecksumMismatch, HeaderMissing


class BreakKind(Enum):
    """Why the fold could not go on. The first four are the journal's fault, the last two ours or the operator's."""

    CHECKSUM = 1
    CHAIN = 2
    MALFORMED = 3
    GAP = 4
    NOT_APPLICABLE = 5
    WRONG_MODE = 6


@dataclass(frozen=True, slots=True)
class Break:
    """Where and why the fold stopped: the message that it stopped at, and the last tick it has."""

    kind: BreakKind
    reason: str
    stream_sequence: int
    sequence: int


@dataclass(slots=True)
class Counted:
    """How much of the journal is in the state, also what an earlier process took in."""

    ticks: int = 0
    batches: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message: how many ticks were applied, the hash comparison if one was due, the break if it broke.

    All empty for a message after a break.
    """

    ticks: int = 0
    check: Check | None = None
    broke: Break | None = None


def kind_of(error: JournalDamaged) -> BreakKind:
    """Return what damaged a journal, from what the verifier found."""
    cause = error.__cause__
    if isinstance(cause, ChecksumMismatch | HeaderMissing):
        return BreakKind.CHECKSUM
    if isinstance(cause, ChainMismatch | ChainBroken):
        return BreakKind.CHAIN
    if isinstance(cause, DecodeError):
        return BreakKind.MALFORMED
    return BreakKind.GAP
