"""Generate an endless, seeded flow of consistent Binance frames: a small order book per symbol that is traded on.

Every frame follows from the book: a trade happens at the best price and takes from it, a book ticker is sent when the
best level changes, a depth update holds the levels changed since the last one with gap-free update ids, and the
snapshot is the book itself. The same seed gives the same frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

from tests.support.venue_server.frames import (
    BOOK_TICKER_CHANNEL,
    DEPTH_CHANNEL,
    TRADE_CHANNEL,
    Levels,
    book_ticker_frame,
    depth_snapshot,
    depth_update_frame,
    stream_name,
    trade_frame,
)

_DEPTH_LEVELS: Final = 20
_STEPS_PER_DEPTH_UPDATE: Final = 10
_TRADE_PROBABILITY: Final = 0.3
_QUANTITY_LOTS_MAX: Final = 500_000
_START_MS: Final = 1_700_000_000_000


class StreamFrame(NamedTuple):
    """One raw payload and the stream that it belongs to."""

    stream: str
    payload: bytes


class SymbolBook:
    """The order book of one symbol: prices in ticks of 0.01, quantities in lots of 0.00001, both integers."""

    def __init__(self, symbol: str, mid_ticks: int, rng: Random) -> None:
        self.symbol = symbol
        self.update_id = 0
        self.trade_id = 0
        self._rng = rng
        self._bids = {mid_ticks - 1 - offset: self._quantity() for offset in range(_DEPTH_LEVELS)}
        self._asks = {mid_ticks + 1 + offset: self._quantity() for offset in range(_DEPTH_LEVELS)}
        self._changed: dict[tuple[str, int], int] = {}
        self._first_update_id = 1
        self._steps = 0

    def step(self, time_ms: int) -> Iterator[StreamFrame]:
        """Change the book once, at ``time_ms``, and yield the frames that the venue would send for it."""
        best_before = self._best()
        if self._rng.random() < _TRADE_PROBABILITY:
            yield self._trade(time_ms)
        else:
            self._place()
        self.update_id += 1
        if self._best() != best_before:
            yield StreamFrame(stream_name(self.symbol, BOOK_TICKER_CHANNEL), self._ticker())
        self._steps += 1
        if self._steps % _STEPS_PER_DEPTH_UPDATE == 0:
            yield StreamFrame(stream_name(self.symbol, DEPTH_CHANNEL), self._depth_update(time_ms))

    def snapshot(self, limit: int) -> bytes:
        """Return the REST depth snapshot of the best ``limit`` levels of each side."""
        return depth_snapshot(
            self.update_id,
            bids=_levels(sorted(self._bids.items(), reverse=True)[:limit]),
            asks=_levels(sorted(self._asks.items())[:limit]),
        )

    def _quantity(self) -> int:
        return self._rng.randint(1, _QUANTITY_LOTS_MAX)

    def _best(self) -> tuple[int, int, int, int]:
        bid, ask = max(self._bids), min(self._asks)
        return bid, self._bids[bid], ask, self._asks[ask]

    def _trade(self, time_ms: int) -> StreamFrame:
        buyer_is_maker = self._rng.random() < 0.5
        side, levels = ("b", self._bids) if buyer_is_maker else ("a", self._asks)
        price = max(levels) if buyer_is_maker else min(levels)
        quantity = self._rng.randint(1, levels[price])
        self._set(side, price, levels[price] - quantity)
        self.trade_id += 1
        payload = trade_frame(
            self.symbol,
            self.trade_id,
            _price(price),
            _lots(quantity),
            time_ms=time_ms,
            buyer_is_maker=buyer_is_maker,
        )
        return StreamFrame(stream_name(self.symbol, TRADE_CHANNEL), payload)

    def _place(self) -> None:
        bid, _, ask, _ = self._best()
        offset = self._rng.randint(0, _DEPTH_LEVELS)
        if self._rng.random() < 0.5:
            self._set("b", min(bid + 1, ask - 1) - offset, self._quantity())
        else:
            self._set("a", max(ask - 1, bid + 1) + offset, self._quantity())

    def _set(self, side: str, price: int, quantity: int) -> None:
        levels = self._bids if side == "b" else self._asks
        levels[price] = quantity
        if quantity == 0:
            del levels[price]
        self._changed[side, price] = quantity
        if not levels:  # the last order of a side was taken: somebody quotes again, two ticks further away
            further = price - 2 if side == "b" else price + 2
            self._set(side, further, self._quantity())

    def _ticker(self) -> bytes:
        bid, bid_quantity, ask, ask_quantity = self._best()
        return book_ticker_frame(
            self.symbol,
            self.update_id,
            bid=_price(bid),
            bid_quantity=_lots(bid_quantity),
            ask=_price(ask),
            ask_quantity=_lots(ask_quantity),
        )

    def _depth_update(self, time_ms: int) -> bytes:
        changed, self._changed = self._changed, {}
        first, self._first_update_id = self._first_update_id, self.update_id + 1
        return depth_update_frame(
            self.symbol,
            first,
            self.update_id,
            time_ms=time_ms,
            bids=_levels([(price, lots) for (side, price), lots in changed.items() if side == "b"]),
            asks=_levels([(price, lots) for (side, price), lots in changed.items() if side == "a"]),
        )


class GeneratedFlow:
    """A seeded flow over several symbols, one book each, on one clock of milliseconds."""

    def __init__(self, symbols: Sequence[str], *, seed: int = 0, start_ms: int = _START_MS) -> None:
        self._rng = Random(seed)
        self._time_ms = start_ms
        self._books = {
            symbol: SymbolBook(symbol, self._rng.randint(10_000, 9_000_000), self._rng) for symbol in symbols
        }

    def frames(self, count: int) -> Iterator[StreamFrame]:
        """Yield the next frames of all symbols, at least ``count`` (a step's frames stay together)."""
        made = 0
        symbols = list(self._books)
        while made < count:
            self._time_ms += self._rng.randint(0, 20)
            for frame in self._books[self._rng.choice(symbols)].step(self._time_ms):
                made += 1
                yield frame

    def symbols(self) -> list[str]:
        """Return the symbols, in the order given."""
        return list(self._books)

    def snapshot(self, symbol: str, limit: int) -> bytes | None:
        """Return the REST depth snapshot of a symbol as of the last frame made, None for an unknown symbol."""
        book = self._books.get(symbol)
        return None if book is None else book.snapshot(limit)


def _price(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02d}000000"


def _lots(lots: int) -> str:
    return f"{lots // 100_000}.{lots % 100_000:05d}000"


def _levels(levels: Sequence[tuple[int, int]]) -> Levels:
    return [(_price(price), _lots(lots)) for price, lots in levels]
