"""Say what every venue connector looks like: the same parts with the same names.

A venue is a folder with ``messages.py`` (its frames, typed), ``translate.py`` (frames to our events, pure) and
``client.py`` (a `Venue`: how it is addressed, subscribed and limited). Connections, deadlines, backoff and watchdogs
are the same for all of them and live beside this module.

Raw recordings go through the same translator as the live feed:

    translator = venue.translator(exchange, subscriptions, sequences, tally)
    events = translator.translate(raw, time_received_ns)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, NamedTuple, Protocol

from services.market.venues.errors import FrameError, VenueConnectionError
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.tally import FrameTally, UnknownKind
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex, InstrumentIndex


class SubscriptionKind(Enum):
    """What can be listened to at some venue; which of them a connector offers it says in `Venue.kinds`.

    Values are the reference's names, as configuration spells them.
    """

    PUBLIC_TRADES = "public_trades"
    ORDER_BOOKS_L1 = "order_books_l1"
    ORDER_BOOKS_L2 = "order_books_l2"
    ORDER_BOOKS_L3 = "order_books_l3"
    LIQUIDATIONS = "liquidations"
    CANDLES = "candles"


class Subscription(NamedTuple):
    """One instrument's one kind of data. ``symbol`` is the venue's own name for it, in the case that it sends back."""

    instrument: InstrumentIndex
    symbol: str
    kind: SubscriptionKind


class SubscribeRequest(NamedTuple):
    """A message to send after connecting, with the id by which the venue answers it."""

    id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """One websocket to open: where, what to send, for which subscriptions."""

    url: str
    requests: tuple[SubscribeRequest, ...]
    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True, slots=True)
class VenueLimits:
    """What the venue allows a client; exceeding it ends connections or bans addresses."""

    streams_per_connection_max: int
    messages_per_second_max: int
    """Messages from us per connection, pings and pongs included."""


class Translator(ABC):
    """Turn raw frames of one venue into market events. Pure but for its counts and the sequences it was given."""

    tally: FrameTally

    @abstractmethod
    def translate(self, raw: bytes, time_received_ns: int) -> tuple[MarketEvent, ...]:
        """Return the events of one frame, in order; none for frames that carry no market data (they are counted).

        ``raw`` is the JSON text of the frame, ``time_received_ns`` when it came (UTC, nanoseconds since the epoch).

        Raises FrameError: MalformedFrame, UnidentifiableFrame or ErrorReply. The translator stays usable, and the
        caller counts the error with ``tally.count_failed``.
        """


class SubscriptionValidator(ABC):
    """Watch the frames after subscribing until the venue has acknowledged everything."""

    @property
    @abstractmethod
    def is_complete(self) -> bool:
        """Whether every acknowledgement is in."""

    @abstractmethod
    def accept(self, raw: bytes) -> bool:
        """Take a frame; return whether it was an answer to us (False: it is data, keep it for later).

        Raises SubscribeRefused when the venue refuses.
        """


class Venue(ABC):
    """What is peculiar to one venue. Stateless: one object serves any number of connections."""

    exchange: ClassVar[ExchangeId]
    url_ws: ClassVar[str]
    """The venue's own websocket address; another one may be given to `plan`."""
    limits: ClassVar[VenueLimits]
    kinds: ClassVar[frozenset[SubscriptionKind]]

    @abstractmethod
    def plan(self, subscriptions: Iterable[Subscription], url: str | None = None) -> list[ConnectionPlan]:
        """Return the connections that the subscriptions need within the venue's limits, duplicates removed.

        Raises UnsupportedSubscription for a kind the venue does not offer, ValueError for no subscription at all.
        """

    @abstractmethod
    def validator(self, plan: ConnectionPlan) -> SubscriptionValidator:
        """Return a fresh validator for one connection attempt."""

    @abstractmethod
    def translator(
        self,
        exchange: ExchangeIndex,
        subscriptions: Iterable[Subscription],
        sequences: InstrumentSequences,
        tally: FrameTally,
    ) -> Translator:
        """Return a translator for these subscriptions, fresh for each connection (some venues' are stateful)."""

    @abstractmethod
    def symbol_of(self, raw: bytes) -> str | None:
        """Return the symbol that a recorded data frame is about, None for a frame that names none."""


class FeedSink(Protocol):
    """Where a feed delivers: called from the event loop, in order, and must not block.

    An exception from here is our own mistake: it stops the feed and comes out of ``VenueFeed.wait``.
    """

    def on_events(self, events: Sequence[MarketEvent]) -> None:
        """Take the events of one frame, in order; never empty."""
        ...

    def on_reconnecting(self, event: MarketReconnecting) -> None:
        """Take the marker that a connection was lost: after its last event, before the first of the next one."""
        ...

    def on_frame_error(self, error: FrameError) -> None:
        """Take a frame that could not be translated (already counted)."""
        ...

    def on_unknown_kind(self, unknown: UnknownKind) -> None:
        """Take the first frame of a kind we do not know: each kind once."""
        ...

    def on_attempt_failed(self, error: VenueConnectionError, retry_in_ms: int) -> None:
        """Take a failed attempt to restore a connection: informative, the feed tries again by itself."""
        ...
