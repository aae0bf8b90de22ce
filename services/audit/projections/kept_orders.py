"""Keep the lives of orders: the active ones always, finished ones until ``finished_max`` came after them."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from services.audit.projections.order_life import STATUS_OF, OrderLife, OrderStatus
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.order import (
    Order,
)


class KeptOrders:
    """The active orders and the newest finished ones, by client order id."""

    def __init__(self, finished_max: int) -> None:
        self.finished_max: Final = finished_max
        self.lives: dict[ClientOrderId, OrderLife] = {}
        self._finished: deque[ClientOrderId] = deque()
        self.count = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self.lives)

    def get(self, cid: str) -> OrderLife | None:
        """Return an order's life, none where it is not kept or never was."""
        return self.lives.get(ClientOrderId(cid))

    def newest_first(self, before: int | None = None) -> Iterator[OrderLife]:
        """Yield orders from the last one made back, only those with numbers below ``before``."""
        for life in reversed(self.lives.values()):
            if before is None or life.number < before:
                yield life

    def oldest_first(self, after: int = 0) -> Iterator[OrderLife]:
        """Yield orders from the first one kept on, only those with numbers above ``after``."""
        for life in self.lives.values():
            if life.number > after:
                yield life

    def frozen(self) -> tuple[list[str], int, int]:
        """Return which orders are finished, in that order, and the counts of all orders and of those let go."""
        return [str(cid) for cid in self._finished], self.count, self.dropped

    def restore(self, lives: list[OrderLife], finished: list[str], count: int, dropped: int) -> None:
        """Go on from these orders, the first made first."""
        self.lives = {life.order.key.cid: life for life in lives}
        self._finished = deque(ClientOrderId(cid) for cid in finished)
        self.count = count
        self.dropped = dropped

    def begin(self, order: Order, status: OrderStatus) -> OrderLife:
        """Begin the life of an order that was not there before, and return it; it has no steps yet."""
        self.count += 1
        life = OrderLife(self.count, order, status)
        self.lives[order.key.cid] = life
        return life

    def tracked(self, order: Order, state: EngineState) -> Order | None:
        """Return an order as the state has it, none where the state holds it no more."""
        return state.instruments[order.key.instrument].orders.get(order.key.cid)

    def follow(self, life: OrderLife, state: EngineState) -> bool:
        """Take over what the state says of an order; tell whether it still holds it."""
        tracked = self.tracked(life.order, state)
        if tracked is None:
            return False
        if not life.status.is_active:
            self._finished.remove(life.order.key.cid)  # a late report brought it back
        life.order = tracked
        life.status = STATUS_OF[type(tracked.state)]
        return True

    def finish(self, life: OrderLife) -> None:
        """Count an order as finished, and let the oldest finished one go where there are too many."""
        self._finished.append(life.order.key.cid)
        if len(self._finished) > self.finished_max:
            del self.lives[self._finished.popleft()]
            self.dropped += 1
