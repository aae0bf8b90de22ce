"""Keep the price of orders near the market: a collar against slipped digits and runaway prices."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.risk.calculate import abs_percent_difference
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.limits import Limits

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class PriceBand(RiskCheck):
    """Refuse an order whose price is further from the market's than a fraction of it (0.05 is 5 %), on either side.

    Market orders too: their price is the one they were decided at. Without a market price above 0, or with one that
    may be stale because events were lost, nothing passes. Parameters: fractions by instrument or as ``default``.
    """

    def __init__(self, id: str, params: Mapping[str, str], index: IndexedInstruments) -> None:
        self._id: Final = id
        self._limits: Final = Limits(id, params, index, None)

    @property
    def id(self) -> str:
        """Return the check's id."""
        return self._id

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Compare the order's price with the market's."""
        instrument = state.instruments[request.key.instrument]
        limit = self._limits.of(request.key.instrument)
        market = instrument.price()
        if market is None:
            return f"expected a price within {limit:f} of the market's, found no market price"
        if instrument.data.is_stale:
            return f"expected a price within {limit:f} of the market's, found a stale market price"
        if market <= ZERO:
            return f"expected a price within {limit:f} of the market's, found a market price of {market:f}"
        distance = abs_percent_difference(request.price, market)
        if distance is None or distance > limit:
            return f"expected a price within {limit:f} of the market's {market:f}, found {request.price:f}"
        return ""
