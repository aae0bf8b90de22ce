"""Change what an order asks for: a second, smaller table beside that of its states.

An order that rests at a venue may get another price or quantity. While that is asked for, the order goes on as it is:
it fills, it is cancelled, it ends, as its own table says. Both what stands and what is asked for may then be true, so
that limits count the larger quantity. One amend at a time is asked for, and none while the fate of one is unknown: the
refusal of a second would not say what became of the first.

States (what each promises)
    none            the order's price and quantity are what the venue has
    in flight       an amend has left; the venue has not answered
    unknown         an amend has left, and no answer will come: either may be true

An order that is amended keeps its client order id. Where a venue gives it another id of its own, the answer says so.
"""

from decimal import Decimal
from enum import Enum
from typing import Final

from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.order import Amendment, Open, Order, open_part, with_open_part


class Amending(Enum):
    """What is asked for beside what stands."""

    NONE = 1
    IN_FLIGHT = 2
    UNKNOWN = 3


class AmendCause(Enum):
    """What happens to an amend."""

    REQUEST = 1
    ACCEPTED = 2
    REFUSED = 3
    IN_DOUBT = 4
    SEEN_AS_ASKED = 5
    SEEN_OTHERWISE = 6


class AmendMove(Enum):
    """What becomes of what the order asks for."""

    IGNORE = 1  # nothing changes
    ASK = 2  # the new values are asked for beside those that stand
    TAKE = 3  # the venue's values stand, nothing else is asked for
    DROP = 4  # the old values stand, nothing else is asked for
    DOUBT = 5  # no answer will come


A: Final = Amending
C: Final = AmendCause

AMEND_TABLE: Final[dict[tuple[Amending, AmendCause], AmendMove]] = {
    (A.NONE, C.REQUEST): AmendMove.ASK,
    (A.NONE, C.ACCEPTED): AmendMove.TAKE,  # the answer came after all
    (A.NONE, C.REFUSED): AmendMove.IGNORE,
    (A.NONE, C.IN_DOUBT): AmendMove.IGNORE,
    (A.NONE, C.SEEN_AS_ASKED): AmendMove.IGNORE,
    (A.NONE, C.SEEN_OTHERWISE): AmendMove.IGNORE,  # what we asked for stays, whatever a view says
    (A.IN_FLIGHT, C.REQUEST): AmendMove.IGNORE,  # one at a time
    (A.IN_FLIGHT, C.ACCEPTED): AmendMove.TAKE,
    (A.IN_FLIGHT, C.REFUSED): AmendMove.DROP,
    (A.IN_FLIGHT, C.IN_DOUBT): AmendMove.DOUBT,
    (A.IN_FLIGHT, C.SEEN_AS_ASKED): AmendMove.TAKE,  # the stream was faster than the answer
    (A.IN_FLIGHT, C.SEEN_OTHERWISE): AmendMove.IGNORE,  # seen before the amend arrived
    (A.UNKNOWN, C.REQUEST): AmendMove.IGNORE,  # first the venue is asked what it has
    (A.UNKNOWN, C.ACCEPTED): AmendMove.TAKE,
    (A.UNKNOWN, C.REFUSED): AmendMove.DROP,
    (A.UNKNOWN, C.IN_DOUBT): AmendMove.IGNORE,
    (A.UNKNOWN, C.SEEN_AS_ASKED): AmendMove.TAKE,
    (A.UNKNOWN, C.SEEN_OTHERWISE): AmendMove.IGNORE,  # perhaps from before; who asks the venue tells it as an answer
}


def amending(order: Order) -> Amending:
    """Return the row of the table that an order stands in."""
    if order.amendment is None:
        return Amending.NONE
    return Amending.UNKNOWN if order.amendment.is_unknown else Amending.IN_FLIGHT


def seen_cause(order: Order, price: Decimal, quantity: Decimal) -> AmendCause:
    """Return the column of the table for a venue's view of a price and a quantity."""
    asked = order.amendment
    if asked is not None and asked.price == price and asked.quantity == quantity:
        return AmendCause.SEEN_AS_ASKED
    return AmendCause.SEEN_OTHERWISE


def is_overtaken(order: Order, price: Decimal, quantity: Decimal, time_exchange_ns: int) -> bool:
    """Tell whether an acceptance is that of an earlier amend: not what is asked for now, and not newer than our view.

    While nothing is asked for, one of the same time as our view still counts.
    """
    part = open_part(order.state)
    if part is None or seen_cause(order, price, quantity) is AmendCause.SEEN_AS_ASKED:
        return False
    if order.amendment is None:
        return time_exchange_ns < part.time_exchange_ns
    return time_exchange_ns <= part.time_exchange_ns


def next_amended(order: Order, cause: AmendCause, price: Decimal, quantity: Decimal) -> Order:
    """Return the order after a cause; price and quantity are those asked for, or those that the venue has."""
    move = AMEND_TABLE[amending(order), cause]
    if move is AmendMove.ASK:
        return order.with_terms(order.price, order.quantity, Amendment(price, quantity, False))
    if move is AmendMove.TAKE:
        return order.with_terms(price, quantity, None)
    if move is AmendMove.DROP:
        return order.with_terms(order.price, order.quantity, None)
    asked = order.amendment
    if move is AmendMove.DOUBT and asked is not None:
        return order.with_terms(order.price, order.quantity, Amendment(asked.price, asked.quantity, True))
    return order


def with_venue_id(order: Order, id: OrderId, time_exchange_ns: int) -> Order:
    """Return the order under the venue's id for it, which an amend may change."""
    part = open_part(order.state)
    if part is None:
        return order
    time_ns = max(part.time_exchange_ns, time_exchange_ns)
    return order.with_state(with_open_part(order.state, Open(id, time_ns, part.filled_quantity)))
