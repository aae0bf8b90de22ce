"""Keep one order on a simulated book: how much is filled, what it binds, and how much stands before it."""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.number import ONE, ZERO
from tradebus.core.model.order import OrderRequestAmend, OrderRequestOpen
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side


@final
class RestingOrder(Record):
    """An accepted order. ``quantity`` is what may fill, ``reserve_price`` the price its reserve is computed at.

    ``queue_ahead`` is the amount before it at its price, none while its price was never the best on its side.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("request", "id", "reserve_price", "quantity", "filled", "queue_ahead")

    def __init__(self, request: OrderRequestOpen, id: OrderId, reserve_price: Decimal, quantity: Decimal) -> None:
        self.request: Final = request
        self.id: Final = id
        self.reserve_price: Final = reserve_price
        self.quantity: Final = quantity
        self.filled = ZERO
        self.queue_ahead: Decimal | None = None

    def copied(self) -> "RestingOrder":
        """Return the order as it is now."""
        order = RestingOrder(self.request, self.id, self.reserve_price, self.quantity)
        order.filled = self.filled
        order.queue_ahead = self.queue_ahead
        return order

    def amended(self, amend: OrderRequestAmend) -> "RestingOrder":
        """Return the order at another price or of another quantity, filled as it is.

        One that only gets smaller keeps its place in the queue; any other stands at the end of one.
        """
        old = self.request
        price = old.price if amend.price is None else amend.price
        quantity = old.quantity if amend.quantity is None else amend.quantity
        request = OrderRequestOpen(old.key, old.side, price, quantity, old.kind, old.time_in_force)
        order = RestingOrder(request, self.id, price, quantity)
        order.filled = self.filled
        if self.keeps_place(order):
            order.queue_ahead = self.queue_ahead
        return order

    def keeps_place(self, amended: "RestingOrder") -> bool:
        """Tell whether an amended order stands where this one did."""
        return amended.request.price == self.request.price and amended.quantity <= self.quantity

    def remaining(self) -> Decimal:
        """Return what may still fill."""
        return self.quantity - self.filled

    def required(self, fee: Decimal) -> Decimal:
        """Return what the unfilled part binds: quote with fees for a buy, base for a sell."""
        if self.request.side is Side.BUY:
            return self.reserve_price * self.remaining() * (ONE + fee)
        return self.remaining()

    def is_reached_by(self, price: Decimal) -> bool:
        """Tell whether the opposite side at ``price`` would trade with this order."""
        return price <= self.request.price if self.request.side is Side.BUY else price >= self.request.price

    def see_queue(self, displayed: Decimal | None) -> None:
        """Take in the amount displayed at the order's price; a queue only gets shorter before us."""
        if displayed is None:
            return
        if self.queue_ahead is None or displayed < self.queue_ahead:
            self.queue_ahead = displayed

    def pass_queue(self, amount: Decimal) -> Decimal:
        """Let a trade use up the queue first; return what of it reaches this order."""
        ahead = self.queue_ahead
        if ahead is None:
            return amount
        used = min(ahead, amount)
        self.queue_ahead = ahead - used
        return amount - used
