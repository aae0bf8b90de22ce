"""Read raw recordings of venues' feeds as market events."""

from services.market.recording.discover import RecordedInstrument, discover_instruments, split_symbol
from services.market.recording.reader import RecordedEvents, RecordingsRefused, read_recordings
from services.market.recording.report import BadLine, DamagedFile, RecordingReport

__all__ = [
    "BadLine",
    "DamagedFile",
    "RecordedEvents",
    "RecordedInstrument",
    "RecordingReport",
    "RecordingsRefused",
    "discover_instruments",
    "read_recordings",
    "split_symbol",
]
