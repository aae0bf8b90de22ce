"""What this version can do of what a configuration can say. The rest is refused, never ignored."""

from typing import Final

from tradebus.core.model.identifiers import ExchangeId
from tradebus.strategies.checks import BUILT_IN

CONNECTORS: Final = ("simulated",)
"""Execution connectors that can be run."""

GENERATED: Final = (ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA)
"""Exchanges whose market the generator makes; they exist nowhere else."""

LIVE_FEEDS: Final = (ExchangeId.BINANCE_SPOT,)
"""Exchanges with a live feed."""

RECORDED_FEEDS: Final = (ExchangeId.BINANCE_SPOT,)
"""Exchanges whose raw recordings can be replayed."""

KINDS: Final = ("spot",)
"""Instrument kinds that can be traded."""

RISK_CHECKS: Final = tuple(BUILT_IN)
"""Risk checks that come with the library; others are named by their class."""
