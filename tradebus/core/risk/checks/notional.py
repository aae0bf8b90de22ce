"""Limit what one order may be worth."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.limits import LimitAsset, Limits
from tradebus.core.risk.price import value_in_quote

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class MaxOrderNotional(RiskCheck):
    """Refuse an order worth more than a limit in quote: quantity x price x contract size, an option at its strike.

    An inverse contract is worth its size, at any price.

    Parameters: limits by quote asset (``usdt``), by instrument or as ``default``.
    """

    def __init__(self, id: str, params: Mapping[str, str], index: IndexedInstruments) -> None:
        self._id: Final = id
        self._limits: Final = Limits(id, params, index, LimitAsset.QUOTE)

    @property
    def id(self) -> str:
        """Return the check's id."""
        return self._id

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Compare the order's value."""
        instrument = state.instruments[request.key.instrument].instrument
        notional = value_in_quote(instrument, request.quantity, request.price)
        limit = self._limits.of(request.key.instrument)
        if notional is None:
            return f"expected a value of at most {limit:f}, found one beyond all numbers"
        if notional > limit:
            return (
                f"expected a value of at most {limit:f} {instrument.definition.quote.name_internal}, found {notional:f}"
            )
        return ""
