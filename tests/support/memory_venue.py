"""A venue in this process: it does what a test tells it to, and remembers what it was asked."""

import asyncio
from decimal import Decimal

from services.execution.venue import Unanswered, Venue
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.order import (
    Cancelled,
    Open,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    order_from_request,
)


class MemoryVenue(Venue):
    """``is_silent``: it carries requests out and answers nothing. ``drops``: it does not even carry them out.

    ``gate`` holds up every submit, and the answer to every cancel, until it is set.
    """

    def __init__(self) -> None:
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.orders: dict[str, Order] = {}
        self.fills: list[Trade] = []
        self.is_silent = False
        self.drops = False
        self.refuses = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.queries = 0

    @property
    def landing_ns(self) -> int:
        return 0

    async def submit(self, request: OrderRequestOpen) -> Open | OrderError:
        self.submitted.append(request.key.cid)
        await self.gate.wait()
        if self.refuses:
            return OrderError(OrderErrorKind.ORDER_REJECTED, request.key.cid, "no")
        if not self.drops:
            state = Open(OrderId(str(len(self.orders) + 1)), 7, Decimal(0))
            self.orders[request.key.cid] = order_from_request(request).with_state(state)
            if not self.is_silent:
                return state
        raise Unanswered("submit", "nothing came")

    async def cancel(self, request: OrderRequestCancel) -> Cancelled | OrderError:
        self.cancelled.append(request.key.cid)
        order = self.orders.get(request.key.cid)
        if order is None:
            return OrderError(OrderErrorKind.ORDER_UNKNOWN, request.key.cid, "no such order")
        if self.drops:
            raise Unanswered("cancel", "nothing came")
        state = Cancelled(OrderId("1"), 8)
        self.orders[request.key.cid] = order.with_state(state)
        await self.gate.wait()
        if self.is_silent:
            raise Unanswered("cancel", "nothing came")
        return state

    async def amend(self, request: OrderRequestAmend) -> Open | OrderError:
        return OrderError(OrderErrorKind.ORDER_REJECTED, request.key.cid, "nothing is amended here")

    async def query(self, key: OrderKey) -> Order | None:
        self.queries += 1
        return self.orders.get(key.cid)

    async def open_orders(self) -> list[Order]:
        return [order for order in self.orders.values() if isinstance(order.state, Open)]

    async def trades(self, since_ns: int) -> list[Trade]:
        return [trade for trade in self.fills if trade.time_exchange_ns >= since_ns]
