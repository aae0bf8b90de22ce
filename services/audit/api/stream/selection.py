"""What a reader wants of the stream: topics, instruments, and how often the market may come."""

from dataclasses import dataclass
from typing import Final

from services.audit.api.stream.event import ALL_TOPICS, OF_INSTRUMENT, StreamEvent, Topic

RATE_DEFAULT: Final = 10.0
RATE_MIN: Final = 0.1
RATE_MAX: Final = 20.0


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter. ``instruments`` are indices, none is all; they select among the topics that are of an instrument.

    ``max_rate`` is how often a second the market of an instrument is told at most; it bounds nothing else.
    """

    topics: frozenset[Topic] = ALL_TOPICS
    instruments: frozenset[int] | None = None
    max_rate: float = RATE_DEFAULT

    def has_instrument(self, instrument: int) -> bool:
        """Tell whether an instrument is selected."""
        return self.instruments is None or instrument in self.instruments

    def has(self, event: StreamEvent) -> bool:
        """Tell whether an event is selected."""
        return event.topic in self.topics and (
            self.instruments is None or event.topic not in OF_INSTRUMENT or event.instrument in self.instruments
        )

    @property
    def has_market(self) -> bool:
        """Tell whether market data are selected."""
        return Topic.MARKET in self.topics
