"""Give long lists in pages: a cursor is the number of the last row of a page, and rows are never renumbered."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import islice
from typing import Annotated, Final, TypeVar, final

from fastapi import Depends, Query

from services.audit.api.envelope import Page

R = TypeVar("R")

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
NUMBER_MAX: Final = 2**63 - 1


class ListOrder(StrEnum):
    """Which rows come first."""

    NEWEST = "newest"
    OLDEST = "oldest"


@final
class PageRequest:
    """The page that was asked for."""

    def __init__(self, limit: int, cursor: int | None, order: ListOrder) -> None:
        self.limit: Final = limit
        self.cursor: Final = cursor
        self.order: Final = order

    def cut(self, rows: Iterable[tuple[int, R]], kept: int, dropped: int) -> tuple[list[R], Page]:
        """Return the first rows with their numbers left out, and where the page ends; takes one row more to know."""
        iterator: Iterator[tuple[int, R]] = iter(rows)
        taken = list(islice(iterator, self.limit))
        more = next(iterator, None) is not None
        cursor = taken[-1][0] if more else None
        return [row for _, row in taken], Page(next=cursor, kept=kept, dropped=dropped)


async def page_request(
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many rows at most.")] = LIMIT_DEFAULT,
    cursor: Annotated[
        int | None, Query(ge=0, le=NUMBER_MAX, description="`page.next` of the page before; the first page without it.")
    ] = None,
    order: Annotated[ListOrder, Query(description="Which rows come first.")] = ListOrder.NEWEST,
) -> PageRequest:
    """Return the page that the query asks for."""
    return PageRequest(limit, cursor, order)


Paging = Annotated[PageRequest, Depends(page_request)]
