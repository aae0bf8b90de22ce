"""Binance spot: public trades and best bid and ask."""

from services.market.venues.binance_spot.client import BinanceSpot
from services.market.venues.binance_spot.translate import BinanceSpotTranslator

__all__ = ["BinanceSpot", "BinanceSpotTranslator"]
