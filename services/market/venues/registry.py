"""Find the connector of an exchange, by its id or by the name of a recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Final

from services.market.venues.binance_spot import BinanceSpot
from services.market.venues.interface import Venue
from tradebus.core.model.identifiers import ExchangeId

_VENUES: Final[dict[ExchangeId, Callable[[], Venue]]] = {ExchangeId.BINANCE_SPOT: BinanceSpot}


def exchanges_supported() -> list[ExchangeId]:
    """Return the exchanges that have a connector, in declaration order."""
    return [exchange for exchange in ExchangeId if exchange in _VENUES]


def find_venue(exchange: ExchangeId) -> Venue:
    """Return the connector of an exchange; raises LookupError naming the ones there are."""
    make = _VENUES.get(exchange)
    if make is None:
        names = ", ".join(each.value for each in exchanges_supported())
        raise LookupError(f"expected an exchange with a market data connector ({names}), found {exchange.value}")
    return make()


def venue_of_recording(path: PurePath) -> Venue:
    """Return the connector whose frames a raw recording holds, from its name's prefix (``binance-spot-...``).

    The longest prefix counts, because one exchange's name may begin another's. Raises LookupError naming the file and
    the prefixes there are.
    """
    by_prefix = {exchange.value.replace("_", "-"): exchange for exchange in exchanges_supported()}
    for prefix in sorted(by_prefix, key=len, reverse=True):
        if path.name.startswith(f"{prefix}-"):
            return find_venue(by_prefix[prefix])
    expected = ", ".join(f"{prefix}-" for prefix in by_prefix)
    raise LookupError(f"expected a recording whose name begins with {expected}, found {path.name}")
