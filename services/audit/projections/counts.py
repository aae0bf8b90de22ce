"""Count what the ticks of a journal say: events by kind, and what was decided."""

import re
from collections.abc import Mapping
from typing import Final, final

from tradebus.core.engine.audit.tick import RequestsDecided
from tradebus.core.engine.event import TradeReceived
from tradebus.core.market.event import BookL1, BookL2Snapshot, BookL2Update, Candle, Liquidation, PublicTrade

_MARKET_KINDS: Final = (PublicTrade, BookL1, BookL2Update, BookL2Snapshot, Candle, Liquidation)
_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def kind_name(kind: type) -> str:
    """Return the name of an event's or state's class as the API spells it: ``PublicTrade`` is ``public_trade``."""
    return _BORDER.sub("_", kind.__name__).lower()


@final
class Counts:
    """Counts since the journal's first tick. Each tick is one event, of the kind that says most of it."""

    def __init__(self) -> None:
        self._kinds: dict[type, int] = {}
        self.orders_sent = 0
        self.orders_failed = 0
        self.orders_refused = 0
        self.cancels_sent = 0
        self.cancels_failed = 0
        self.cancels_refused = 0
        self.positions_exited = 0
        self.halts = 0
        self.duplicates = 0
        """Account events that had been applied before and so changed nothing."""

    def add(self, kind: type, count: int = 1) -> None:
        """Count events of a kind: their class, or that of what a market or account event carries."""
        self._kinds[kind] = self._kinds.get(kind, 0) + count

    def add_requests(self, output: RequestsDecided) -> None:
        """Count what became of the requests of one origin."""
        self.orders_sent += len(output.opens_sent)
        self.orders_failed += len(output.opens_failed)
        self.orders_refused += len(output.opens_refused)
        self.cancels_sent += len(output.cancels_sent)
        self.cancels_failed += len(output.cancels_failed)
        self.cancels_refused += len(output.cancels_refused)

    def kinds(self) -> dict[type, int]:
        """Return how many events of each kind there were."""
        return dict(self._kinds)

    def restore(self, kinds: Mapping[type, int]) -> None:
        """Go on from these counts."""
        self._kinds = dict(kinds)

    @property
    def market_events(self) -> int:
        """Return how many public trades, books, candles and liquidations the engine processed."""
        return sum(self._kinds.get(kind, 0) for kind in _MARKET_KINDS)

    @property
    def fills(self) -> int:
        """Return how many fills there were."""
        return self._kinds.get(TradeReceived, 0)

    def by_kind(self) -> dict[str, int]:
        """Return how many events of each kind there were, by name, names in order."""
        return dict(sorted((kind_name(kind), count) for kind, count in self._kinds.items()))
