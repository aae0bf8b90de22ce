"""Do books of one and of many levels behave like barter 0.12.5? Each case of the vectors runs as one test."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tradebus.core.market.book import OrderBook, book_side, order_book
from tradebus.core.market.event import BookL1, BookL2Snapshot, BookL2Update, Level
from tradebus.core.model.side import Side

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "market-data"
CASES = json.loads((VECTORS / "books.json").read_text(encoding="utf-8"))["cases"]


def level_of(written: list[str] | None) -> Level | None:
    return None if written is None else Level(Decimal(written[0]), Decimal(written[1]))


def levels_of(written: list[list[str]]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(amount)) for price, amount in written)


def snapshot_of(written: dict[str, Any]) -> BookL2Snapshot:
    return BookL2Snapshot(
        written["sequence"], written["time_engine_ns"], levels_of(written["bids"]), levels_of(written["asks"])
    )


def book_of(written: dict[str, Any]) -> OrderBook:
    return order_book(snapshot_of(written))


def apply(book: OrderBook, event: dict[str, Any]) -> None:
    if event["type"] == "Snapshot":
        book.replace(snapshot_of(event))
        return
    assert event["type"] == "Update"
    parts = snapshot_of(event)
    book.update(BookL2Update(parts.sequence, parts.time_engine_ns, parts.bids, parts.asks))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_books_are_those_of_the_reference(case: dict[str, Any]) -> None:
    given, op = case["input"], case["op"]
    wanted = case.get("corrected", case["expected"])
    found: object
    if op.startswith("l1_"):
        l1 = BookL1(level_of(given["best_bid"]), level_of(given["best_ask"]))
        found = l1.mid_price() if op == "l1_mid_price" else l1.volume_weighted_mid_price()
    elif op in {"mid_price", "volume_weighted_mid_price"}:
        found = book_of(given).mid_price() if op == "mid_price" else book_of(given).volume_weighted_mid_price()
    elif op == "upsert":
        side = book_side(Side.BUY if given["side"] == "bids" else Side.SELL, levels_of(given["levels"]))
        side.upsert(levels_of(given["upsert"]))
        assert tuple(side.levels()) == levels_of(wanted)
        return
    else:
        assert op in {"construct", "update"}, f"unknown operation {op}"
        book = book_of(given["book"] if op == "update" else given)
        if op == "update":
            apply(book, given["event"])
        assert book.snapshot() == snapshot_of(wanted)
        return
    assert found == (None if wanted is None else Decimal(wanted))
