"""Limit what everything held is worth, over all instruments of a quote asset."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final, final

from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import DECIMAL_MAX, ZERO
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.holding import reach_of
from tradebus.core.risk.limits import LimitAsset, Limits
from tradebus.core.risk.price import value_in_quote

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class MaxExposure(RiskCheck):
    """Refuse an order that could bring the gross exposure beyond a limit in quote, were all orders filled.

    The exposure is the sum over the instruments of one quote asset, on all exchanges, of the furthest that each can be
    held, long or short, at its mark price; without one above 0, at the highest that it was or is to be traded at. An
    order that does not add to it passes. Parameters: limits by quote asset (``usdt``) or as ``default``.
    """

    def __init__(self, id: str, params: Mapping[str, str], index: IndexedInstruments) -> None:
        self._id: Final = id
        self._limits: Final = Limits(id, params, index, LimitAsset.QUOTE)

    @property
    def id(self) -> str:
        """Return the check's id."""
        return self._id

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Compare the exposure with this order and without it."""
        subject = state.instruments[request.key.instrument]
        quote = subject.instrument.definition.quote.name_internal
        before = _furthest_value(subject, request, earlier)
        added = _furthest_value(subject, request, [*earlier, request]) - before
        if added <= ZERO:
            return ""
        total = added
        for found in state.instruments:
            if found.instrument.definition.quote.name_internal == quote:
                total += before if found is subject else _furthest_value(found, None, earlier)
        limit = self._limits.of(request.key.instrument)
        return (
            f"expected an exposure of at most {limit:f} {quote}, found that it could become {total:f}"
            if total > limit
            else ""
        )


def _furthest_value(
    found: InstrumentState, request: OrderRequestOpen | None, earlier: Sequence[OrderRequestOpen]
) -> Decimal:
    furthest = reach_of(found, earlier).furthest()
    if not furthest:
        return ZERO
    price = found.price_mark()
    if price is None or price <= ZERO:
        # A price of nothing, or less, must not make what is held look like nothing.
        price = _highest_price(found, earlier if request is None else [*earlier, request])
    value = value_in_quote(found.instrument, furthest, price)
    return DECIMAL_MAX if value is None else value


def _highest_price(found: InstrumentState, earlier: Sequence[OrderRequestOpen]) -> Decimal:
    """Return the highest price among an instrument's orders: what nobody has traded yet is worth at most that."""
    prices = [abs(order.price) for order in found.orders.values()]
    position = found.position
    if position is not None:
        prices.append(abs(position.price_entry_average))
    prices += [request.price for request in earlier if request.key.instrument == found.instrument.index]
    return max(prices)
