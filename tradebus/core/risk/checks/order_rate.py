"""Limit how many orders leave in a time."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from tradebus.core.engine.state.risk import (
    NS_PER_MS,
    PER_ENGINE,
    PER_EXCHANGE,
    WINDOW_MS_MAX,
    WINDOW_ORDERS_MAX,
)
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.limits import LimitError, whole_number

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class OrderRate(RiskCheck):
    """Refuse an order when as many were sent lately, by whoever, as the limit allows; amends count, cancels do not.

    Engine time decides, and the times are in the state: a replay refuses the same orders. Parameters: ``orders_max`` in
    any ``window_ms`` milliseconds, ``per`` ``engine`` (all together; the default) or ``exchange`` (each by itself).
    """

    def __init__(self, id: str, params: Mapping[str, str], index: IndexedInstruments) -> None:
        self._id: Final = id
        unknown = sorted(set(params) - {"orders_max", "window_ms", "per"})
        if unknown:
            raise LimitError(f"risk check {id}: expected orders_max, window_ms and per, found {unknown}")
        self._orders_max: Final = whole_number(id, "orders_max", params.get("orders_max", ""), WINDOW_ORDERS_MAX)
        self._window_ns: Final = whole_number(id, "window_ms", params.get("window_ms", ""), WINDOW_MS_MAX) * NS_PER_MS
        per = params.get("per", PER_ENGINE)
        if per not in {PER_ENGINE, PER_EXCHANGE}:
            raise LimitError(f"risk check {id}: per: expected {PER_ENGINE!r} or {PER_EXCHANGE!r}, found {per!r}")
        self._is_per_exchange: Final = per == PER_EXCHANGE

    @property
    def id(self) -> str:
        """Return the check's id."""
        return self._id

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Count the orders in the window that ends now, with this one."""
        known = state.risk.check(self._id)
        if known is None or not known.sent:
            return "expected a window in the state, found none: the engine was not started with this check"
        exchange = request.key.exchange
        count = known.sent_lately(exchange, state.time_ns) + 1
        for other in earlier:
            if not self._is_per_exchange or other.key.exchange == exchange:
                count += 1
        if count > self._orders_max:
            window_ms = self._window_ns // NS_PER_MS
            return f"expected at most {self._orders_max} orders in {window_ms} ms, found {count} with this one"
        return ""
