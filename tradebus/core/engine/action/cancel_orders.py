"""Cancel every active order of some instruments.

Source: barter 0.12.5 ``engine/action/cancel_orders.rs``.
"""

from tradebus.core.engine.command import InstrumentFilter
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.order import OrderRequestCancel, cancel_request


def cancel_requests(state: EngineState, selection: InstrumentFilter) -> tuple[OrderRequestCancel, ...]:
    """Return cancels for the active orders of the selected instruments; those being cancelled already are skipped.

    In instrument index order, within an instrument in the order the orders were made.
    """
    requests: list[OrderRequestCancel] = []
    for instrument in state.matching(selection):
        for order in instrument.orders.values():
            request = cancel_request(order)
            if request is not None:
                requests.append(request)
    return tuple(requests)
