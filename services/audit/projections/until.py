"""Rows as they were at a tick of the past: the same rows, less those that came later.

Fills and closed positions never change; an order's life is told as of then. What was let go of by now was not yet then,
which ``dropped`` says.
"""

from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar, final

from services.audit.projections.bounded import Newest
from services.audit.projections.exits import Exit
from services.audit.projections.fills import Fill
from services.audit.projections.order_life import OrderLife
from services.audit.projections.orders import Orders
from services.audit.projections.projections import Projections


class _Row(Protocol):
    @property
    def sequence(self) -> int: ...


R = TypeVar("R", bound=_Row)


@final
class NewestUntil(Generic[R]):
    """The newest rows up to a tick; reads like ``Newest``."""

    def __init__(self, rows: Newest[R], sequence: int) -> None:
        self._rows: Final = rows
        self.count: Final = _last_until(rows, sequence)
        self.dropped: Final = min(rows.dropped, self.count)

    def __len__(self) -> int:
        return self.count - self.dropped

    def newest_first(self, before: int | None = None) -> Iterator[tuple[int, R]]:
        """Yield numbers and rows from the newest one back, only those with numbers below ``before``."""
        after = self.count + 1
        return self._rows.newest_first(after if before is None else min(before, after))

    def oldest_first(self, after: int = 0) -> Iterator[tuple[int, R]]:
        """Yield numbers and rows from the oldest kept one on, only those with numbers above ``after``."""
        for number, row in self._rows.oldest_first(after):
            if number > self.count:
                return
            yield number, row


def _last_until(rows: Newest[R], sequence: int) -> int:
    """Return the number of the last row up to a tick; that of the last one let go of, where all kept ones are later."""
    low, high = rows.dropped, rows.count
    while low < high:
        middle = (low + high + 1) // 2
        _, row = next(rows.newest_first(middle + 1))
        if row.sequence <= sequence:
            low = middle
        else:
            high = middle - 1
    return low


@final
class OrdersUntil:
    """The orders up to a tick, each as it was then; reads like ``Orders``."""

    def __init__(self, orders: Orders, sequence: int) -> None:
        self._orders: Final = orders
        self._sequence: Final = sequence
        self.dropped: Final = orders.dropped

    def __len__(self) -> int:
        return sum(1 for _ in self.oldest_first())

    def get(self, cid: str) -> OrderLife | None:
        """Return an order's life, none where it is not kept or had not begun."""
        life = self._orders.get(cid)
        return None if life is None else life.at(self._sequence)

    def newest_first(self, before: int | None = None) -> Iterator[OrderLife]:
        """Yield orders from the last one made back, only those with numbers below ``before``."""
        for life in self._orders.newest_first(before):
            then = life.at(self._sequence)
            if then is not None:
                yield then

    def oldest_first(self, after: int = 0) -> Iterator[OrderLife]:
        """Yield orders from the first one kept on, only those with numbers above ``after``."""
        for life in self._orders.oldest_first(after):
            if life.sequence_first > self._sequence:
                return  # they are numbered in the order they were first seen
            then = life.at(self._sequence)
            if then is not None:
                yield then


@final
class RowsUntil:
    """Everything of the projections that has rows, as of a tick."""

    def __init__(self, projections: Projections, sequence: int) -> None:
        self.fills: Final[NewestUntil[Fill]] = NewestUntil(projections.fills.rows, sequence)
        self.exits: Final[NewestUntil[Exit]] = NewestUntil(projections.exits.rows, sequence)
        self.orders: Final = OrdersUntil(projections.orders, sequence)
