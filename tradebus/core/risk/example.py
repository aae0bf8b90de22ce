"""A risk manager to begin from: a limit for an order's value, and a collar around the market for market orders.

Source: barter 0.12.5 ``examples/engine_sync_with_risk_manager_open_order_checks.rs``.
"""

from decimal import Decimal
from typing import TYPE_CHECKING, Final, final

from tradebus.core.engine.audit.tick import RefusedOpen
from tradebus.core.model.instrument import InstrumentKind
from tradebus.core.model.order import OrderKind, OrderRequestCancel, OrderRequestOpen
from tradebus.core.risk.calculate import abs_percent_difference, quote_notional
from tradebus.core.risk.check import CheckHigherThan
from tradebus.core.risk.interface import RiskDecision, RiskManager

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState

NO_OPTIONS: Final = "RiskManager cannot check Options orders without a strike price"
NOTIONAL_FAILED: Final = "RiskManager max_notional_per_instrument failed"
PRICE_FAILED: Final = "RiskManager max_market_order_price_percent_from_market failed"


@final
class ExampleRiskManager(RiskManager):
    """Approves every cancel; refuses options, orders worth too much, and market orders priced far from the market.

    ``notional_max`` is in quote, ``price_fraction_max`` a fraction of the market's price (0.1 is 10 %). What is exactly
    at a limit passes; what cannot be calculated does not.
    """

    def __init__(self, notional_max: Decimal = Decimal(50), price_fraction_max: Decimal = Decimal("0.1")) -> None:
        self._notional: Final = CheckHigherThan(notional_max)
        self._price: Final = CheckHigherThan(price_fraction_max)

    def check(
        self, state: "EngineState", cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        """Judge each order by itself."""
        approved: list[OrderRequestOpen] = []
        refused: list[RefusedOpen] = []
        for request in opens:
            reason = self._problem(state, request)
            if reason:
                refused.append(RefusedOpen(request, reason))
            else:
                approved.append(request)
        return RiskDecision(cancels, tuple(approved), (), tuple(refused))

    def _problem(self, state: "EngineState", request: OrderRequestOpen) -> str:
        found = state.instruments[request.key.instrument]
        contract = found.instrument.definition.contract
        if contract.kind is InstrumentKind.OPTION:
            return NO_OPTIONS
        notional = quote_notional(request.quantity, request.price, contract.contract_size)
        if notional is None or not self._notional.passes(notional):
            return NOTIONAL_FAILED
        if request.kind is not OrderKind.MARKET:
            return ""
        market = found.price()
        distance = None if market is None else abs_percent_difference(request.price, market)
        return "" if distance is not None and self._price.passes(distance) else PRICE_FAILED
