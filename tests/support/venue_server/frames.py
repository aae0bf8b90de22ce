"""Build Binance spot frames by hand, in the format of the venue's public documentation.

Prices and quantities are decimal text with eight places, times integer milliseconds since the epoch: exactly what
goes over the wire. A frame here is the *raw* payload; `in_envelope` adds the combined-stream envelope.

Source: Binance spot API documentation, "WebSocket Streams".
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

TRADE_CHANNEL: Final = "trade"
BOOK_TICKER_CHANNEL: Final = "bookTicker"
DEPTH_CHANNEL: Final = "depth@100ms"

Levels: TypeAlias = Iterable[tuple[str, str]]


def price_text(value: Decimal | int | str) -> str:
    """Return a price or quantity as the venue writes it: plain notation, eight decimal places."""
    return f"{Decimal(value):.8f}"


def stream_name(symbol: str, channel: str) -> str:
    """Return the stream's name: the symbol in lower case, ``@``, the channel (``btcusdt@trade``)."""
    return f"{symbol.lower()}@{channel}"


def trade_frame(
    symbol: str,
    trade_id: int,
    price: str,
    quantity: str,
    *,
    time_ms: int,
    buyer_is_maker: bool,
    event_time_ms: int | None = None,
) -> bytes:
    """Return the payload of ``<symbol>@trade``; ``buyer_is_maker`` means that a seller was the aggressor."""
    return msgspec.json.encode(
        {
            "e": "trade",
            "E": time_ms if event_time_ms is None else event_time_ms,
            "s": symbol,
            "t": trade_id,
            "p": price,
            "q": quantity,
            "T": time_ms,
            "m": buyer_is_maker,
            "M": True,
        }
    )


def book_ticker_frame(
    symbol: str, update_id: int, *, bid: str, bid_quantity: str, ask: str, ask_quantity: str
) -> bytes:
    """Return the payload of ``<symbol>@bookTicker``: best bid and ask with their quantities, and no time at all."""
    return msgspec.json.encode({"u": update_id, "s": symbol, "b": bid, "B": bid_quantity, "a": ask, "A": ask_quantity})


def depth_update_frame(
    symbol: str, first_update_id: int, last_update_id: int, *, time_ms: int, bids: Levels, asks: Levels
) -> bytes:
    """Return the payload of ``<symbol>@depth@100ms``: changed levels, quantity zero removes one."""
    return msgspec.json.encode(
        {
            "e": "depthUpdate",
            "E": time_ms,
            "s": symbol,
            "U": first_update_id,
            "u": last_update_id,
            "b": [list(level) for level in bids],
            "a": [list(level) for level in asks],
        }
    )


def depth_snapshot(last_update_id: int, *, bids: Levels, asks: Levels) -> bytes:
    """Return the body of ``GET /api/v3/depth``: levels best first."""
    return msgspec.json.encode(
        {
            "lastUpdateId": last_update_id,
            "bids": [list(level) for level in bids],
            "asks": [list(level) for level in asks],
        }
    )


def in_envelope(stream: str, payload: bytes) -> bytes:
    """Return the payload in the envelope of combined streams: ``{"stream":...,"data":...}``."""
    return b'{"stream":' + msgspec.json.encode(stream) + b',"data":' + payload + b"}"
