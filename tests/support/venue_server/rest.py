"""The REST side of the venue: what a public client asks before it listens.

Answers ``/api/v3/ping``, ``/time``, ``/exchangeInfo`` and ``/depth`` in the venue's documented format, and errors
as ``{"code":..,"msg":..}`` with status 400. Needs no key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
from aiohttp import web

_INVALID_SYMBOL: Final = -1121
_MANDATORY_PARAMETER: Final = -1102
_ILLEGAL_VALUE: Final = -1100
_LIMIT_DEFAULT: Final = 100
_LIMIT_MAX: Final = 5000
_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BTC", "ETH", "EUR")


class MarketSource(Protocol):
    """Where the symbols and the depth snapshots come from: generated flow, or a recording."""

    def symbols(self) -> list[str]:
        """Return the names of all symbols, upper case."""
        ...

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """Return the body of the depth snapshot, None for a symbol without one."""
        ...


def add_routes(app: web.Application, source: MarketSource) -> None:
    """Add the REST routes, answering from ``source``."""
    rest = _Rest(source)
    app.router.add_get("/api/v3/ping", rest.ping)
    app.router.add_get("/api/v3/time", rest.time)
    app.router.add_get("/api/v3/exchangeInfo", rest.exchange_info)
    app.router.add_get("/api/v3/depth", rest.depth)


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return base and quote asset of a symbol (``BTCUSDT`` gives ``BTC``, ``USDT``).

    Raises ValueError when the symbol ends in no quote asset known here.
    """
    for quote in _QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    raise ValueError(f"expected a symbol that ends in one of {', '.join(_QUOTES)}, found {symbol!r}")


class _Rest:
    def __init__(self, source: MarketSource, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._source = source
        self._now_ms = now_ms

    async def ping(self, _: web.Request) -> web.Response:
        return _json({})

    async def time(self, _: web.Request) -> web.Response:
        return _json({"serverTime": self._now_ms()})

    async def exchange_info(self, request: web.Request) -> web.Response:
        symbols = self._source.symbols()
        wanted = request.query.get("symbol")
        if wanted is not None:
            if wanted not in symbols:
                return _refuse(_INVALID_SYMBOL, "Invalid symbol.")
            symbols = [wanted]
        return _json(
            {
                "timezone": "UTC",
                "serverTime": self._now_ms(),
                "rateLimits": [
                    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}
                ],
                "exchangeFilters": [],
                "symbols": [_symbol_info(symbol) for symbol in symbols],
            }
        )

    async def depth(self, request: web.Request) -> web.Response:
        symbol = request.query.get("symbol")
        if symbol is None:
            return _refuse(
                _MANDATORY_PARAMETER,
                "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
            )
        limit_text = request.query.get("limit", str(_LIMIT_DEFAULT))
        if not limit_text.isdigit() or not 0 < int(limit_text) <= _LIMIT_MAX:
            return _refuse(_ILLEGAL_VALUE, "Illegal characters found in parameter 'limit'.")
        body = self._source.snapshot(symbol, int(limit_text))
        if body is None:
            return _refuse(_INVALID_SYMBOL, "Invalid symbol.")
        return web.Response(body=body, content_type="application/json")


def _symbol_info(symbol: str) -> dict[str, object]:
    base, quote = split_symbol(symbol)
    order_types: Sequence[str] = ("LIMIT", "LIMIT_MAKER", "MARKET")
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(order_types),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": "0.01000000",
                "maxPrice": "1000000.00000000",
                "tickSize": "0.01000000",
            },
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
            {
                "filterType": "NOTIONAL",
                "minNotional": "5.00000000",
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
    }


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")


def _refuse(code: int, message: str) -> web.Response:
    return web.Response(
        body=msgspec.json.encode({"code": code, "msg": message}), status=400, content_type="application/json"
    )
