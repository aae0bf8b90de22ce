"""What a market event carries: trades, books, candles, liquidations of ``market.proto``.

A level is no message of its own: books are read millions of times, and each message inside one costs a fifth of it. So
the best bid and ask are four texts, and the levels of a whole book are lists of prices and of amounts, of one length.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tradebus.core.market.event import (
    BookL1,
    BookL2Snapshot,
    BookL2Update,
    Candle,
    Level,
    Liquidation,
    MarketData,
    PublicTrade,
)
from tradebus.wire.codec.error import EncodeError, Inconsistent, InvalidNumber
from tradebus.wire.codec.number import given_from_text
from tradebus.wire.codec.order import SIDES
from tradebus.wire.codec.parts import nothing_set, text
from tradebus.wire.pb.v1 import market_pb2 as pb


def market_data_to_pb(data: MarketData, into: pb.MarketEvent) -> None:
    """Fill an event with what it carries; raises EncodeError for data that the contract does not know."""
    if isinstance(data, PublicTrade):
        into.trade.SetInParent()
        _trade_to_pb(data, into.trade)
    elif isinstance(data, BookL1):
        book_l1_to_pb(data, into.book_l1)
    elif isinstance(data, BookL2Snapshot):
        into.book_l2_snapshot.SetInParent()
        _book_l2_to_pb(data, into.book_l2_snapshot)
    elif isinstance(data, BookL2Update):
        into.book_l2_update.SetInParent()
        _book_l2_to_pb(data, into.book_l2_update)
    elif isinstance(data, Candle):
        into.candle.SetInParent()
        _candle_to_pb(data, into.candle)
    elif isinstance(data, Liquidation):
        into.liquidation.SetInParent()
        _liquidation_to_pb(data, into.liquidation)
    else:
        raise EncodeError(f"expected market data of the contract, found {type(data).__name__}")


def market_data_from_pb(message: pb.MarketEvent) -> MarketData:
    """Return what an event carries; raises DecodeError."""
    which = message.WhichOneof("data")
    if which == "trade":
        return _trade_from_pb(message.trade)
    if which == "book_l1":
        return book_l1_from_pb(message.book_l1)
    if which == "book_l2_snapshot":
        snapshot = message.book_l2_snapshot
        bids, asks = _sides_from_pb(snapshot, which)
        return BookL2Snapshot(snapshot.sequence, _time_engine_ns(snapshot), bids, asks)
    if which == "book_l2_update":
        update = message.book_l2_update
        bids, asks = _sides_from_pb(update, which)
        return BookL2Update(update.sequence, _time_engine_ns(update), bids, asks)
    if which == "candle":
        return _candle_from_pb(message.candle)
    if which == "liquidation":
        return _liquidation_from_pb(message.liquidation)
    raise nothing_set("data", message)


def _trade_to_pb(trade: PublicTrade, into: pb.PublicTrade) -> None:
    into.id = trade.id
    into.price = str(trade.price)
    into.amount = str(trade.amount)
    into.side = SIDES.to_pb(trade.side)


def _trade_from_pb(message: pb.PublicTrade) -> PublicTrade:
    return PublicTrade(
        text(message.id, "trade.id"),
        given_from_text(message.price, "trade.price"),
        _amount_from_text(message.amount, "trade.amount"),
        SIDES.from_pb(message.side, "trade.side"),
    )


def book_l1_to_pb(book: BookL1, into: pb.BookL1) -> None:
    """Fill a message with the best bid and ask."""
    into.SetInParent()
    bid, ask = book.best_bid, book.best_ask
    if bid is not None:
        into.best_bid_price = str(bid.price)
        into.best_bid_amount = str(bid.amount)
    if ask is not None:
        into.best_ask_price = str(ask.price)
        into.best_ask_amount = str(ask.amount)


def book_l1_from_pb(message: pb.BookL1) -> BookL1:
    """Return the best bid and ask; raises DecodeError."""
    return BookL1(
        _level_from_text(message.best_bid_price, message.best_bid_amount, "book_l1.best_bid"),
        _level_from_text(message.best_ask_price, message.best_ask_amount, "book_l1.best_ask"),
    )


def _level_from_text(price: str, amount: str, path: str) -> Level | None:
    if not price and not amount:
        return None
    return Level(given_from_text(price, f"{path}_price"), _amount_from_text(amount, f"{path}_amount"))


def _amount_from_text(written: str, path: str) -> Decimal:
    """Return how much of something there is: nobody offers less than nothing. Raises InvalidNumber."""
    amount = given_from_text(written, path)
    if written[0] == "-" and amount:
        raise InvalidNumber(f"expected 0 or more, found {written!r}", path)
    return amount


def _book_l2_to_pb(book: BookL2Snapshot | BookL2Update, into: pb.BookL2Snapshot | pb.BookL2Update) -> None:
    into.sequence = book.sequence
    if book.time_engine_ns is not None:
        into.time_engine_ns = book.time_engine_ns
    into.bid_prices.extend([str(level.price) for level in book.bids])
    into.bid_amounts.extend([str(level.amount) for level in book.bids])
    into.ask_prices.extend([str(level.price) for level in book.asks])
    into.ask_amounts.extend([str(level.amount) for level in book.asks])


def _time_engine_ns(message: pb.BookL2Snapshot | pb.BookL2Update) -> int | None:
    return message.time_engine_ns if message.HasField("time_engine_ns") else None


def _sides_from_pb(
    message: pb.BookL2Snapshot | pb.BookL2Update, path: str
) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    return (
        _levels_from_texts(message.bid_prices, message.bid_amounts, f"{path}.bid"),
        _levels_from_texts(message.ask_prices, message.ask_amounts, f"{path}.ask"),
    )


def _levels_from_texts(prices: Sequence[str], amounts: Sequence[str], path: str) -> tuple[Level, ...]:
    if len(prices) != len(amounts):
        raise Inconsistent(
            f"expected as many amounts as the {len(prices)} prices, found {len(amounts)}", f"{path}_amounts"
        )
    return tuple(_levels(zip(prices, amounts, strict=True), path))


def _levels(pairs: Iterable[tuple[str, str]], path: str) -> Iterable[Level]:
    for i, (price, amount) in enumerate(pairs):
        yield Level(given_from_text(price, f"{path}_prices[{i}]"), _amount_from_text(amount, f"{path}_amounts[{i}]"))


def _candle_to_pb(candle: Candle, into: pb.Candle) -> None:
    into.close_time_ns = candle.close_time_ns
    into.open = str(candle.open)
    into.high = str(candle.high)
    into.low = str(candle.low)
    into.close = str(candle.close)
    into.volume = str(candle.volume)
    into.trade_count = candle.trade_count


def _candle_from_pb(message: pb.Candle) -> Candle:
    return Candle(
        message.close_time_ns,
        given_from_text(message.open, "candle.open"),
        given_from_text(message.high, "candle.high"),
        given_from_text(message.low, "candle.low"),
        given_from_text(message.close, "candle.close"),
        given_from_text(message.volume, "candle.volume"),
        message.trade_count,
    )


def _liquidation_to_pb(liquidation: Liquidation, into: pb.Liquidation) -> None:
    into.side = SIDES.to_pb(liquidation.side)
    into.price = str(liquidation.price)
    into.quantity = str(liquidation.quantity)


def _liquidation_from_pb(message: pb.Liquidation) -> Liquidation:
    return Liquidation(
        SIDES.from_pb(message.side, "liquidation.side"),
        given_from_text(message.price, "liquidation.price"),
        _amount_from_text(message.quantity, "liquidation.quantity"),
    )
