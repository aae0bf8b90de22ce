"""Give requests their client order ids: derived from engine, epoch, sequence and ordinal, so that a replay agrees."""

from typing import Final, final

from tradebus.core.engine.check import CheckedRequests
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.identifiers import ClientOrderId, client_order_id
from tradebus.core.model.order import OrderKey, OrderRequestOpen


@final
class OrderNames:
    """The ids that the orders of an engine get; ``sequence`` is that of the step."""

    def __init__(self, engine_id: str, epoch: int) -> None:
        self._engine_id: Final = engine_id
        self._epoch: Final = epoch
        self._sequence = -1
        self._ordinal = 0

    def name(self, state: EngineState, checked: CheckedRequests, sequence: int) -> CheckedRequests:
        """Give the requests without a client order id theirs, passing over ids that are in use."""
        named: list[OrderRequestOpen] = []
        chosen = {request.key.cid for request in checked.opens}
        for request in checked.opens:
            key = request.key
            if key.cid:
                named.append(request)
                continue
            cid = self._next(sequence)
            while cid in chosen or cid in state.instruments[key.instrument].orders:
                cid = self._next(sequence)
            named.append(
                OrderRequestOpen(
                    OrderKey(key.exchange, key.instrument, key.strategy, cid),
                    request.side,
                    request.price,
                    request.quantity,
                    request.kind,
                    request.time_in_force,
                )
            )
        return CheckedRequests(checked.cancels, tuple(named), checked.cancels_refused, checked.opens_refused)

    def _next(self, sequence: int) -> ClientOrderId:
        if sequence != self._sequence:
            self._sequence = sequence
            self._ordinal = 0
        cid = client_order_id(self._engine_id, self._epoch, sequence, self._ordinal)
        self._ordinal += 1
        return cid
