"""Generate the order flow of simulated exchanges: seeded, deterministic, in virtual time."""

from services.market.flow.looped import LoopedFlow
from services.market.flow.order_flow import OrderFlow
from services.market.flow.params import FlowParams, lag_of

__all__ = ["FlowParams", "LoopedFlow", "OrderFlow", "lag_of"]
