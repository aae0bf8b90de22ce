"""Turn Binance spot frames into market events: the same for the live feed and for raw recordings.

Most frames are told apart by their first bytes and decoded in one go; whatever that guess does not fit goes the slow
way, which looks at the members and finds the kind or the exact complaint. The guess decides speed, never the result.

Source: market data specification, section 7.1; barter 0.12.5, barter-data ``exchange/binance``.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import UNSET

from services.market.venues.binance_spot import messages
from services.market.venues.binance_spot.replies import answer_of
from services.market.venues.errors import ErrorReply, MalformedFrame, UnidentifiableFrame, UnsupportedSubscription
from services.market.venues.interface import Subscription, SubscriptionKind, Translator
from services.market.venues.sequences import InstrumentSequence, InstrumentSequences
from services.market.venues.tally import FrameTally
from tradebus.core.market.event import BookL1, Level, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeId, ExchangeIndex
from tradebus.core.model.number import ZERO, NumberError, parse_decimal
from tradebus.core.model.side import Side

EXCHANGE: Final = ExchangeId.BINANCE_SPOT
TRADE_CHANNEL: Final = "@trade"
BOOK_TICKER_CHANNEL: Final = "@bookTicker"
NANOSECONDS_PER_MILLISECOND: Final = 1_000_000

NOTHING: Final[tuple[MarketEvent, ...]] = ()
_NUMBERS_REMEMBERED_MAX: Final = 1 << 14

_trade_decoder: Final = msgspec.json.Decoder(messages.Trade)
_combined_trade_decoder: Final = msgspec.json.Decoder(messages.CombinedTrade)
_ticker_decoder: Final = msgspec.json.Decoder(messages.BookTicker)
_combined_ticker_decoder: Final = msgspec.json.Decoder(messages.CombinedBookTicker)
_depth_decoder: Final = msgspec.json.Decoder(messages.DepthUpdate)
_combined_depth_decoder: Final = msgspec.json.Decoder(messages.CombinedDepthUpdate)
_snapshot_decoder: Final = msgspec.json.Decoder(messages.DepthSnapshot)
_outline_decoder: Final = msgspec.json.Decoder(messages.Outline)
_text_decoder: Final = msgspec.json.Decoder(str)


class BinanceSpotTranslator(Translator):
    """Translator of trades and best bid and ask. Depth is decoded, and counted as skipped."""

    def __init__(
        self,
        exchange: ExchangeIndex,
        subscriptions: Iterable[Subscription],
        sequences: InstrumentSequences,
        tally: FrameTally,
    ) -> None:
        self.tally = tally
        self._exchange = exchange
        self._trades: dict[str, InstrumentSequence] = {}
        self._tickers: dict[str, InstrumentSequence] = {}
        for subscription in subscriptions:
            sequence = sequences.of(subscription.instrument)
            if subscription.kind is SubscriptionKind.PUBLIC_TRADES:
                self._trades[subscription.symbol] = sequence
            elif subscription.kind is SubscriptionKind.ORDER_BOOKS_L1:
                self._tickers[subscription.symbol] = sequence
            else:
                raise UnsupportedSubscription(EXCHANGE, subscription.kind.value)
        self._numbers: dict[str, Decimal] = {}

    def translate(self, raw: bytes, time_received_ns: int) -> tuple[MarketEvent, ...]:
        """Return the event of one frame, in the combined-stream envelope or raw; see `Translator.translate`."""
        # In {"stream":"btcusdt@trade","data":... the kind follows the "@"; a raw trade begins with its event type.
        try:
            if raw.startswith(b'{"stream":"'):
                at = raw.find(b"@", 11)
                if raw.startswith(b'@bookTicker"', at):
                    return self._book_ticker(_combined_ticker_decoder.decode(raw).data, raw, time_received_ns)
                if raw.startswith(b'@trade"', at):
                    return self._trade(_combined_trade_decoder.decode(raw).data, raw, time_received_ns)
                if raw.startswith(b"@depth@", at):
                    _combined_depth_decoder.decode(raw)
                    return self._skip("depth")
            elif raw.startswith(b'{"e":"trade"'):
                return self._trade(_trade_decoder.decode(raw), raw, time_received_ns)
            elif raw.startswith(b'{"u":'):
                return self._book_ticker(_ticker_decoder.decode(raw), raw, time_received_ns)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass  # the guess was wrong or the frame is; the slow way says which
        return self._by_members(raw, raw, time_received_ns, is_inner=False)

    def _trade(self, trade: messages.Trade, raw: bytes, time_received_ns: int) -> tuple[MarketEvent, ...]:
        route = self._trades.get(trade.symbol)
        if route is None:
            raise UnidentifiableFrame(EXCHANGE, f"{TRADE_CHANNEL}|{trade.symbol}", raw)
        price = self._number(trade.price, raw)
        amount = self._number(trade.quantity, raw)
        if not price or not amount:
            raise MalformedFrame(
                EXCHANGE, f"expected a trade with price and quantity above zero, found {price} and {amount}", raw
            )
        side = Side.SELL if trade.buyer_is_maker else Side.BUY
        return self._event(
            route,
            trade.time_ms * NANOSECONDS_PER_MILLISECOND,
            time_received_ns,
            "trade",
            PublicTrade(str(trade.trade_id), price, amount, side),
        )

    def _book_ticker(self, ticker: messages.BookTicker, raw: bytes, time_received_ns: int) -> tuple[MarketEvent, ...]:
        route = self._tickers.get(ticker.symbol)
        if route is None:
            raise UnidentifiableFrame(EXCHANGE, f"{BOOK_TICKER_CHANNEL}|{ticker.symbol}", raw)
        time_ms = ticker.time_ms
        return self._event(
            route,
            time_received_ns if time_ms is None else time_ms * NANOSECONDS_PER_MILLISECOND,
            time_received_ns,
            "l1",
            BookL1(
                self._level(ticker.bid, ticker.bid_quantity, raw),
                self._level(ticker.ask, ticker.ask_quantity, raw),
            ),
        )

    def _event(
        self,
        route: InstrumentSequence,
        time_exchange_ns: int,
        time_received_ns: int,
        kind: str,
        data: PublicTrade | BookL1,
    ) -> tuple[MarketEvent, ...]:
        route.last += 1
        counts = self.tally.events
        counts[kind] = counts.get(kind, 0) + 1
        return (MarketEvent(time_exchange_ns, time_received_ns, self._exchange, route.instrument, route.last, data),)

    def _level(self, price_text: str, amount_text: str, raw: bytes) -> Level | None:
        numbers = self._numbers
        price = numbers.get(price_text) or self._number(price_text, raw)
        amount = numbers.get(amount_text) or self._number(amount_text, raw)
        return Level(price, amount) if price else None

    def _number(self, text: str, raw: bytes) -> Decimal:
        """Parse strictly; prices and quantities of spot are never below zero.

        Nine in ten repeat from frame to frame, so the last ones are remembered.
        """
        number = self._numbers.get(text)
        if number is None:
            try:
                number = parse_decimal(text)
            except NumberError as error:
                raise MalformedFrame(EXCHANGE, str(error), raw) from error
            if number < ZERO:
                raise MalformedFrame(EXCHANGE, f"expected a number not below zero, found {number}", raw)
            if len(self._numbers) >= _NUMBERS_REMEMBERED_MAX:
                self._numbers.clear()
            self._numbers[text] = number
        return number

    def _skip(self, kind: str) -> tuple[MarketEvent, ...]:
        self.tally.count_skipped(kind)
        return NOTHING

    def _by_members(self, part: bytes, raw: bytes, time_received_ns: int, *, is_inner: bool) -> tuple[MarketEvent, ...]:
        """Translate ``part``, the frame ``raw`` itself or what its envelope holds, by looking at its members."""
        try:
            outline = _outline_decoder.decode(part)
        except msgspec.ValidationError:
            # JSON, but not an object: nothing the venue documents, and nothing to fail over.
            self.tally.count_unknown(f"not an object: {part.lstrip()[:1].decode('ascii', 'replace')}", raw)
            return NOTHING
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedFrame(EXCHANGE, f"expected JSON: {error}", raw) from error
        if outline.is_envelope and not is_inner:
            return self._by_members(bytes(outline.data), raw, time_received_ns, is_inner=True)  # type: ignore[arg-type]
        if outline.is_reply:
            return self._answer(part, raw)
        kind = _event_type(outline, raw)
        try:
            if kind == "trade":
                return self._trade(_trade_decoder.decode(part), raw, time_received_ns)
            if kind == "bookTicker" or outline.is_book_ticker:
                return self._book_ticker(_ticker_decoder.decode(part), raw, time_received_ns)
            if kind == "depthUpdate":
                _depth_decoder.decode(part)
                return self._skip("depth")
            if kind is None and outline.last_update_id is not UNSET:
                _snapshot_decoder.decode(part)
                return self._skip("depth_snapshot")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedFrame(EXCHANGE, str(error), raw) from error
        self.tally.count_unknown("object without event type" if kind is None else kind, raw)
        return NOTHING

    def _answer(self, part: bytes, raw: bytes) -> tuple[MarketEvent, ...]:
        answer = answer_of(part)
        if answer.error_text is None:
            return self._skip("acknowledgement")
        raise ErrorReply(EXCHANGE, answer.error_code, answer.error_text, raw)


def symbol_of(raw: bytes) -> str | None:
    """Return the symbol that a data frame is about (``BTCUSDT``), None for a frame that names none."""
    try:
        outline = _outline_decoder.decode(raw)
        if outline.data is not UNSET:
            outline = _outline_decoder.decode(outline.data)
        return None if outline.symbol is UNSET else _text_decoder.decode(outline.symbol)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _event_type(outline: messages.Outline, raw: bytes) -> str | None:
    """Return the frame's event type, None where it has none; raises MalformedFrame when it is not text."""
    if outline.event is UNSET:
        return None
    try:
        return _text_decoder.decode(outline.event)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedFrame(EXCHANGE, f"expected an event type in 'e': {error}", raw) from error
