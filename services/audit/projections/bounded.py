"""Keep the newest rows of something that grows for ever, and say how many older ones were let go."""

from collections.abc import Iterator
from typing import Final, Generic, TypeVar, final

Row = TypeVar("Row")

_SLACK: Final = 1024
"""Rows are let go this many at a time, so that appending stays cheap."""


@final
class Newest(Generic[Row]):
    """Rows numbered from 1 in the order they came; a number is never given twice."""

    def __init__(self, rows_max: int) -> None:
        if rows_max < 1:
            raise ValueError(f"expected room for at least one row, found {rows_max}")
        self.rows_max: Final = rows_max
        self._rows: list[Row] = []
        self._first = 1

    def __len__(self) -> int:
        return min(len(self._rows), self.rows_max)

    @property
    def count(self) -> int:
        """Return how many rows there ever were: the number of the newest."""
        return self._first + len(self._rows) - 1

    @property
    def dropped(self) -> int:
        """Return how many of the oldest are no longer kept."""
        return self.count - len(self)

    def append(self, row: Row) -> int:
        """Add the newest row and return its number."""
        self._rows.append(row)
        excess = len(self._rows) - self.rows_max
        if excess >= _SLACK:
            del self._rows[:excess]
            self._first += excess
        return self.count

    def frozen(self) -> tuple[int, list[Row]]:
        """Return the number of the oldest kept row, and a copy of the list of rows."""
        return self._first, list(self._rows)

    def restore(self, first: int, rows: list[Row]) -> None:
        """Go on from these rows, the oldest of which has the number ``first``."""
        self._first = first
        self._rows = rows

    def newest_first(self, before: int | None = None) -> Iterator[tuple[int, Row]]:
        """Yield numbers and rows from the newest kept one back, only those with numbers below ``before``."""
        top = self.count if before is None else min(before - 1, self.count)
        for number in range(top, self.dropped, -1):
            yield number, self._rows[number - self._first]

    def oldest_first(self, after: int = 0) -> Iterator[tuple[int, Row]]:
        """Yield numbers and rows from the oldest kept one on, only those with numbers above ``after``."""
        for number in range(max(after, self.dropped) + 1, self.count + 1):
            yield number, self._rows[number - self._first]
