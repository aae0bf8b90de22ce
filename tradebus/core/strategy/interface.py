"""Say what a strategy is: decisions over a state it may read and never change.

Source: barter 0.12.5 ``strategy``; here a strategy also sees the event, may set timers, and may hand out patches of
what it remembers. Hooks return requests and never receive the engine.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.command import InstrumentFilter
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, ExchangeIndex, StrategyId
from tradebus.core.model.order import OrderRequestAmend, OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.record import Record

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class Decision(Record):
    """What a strategy wants: cancels, orders, timers (id, due time in ns) to set, ids to clear, patches of its data.

    Requests keep their order; cancels go out first, then amends, then orders.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("cancels", "opens", "timers_set", "timers_cleared", "patches", "amends")

    def __init__(
        self,
        cancels: Sequence[OrderRequestCancel] = (),
        opens: Sequence[OrderRequestOpen] = (),
        timers_set: Sequence[tuple[str, int]] = (),
        timers_cleared: Sequence[str] = (),
        patches: Sequence[tuple[str, object]] = (),
        amends: Sequence[OrderRequestAmend] = (),
    ) -> None:
        self.cancels: Final = cancels
        self.opens: Final = opens
        self.timers_set: Final = timers_set
        self.timers_cleared: Final = timers_cleared
        self.patches: Final = patches
        self.amends: Final = amends


@mypyc_attr(allow_interpreted_subclasses=True)
class Strategy:
    """Base of strategies; subclass it in ordinary Python. The base trades nothing.

    Every method reads ``state`` and returns what it wants; None means nothing. What must be remembered between events
    goes into the ``StrategyData`` that ``initial_data`` returns, reached by ``state.strategy_data(self.id)``.
    """

    @property
    def id(self) -> StrategyId:
        """Return the name under which orders and fills are attributed to this strategy."""
        return STRATEGY_UNKNOWN

    def initial_data(self) -> StrategyData:
        """Return what the strategy remembers before the first event."""
        return StrategyData()

    def generate_algo_orders(self, state: "EngineState", event: EngineEvent) -> Decision | None:
        """Decide after an event; called for every event while trading is enabled."""
        return None

    def close_positions_requests(self, state: "EngineState", selection: InstrumentFilter) -> Decision | None:
        """Decide how to close the selected positions; the base sends market orders against each."""
        from tradebus.core.strategy.close import close_with_market_orders  # noqa: PLC0415 - it needs this module

        return close_with_market_orders(state, selection, self.id)

    def on_disconnect(self, state: "EngineState", exchange: ExchangeIndex) -> Decision | None:
        """Decide after a link of an exchange was lost; called for every such event, enabled or not."""
        return None

    def on_trading_disabled(self, state: "EngineState") -> Decision | None:
        """Decide after trading went from enabled to disabled."""
        return None

    def __reduce__(self) -> NoReturn:
        """Refuse copy and pickle, which would silently lose the attributes of a subclass."""
        raise TypeError(f"{type(self).__name__}: make strategies from their setup instead of copying them")
