"""Say how Binance spot is addressed, subscribed to and limited.

Streams are named in lower case (``btcusdt@trade``), ids stay upper case (``@trade|BTCUSDT``). Each SUBSCRIBE message is
answered once, by its id. A connection carries at most 1,024 streams and takes at most five messages a second from us.

Source: Binance spot API documentation, "Websocket Limits"; market data specification, sections 4.1 and 7.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

import msgspec

from services.market.venues.binance_spot.messages import SubscribeMessage
from services.market.venues.binance_spot.replies import read_answer
from services.market.venues.binance_spot.translate import (
    BOOK_TICKER_CHANNEL,
    TRADE_CHANNEL,
    BinanceSpotTranslator,
    symbol_of,
)
from services.market.venues.errors import SubscribeRefused, UnsupportedSubscription
from services.market.venues.interface import (
    ConnectionPlan,
    SubscribeRequest,
    Subscription,
    SubscriptionKind,
    SubscriptionValidator,
    Translator,
    Venue,
    VenueLimits,
)
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.tally import FrameTally
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex

STREAMS_PER_REQUEST_MAX: Final = 200
"""A message of 1,024 names would be 25 kB; the venue's own limit is not documented, so requests stay small."""

_CHANNELS: Final = {
    SubscriptionKind.PUBLIC_TRADES: TRADE_CHANNEL,
    SubscriptionKind.ORDER_BOOKS_L1: BOOK_TICKER_CHANNEL,
}


class BinanceSpot(Venue):
    """Binance spot: public trades and best bid and ask."""

    exchange: ClassVar[ExchangeId] = ExchangeId.BINANCE_SPOT
    url_ws: ClassVar[str] = "wss://stream.binance.com:9443/ws"
    limits: ClassVar[VenueLimits] = VenueLimits(streams_per_connection_max=1024, messages_per_second_max=5)
    kinds: ClassVar[frozenset[SubscriptionKind]] = frozenset(_CHANNELS)

    def plan(self, subscriptions: Iterable[Subscription], url: str | None = None) -> list[ConnectionPlan]:
        """Return the connections needed, each with its SUBSCRIBE messages numbered from 1; see `Venue.plan`."""
        wanted = list({subscription_id(each): each for each in subscriptions}.values())
        if not wanted:
            raise ValueError("expected at least one subscription, found none")
        size = self.limits.streams_per_connection_max
        return [
            self._plan_one(wanted[first : first + size], self.url_ws if url is None else url)
            for first in range(0, len(wanted), size)
        ]

    def validator(self, plan: ConnectionPlan) -> SubscriptionValidator:
        """Return a fresh validator for one connection attempt."""
        return AcknowledgementsById(plan)

    def translator(
        self,
        exchange: ExchangeIndex,
        subscriptions: Iterable[Subscription],
        sequences: InstrumentSequences,
        tally: FrameTally,
    ) -> Translator:
        """Return a translator for these subscriptions."""
        return BinanceSpotTranslator(exchange, subscriptions, sequences, tally)

    def symbol_of(self, raw: bytes) -> str | None:
        """Return the symbol of a recorded data frame, None for a frame that names none."""
        return symbol_of(raw)

    def _plan_one(self, subscriptions: list[Subscription], url: str) -> ConnectionPlan:
        requests: list[SubscribeRequest] = []
        for first in range(0, len(subscriptions), STREAMS_PER_REQUEST_MAX):
            names = [stream_name(each) for each in subscriptions[first : first + STREAMS_PER_REQUEST_MAX]]
            message = SubscribeMessage("SUBSCRIBE", names, len(requests) + 1)
            requests.append(SubscribeRequest(message.id, msgspec.json.encode(message)))
        return ConnectionPlan(url, tuple(requests), tuple(subscriptions))


class AcknowledgementsById(SubscriptionValidator):
    """Waits for one success per request, told apart by id; any refusal ends it."""

    def __init__(self, plan: ConnectionPlan) -> None:
        self._url = plan.url
        self._awaited: set[int | str | None] = {request.id for request in plan.requests}

    @property
    def is_complete(self) -> bool:
        """Whether every request was acknowledged."""
        return not self._awaited

    def accept(self, raw: bytes) -> bool:
        """Take a frame; return whether it was an answer. Raises SubscribeRefused."""
        answer = read_answer(raw)
        if answer is None:
            return False
        if answer.error_text is not None:
            raise SubscribeRefused(BinanceSpot.exchange, self._url, answer.error_code, answer.error_text)
        self._awaited.discard(answer.id)
        return True


def stream_name(subscription: Subscription) -> str:
    """Return the stream's name as it is subscribed: ``btcusdt@trade``."""
    return subscription.symbol.lower() + _channel(subscription)


def subscription_id(subscription: Subscription) -> str:
    """Return the id by which frames find their subscription: ``@trade|BTCUSDT``."""
    return f"{_channel(subscription)}|{subscription.symbol}"


def _channel(subscription: Subscription) -> str:
    channel = _CHANNELS.get(subscription.kind)
    if channel is None:
        raise UnsupportedSubscription(BinanceSpot.exchange, subscription.kind.value)
    return channel
