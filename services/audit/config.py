"""What the audit service needs of the configuration, and the limits it keeps to."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Self

from services.runtime.ports import Listening
from tradebus.config import Address, Settings
from tradebus.config.sections.modes import Mode
from tradebus.core.model.number import ZERO
from tradebus.wire import subjects


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept in memory of what grows for ever, in rows; the newest stay.

    A fill takes about 0.8 KB, a finished order 1.7 KB, a closed position 0.7 KB: 60 MB in all, beside the 100 MB of the
    process itself and the 90 MB of the one that answers about the past. Older rows are in the journal, and an answer
    says how many there were.
    """

    fills: int = 40_000
    orders: int = 15_000
    exits: int = 5_000
    commands: int = 2_000


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much one caller of the API may ask, and send at once."""

    requests_per_s: int
    body_bytes_max: int


@dataclass(frozen=True, slots=True)
class LagLimits:
    """When the replica counts as behind: more than ``ms_max`` of the journal is not applied yet.

    The end of the stream is looked up every ``poll_s``.
    """

    ms_max: int = 2_000
    poll_s: float = 0.25


@dataclass(frozen=True, slots=True)
class ArchiveConfig:
    """Where the journal is kept, and how.

    ``sync_s`` is how long at most something waits to be on disk. ``sets_aside``: an archive of another stream than the
    one that is there now is put aside without asking, as the demo begins anew as often as somebody likes.
    """

    folder: Path
    engine: str
    segment_bytes: int
    sync_s: float
    checkpoint_ticks: int
    sets_aside: bool

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Take what is needed from the configuration; None where no archive is kept."""
        if not settings.audit.archive or settings.mode is Mode.REPLAY:
            return None
        return cls(
            folder=settings.runtime.data_dir / "audit" / settings.journal_id,
            engine=settings.journal_id,
            segment_bytes=settings.audit.segment_bytes,
            sync_s=settings.audit.sync_ms / 1000,
            checkpoint_ticks=settings.audit.checkpoint_ticks,
            sets_aside=settings.mode is Mode.DEMO,
        )


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """The settings of one audit service, taken from those of the system."""

    stream: str
    """The engine's journal."""
    mode: str
    """What the journal must be of; one of another mode is refused."""
    api: Listening
    reading_without_key: bool
    keys_file: Path
    requests: RequestLimits
    grpc: Listening | None = None
    commands_file: Path | None = None
    """Where the commands that were taken are kept; None where none are."""
    risk_free_return: Decimal = ZERO
    """A fraction per year of 365 days, for statistics."""
    limits: Limits = Limits()
    lag: LagLimits = LagLimits()
    archive: ArchiveConfig | None = None
    """None: nothing is kept on disk, and a restart reads the whole stream."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Take what is needed from the configuration."""
        return cls(
            stream=subjects.audit_stream(settings.journal_id),
            mode=settings.mode.value,
            api=Listening(settings.api.listen, "the REST API and the web page", "api.listen"),
            reading_without_key=settings.api.reading_without_key,
            keys_file=settings.api_keys_file(),
            requests=RequestLimits(settings.api.requests_per_s, settings.api.body_bytes_max),
            grpc=None if settings.api.grpc_listen is None else grpc_listening(settings.api.grpc_listen),
            commands_file=_commands_file(settings),
            risk_free_return=settings.risk_free_return,
            archive=ArchiveConfig.of(settings),
        )


def grpc_listening(address: Address) -> Listening:
    """Return where gRPC is to listen."""
    return Listening(address, "gRPC", "api.grpc_listen")


def _commands_file(settings: Settings) -> Path | None:
    """Return where the commands that were taken are kept; a replay takes none."""
    if settings.mode is Mode.REPLAY:
        return None
    return settings.runtime.data_dir / "audit" / f"{settings.journal_id}.commands.ndjson"
