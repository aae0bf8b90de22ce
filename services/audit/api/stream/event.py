"""What a stream carries, and what names a place in it."""

import re
from enum import StrEnum
from typing import Final, NamedTuple, final


class Topic(StrEnum):
    """What an event is about; it is the event's name on the wire."""

    TRADING = "trading"
    CONNECTIVITY = "connectivity"
    ASSET = "asset"
    ORDER = "order"
    POSITION = "position"
    TRADE = "trade"
    MARKET = "market"
    STATS = "stats"
    COMMAND = "command"


OF_INSTRUMENT: Final = frozenset({Topic.ORDER, Topic.POSITION, Topic.TRADE, Topic.MARKET, Topic.STATS})
"""Topics whose events are of one instrument, so that a filter by instrument selects among them."""

ALL_TOPICS: Final = frozenset(Topic)
NO_INSTRUMENT: Final = -1

SNAPSHOT: Final = "snapshot"
"""Name of the event that says how everything stands; what comes after it says what changed."""
RESET: Final = "reset"
"""Name of the event that says that something was left out, so that a snapshot comes next."""

WHOLE_TICK: Final = 1 << 30
"""An ordinal behind that of every event of a tick."""

_ID: Final = re.compile(r"(0|[1-9][0-9]{0,17})(?:\.(0|[1-9][0-9]{0,5}))?(?:@([0-9a-f]{8}))?")


class Mark(NamedTuple):
    """A place in the stream: behind the event ``ordinal`` (from 0) of the tick ``sequence``, or behind the whole tick.

    As an event's id it is the tick's sequence, or ``sequence.ordinal`` where more of the same tick follows, and behind
    ``@`` the name of the engine's run, if it is known: sequences begin anew with a journal.
    """

    sequence: int
    ordinal: int = WHOLE_TICK
    run: str = ""

    def __str__(self) -> str:
        place = str(self.sequence) if self.ordinal == WHOLE_TICK else f"{self.sequence}.{self.ordinal}"
        return f"{place}@{self.run}" if self.run else place


def mark_from_text(text: str) -> Mark:
    """Return the mark that an event's id names. Raises ValueError for anything else."""
    match = _ID.fullmatch(text)
    if match is None:
        raise ValueError(f"expected the id of an event, a sequence such as 1234 or 1234.0, found {text[:40]!r}")
    sequence, ordinal, run = match.groups()
    return Mark(int(sequence), WHOLE_TICK if ordinal is None else int(ordinal), run or "")


@final
class StreamEvent:
    """One change that a tick made, encoded once for all readers.

    ``data`` is JSON without line breaks: sequence, engine time, and the view. ``ordinal`` counts the events of a tick
    from 0; ``instrument`` is an index, or ``NO_INSTRUMENT``.
    """

    __slots__ = ("data", "instrument", "ordinal", "sequence", "topic")

    def __init__(self, sequence: int, ordinal: int, topic: Topic, instrument: int, data: bytes) -> None:
        self.sequence = sequence
        self.ordinal = ordinal
        self.topic = topic
        self.instrument = instrument
        self.data = data

    @property
    def mark(self) -> Mark:
        """Return the place behind this event."""
        return Mark(self.sequence, self.ordinal)


class Message(NamedTuple):
    """What one reader is sent: the event's id, its name, and its data as JSON. No id: the reader's place stays."""

    id: str | None
    name: str
    data: bytes
