"""What this version can do of what a configuration can say. The rest is refused, never ignored."""

from typing import Final

from tradebus.core.model.identifiers import ExchangeId

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

RISK_CHECKS: Final[tuple[str, ...]] = ()
"""Risk checks that can be run."""

RISK_CHECKS_PLANNED: Final = ("max_order_notional", "max_position", "price_band", "order_rate")
"""Names that have a meaning but no check behind them yet: a limit that nobody enforces must not look enforced."""
