"""Say what is wrong with market data that this process made: what comes over the wire is checked by its codec."""

from decimal import Decimal

from tradebus.core.market.event import BookL2Snapshot, BookL2Update, Candle, Level, Liquidation, MarketData


def data_fault(data: MarketData) -> str:
    """Return why books of levels, candles and liquidations cannot be taken in, empty if they can.

    A number that is none, or is a float, would be found in the middle of a change.
    """
    if isinstance(data, BookL2Update):
        return _levels_fault("bids", data.bids) or _levels_fault("asks", data.asks)
    if isinstance(data, BookL2Snapshot):
        return _levels_fault("bids", data.bids) or _levels_fault("asks", data.asks)
    if isinstance(data, Candle):
        for price in (data.open, data.high, data.low, data.close, data.volume):
            if not is_number(price):
                return f"candle: expected finite Decimals, found {price!r:.80}"
    elif isinstance(data, Liquidation) and not (is_number(data.price) and is_number(data.quantity)):
        return f"liquidation: expected finite Decimals, found {data.price!r:.80} and {data.quantity!r:.80}"
    return ""


def is_number(value: object) -> bool:
    """Tell whether a value is a finite Decimal."""
    return isinstance(value, Decimal) and type(value) is Decimal and value.is_finite()


def _levels_fault(name: str, levels: tuple[Level, ...]) -> str:
    for level in levels:
        if not (is_number(level.price) and is_number(level.amount)):
            return f"{name}: expected finite Decimals, found {level.price!r:.80} and {level.amount!r:.80}"
        if level.amount < 0:
            return f"{name}: expected an amount of 0 or more at {level.price}, found {level.amount}"
    return ""
