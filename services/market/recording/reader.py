"""Read raw recordings of several files as one feed of market events.

A recording holds one message a line, ``<receive time, ns since the epoch> <raw JSON>``, as its recorder got it. Its
exchange follows from the prefix of the file's name, its instruments from the frames. The frames go through the same
translator as the live feed's.

Order of the merged feed: (receive time, file, line), files in the order given. Clocks step backwards, and a file must
not be reordered within itself; so a line counts as received no earlier than the lines above it: the running maximum
decides the place, while the event keeps the time that was recorded.

An event's ``sequence`` is its position in the merged feed, from 1: what a replay is resumed by.
"""

import heapq
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self, final

from services.market.recording.lines import LINE_BYTES_MAX, DamagedRecording, read_lines
from services.market.recording.report import BadLine, DamagedFile, RecordingReport
from services.market.venues.errors import FrameError, excerpt
from services.market.venues.interface import Subscription, SubscriptionKind, Translator, Venue
from services.market.venues.registry import venue_of_recording
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.tally import FrameTally
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import ExchangeIndexError, IndexedInstruments

_TIME_DIGITS: Final = 19  # nanoseconds since the epoch, from 2001 to 2286: fewer digits are another unit or a cut line


class RecordingsRefused(ValueError):
    """Recordings that cannot be read at all; nothing was. ``problems`` names each file with what is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class _Line(NamedTuple):
    """A line in its place: ordered by the first three, which no two lines share."""

    place_ns: int
    file: int
    number: int
    received_ns: int
    frame: bytes


def read_recordings(paths: Iterable[Path], index: IndexedInstruments) -> "RecordedEvents":
    """Return the events of the recordings' trades and best prices, merged; the report grows as they are taken.

    Bad lines and damaged files are reported and do not end the reading. Reading begins with the first event asked for.

    Raises RecordingsRefused, for all files at once: a file that is absent or given twice, a name without a known
    venue, a venue whose instruments are not in the index.
    """
    return RecordedEvents(list(paths), index)


@final
class RecordedEvents(Iterator[MarketEvent]):
    """The merged feed of some recordings; see `read_recordings`."""

    def __init__(self, paths: Sequence[Path], index: IndexedInstruments) -> None:
        tally = FrameTally()
        self.report: Final = RecordingReport(tally)
        self._paths: Final = paths
        self._translators: Final = _translators(paths, index, tally)
        self._tally: Final = tally
        self._events: Final = self._read()

    def __iter__(self) -> Self:
        """Return this reading, as of where it stands."""
        return self

    def __next__(self) -> MarketEvent:
        """Return the next event."""
        return next(self._events)

    def close(self) -> None:
        """Close the files without reading to their ends."""
        self._events.close()

    def _read(self) -> Generator[MarketEvent]:
        report = self.report
        for line in self._merged():
            try:
                events = self._translators[line.file].translate(line.frame, line.received_ns)
            except FrameError as error:
                self._tally.count_failed(error)
                report.add_bad_line(
                    BadLine(
                        self._paths[line.file].name,
                        line.number,
                        error.KIND,
                        f"{error.reason}: {excerpt(error.payload)}",
                    )
                )
                continue
            for event in events:
                report.events += 1
                yield MarketEvent(
                    event.time_exchange_ns,
                    event.time_received_ns,
                    event.exchange,
                    event.instrument,
                    report.events,
                    event.data,
                )

    def _merged(self) -> Iterator[_Line]:
        files = [self._lines(file) for file in range(len(self._paths))]
        return files[0] if len(files) == 1 else heapq.merge(*files)

    def _lines(self, file: int) -> Iterator[_Line]:
        report = self.report
        name = self._paths[file].name
        place_ns = 0
        number = 0
        try:
            for number, line in enumerate(read_lines(self._paths[file]), start=1):
                report.lines += 1
                time_text, separator, frame = line.partition(b" ")
                if not separator or len(time_text) != _TIME_DIGITS or not time_text.isdigit():
                    reason = f"expected '<receive time in ns> <JSON>', found {excerpt(line)!r}"
                    report.add_bad_line(BadLine(name, number, "no_time", reason))
                    continue
                if len(line) > LINE_BYTES_MAX:
                    reason = f"expected at most {LINE_BYTES_MAX} bytes, found more: {excerpt(line[:100])!r}"
                    report.add_bad_line(BadLine(name, number, "too_long", reason))
                    continue
                received_ns = int(time_text)
                if received_ns >= place_ns:
                    place_ns = received_ns
                else:
                    report.steps_back += 1
                yield _Line(place_ns, file, number, received_ns, frame)
        except DamagedRecording as damage:
            report.damaged_files.append(DamagedFile(name, number, damage.reason))


def _translators(paths: Sequence[Path], index: IndexedInstruments, tally: FrameTally) -> list[Translator]:
    """Return each file's translator, one for all files of an exchange. Raises RecordingsRefused."""
    if not paths:
        raise RecordingsRefused(["expected at least one recording, found none"])
    problems: list[str] = []
    by_exchange: dict[ExchangeId, Translator] = {}
    translators: list[Translator] = []
    seen: set[Path] = set()
    sequences = InstrumentSequences()
    for path in paths:
        try:
            _check_file(path, seen)
            venue = venue_of_recording(path)
            if venue.exchange not in by_exchange:
                by_exchange[venue.exchange] = _translator(venue, index, sequences, tally)
            translators.append(by_exchange[venue.exchange])
        except (OSError, LookupError, RecordingsRefused) as error:
            problems.append(f"{path}: {error}")
    if problems:
        raise RecordingsRefused(problems)
    return translators


def _check_file(path: Path, seen: set[Path]) -> None:
    real = path.resolve()
    if real in seen:
        raise RecordingsRefused(["given twice"])
    seen.add(real)
    with path.open("rb"):
        pass  # a folder, an absent file or one without permission is refused before anything is read


def _translator(
    venue: Venue, index: IndexedInstruments, sequences: InstrumentSequences, tally: FrameTally
) -> Translator:
    try:
        exchange = index.find_exchange_index(venue.exchange)
    except ExchangeIndexError as error:
        raise LookupError(f"no instrument of {venue.exchange.value} is configured: {error}") from error
    subscriptions = [
        Subscription(instrument.index, instrument.definition.name_exchange, kind)
        for instrument in index.instruments_of(exchange)
        for kind in (SubscriptionKind.PUBLIC_TRADES, SubscriptionKind.ORDER_BOOKS_L1)
    ]
    return venue.translator(exchange, subscriptions, sequences, tally)
