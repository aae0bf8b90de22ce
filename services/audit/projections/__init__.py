"""What grows with the journal and is not state: fills, closed positions, the life of orders, counts.

Built tick by tick beside the replica, so always as of the same sequence, and bounded in memory.
"""

from services.audit.projections.batches import BatchIndex
from services.audit.projections.commands import CommandOutcome, Commands, CommandStatus
from services.audit.projections.counts import Counts, kind_name
from services.audit.projections.exits import Exit, Exits
from services.audit.projections.fills import Fill, Fills
from services.audit.projections.links import ExchangeHistory, LinkHistory, Links
from services.audit.projections.order_life import OrderLife, OrderStatus, OrderStep, StepKind
from services.audit.projections.orders import Orders
from services.audit.projections.projections import Projections
from services.audit.projections.risk import RiskHistory, RiskSetup
from services.audit.projections.trading import TradingChange, TradingHistory

__all__ = [
    "BatchIndex",
    "CommandOutcome",
    "CommandStatus",
    "Commands",
    "Counts",
    "ExchangeHistory",
    "Exit",
    "Exits",
    "Fill",
    "Fills",
    "LinkHistory",
    "Links",
    "OrderLife",
    "OrderStatus",
    "OrderStep",
    "Orders",
    "Projections",
    "RiskHistory",
    "RiskSetup",
    "StepKind",
    "TradingChange",
    "TradingHistory",
    "kind_name",
]
