"""Show a part of the state: as JSON, as a table, or as a summary for people."""

import json
import re
from decimal import Decimal
from typing import Any, Final

from rich.text import Text

from tradebus.cli.asking import asking
from tradebus.cli.output import mode_text, print_json, print_rows, stderr, stdout

COLUMNS: Final[dict[str, dict[str, str]]] = {
    "assets": {"exchange": "exchange", "name": "asset", "balance.total": "total", "balance.free": "free"},
    "positions": {
        "instrument": "instrument",
        "side": "side",
        "quantity_abs": "quantity",
        "price_entry_average": "entry",
        "pnl_unrealised": "unrealised",
        "pnl_realised": "realised",
    },
    "positions/exited": {
        "sequence": "sequence",
        "time_exit": "closed",
        "instrument": "instrument",
        "side": "side",
        "quantity_abs_max": "quantity",
        "pnl_realised": "realised",
    },
    "orders": {
        "cid": "cid",
        "instrument": "instrument",
        "side": "side",
        "price": "price",
        "quantity": "quantity",
        "filled_quantity": "filled",
        "status": "status",
    },
    "trades": {
        "sequence": "sequence",
        "time_engine": "time",
        "instrument": "instrument",
        "side": "side",
        "price": "price",
        "quantity": "quantity",
        "fees": "fees",
    },
}
"""What a terminal shows of each row, with the head of its column; everything is in ``--json``."""


_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{9}Z")
_NUMBER: Final = re.compile(r"-?[0-9]+\.[0-9]+")
_DIGITS: Final = 10
"""So many of a number are shown at a terminal; all of them are in ``--json``."""


def show_resource(url: str, key: str | None, resource: str, at: str | None, *, as_json: bool) -> None:
    """Show a resource of the API, as of a tick or a time."""
    query: dict[str, str] = {}
    if at is not None:
        query["at" if at.isdecimal() else "at_time"] = at
    name = resource.strip("/")
    with asking(url, key, as_json=as_json) as client:
        answer = client.get_with(f"/v1/{name}", query)
    if as_json:
        print_json(answer)
        return
    _head(answer)
    data = answer.get("data", answer)
    if name == "state":
        _summary(data)
    elif isinstance(data, list):
        _table(name, data)
    else:
        stdout().print_json(json.dumps(data))


def show_difference(url: str, key: str | None, first: int, last: int, *, as_json: bool) -> None:
    """Show what changed between two ticks."""
    with asking(url, key, as_json=as_json) as client:
        answer = client.get_with("/v1/state/diff", {"from": str(first), "to": str(last)})
    if as_json:
        print_json(answer)
        return
    _head(answer)
    data = answer["data"]
    changes = data["changes"] if isinstance(data, dict) else data
    rows = [(str(each["path"]), _shown(each.get("before")), _shown(each.get("after"))) for each in changes]
    print_rows(("path", f"at {first}", f"at {last}"), rows)


def _head(answer: dict[str, Any]) -> None:
    """Say on stderr what the answer is of: mode, sequence, and whether it was verified."""
    if "sequence" not in answer:
        return
    verified = (answer.get("verification") or {}).get("equal")
    told = Text("not yet verified", "yellow")
    if verified is not None:
        told = Text("verified", "green") if verified else Text("NOT EQUAL to the engine's", "bold red")
    parts = [mode_text(answer.get("mode", "")), f"sequence {answer['sequence']}", answer.get("time_engine", ""), told]
    stderr().print(*parts)


def _summary(state: dict[str, Any]) -> None:
    console = stdout()
    console.print(
        Text.assemble("trading    ", (state["trading"], "green" if state["trading"] == "enabled" else "yellow"))
    )
    for each in state.get("exchanges", []):
        links = each["links"]
        told = f"market data {links['market_data']}, account {links['account']}"
        console.print(Text.assemble(f"{each['name']:<11}", (told, "" if links["is_healthy"] else "yellow")))
    balances = [
        (each["exchange"], each["name"], _rounded(_at(each, "balance.total")), _rounded(_at(each, "balance.free")))
        for each in state.get("assets", [])
    ]
    print_rows(("exchange", "asset", "total", "free"), balances)
    rows = [
        (
            each["name"],
            _rounded(_at(each, "market.price")),
            _position(each.get("position")),
            _rounded(each.get("pnl_realised")),
            str(len(each.get("orders", ()))),
        )
        for each in state.get("instruments", [])
    ]
    print_rows(("instrument", "price", "position", "realised PnL", "orders"), rows)


def _position(position: Any) -> str:  # noqa: ANN401 - JSON
    return "" if not position else f"{position['side']} {_rounded(position['quantity_abs'])}"


def _table(name: str, rows: list[Any]) -> None:
    wanted = COLUMNS.get(name)
    if wanted is None:
        first = rows[0] if rows and isinstance(rows[0], dict) else {}
        wanted = {field: field for field, value in first.items() if not isinstance(value, dict | list)}
    print_rows(tuple(wanted.values()), [tuple(_rounded(_at(row, path)) for path in wanted) for row in rows])


def _at(row: Any, path: str) -> Any:  # noqa: ANN401 - JSON
    for part in path.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def _rounded(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return a value as text, a number with many digits with fewer of them, a time to the millisecond."""
    text = _shown(value)
    if _TIME.fullmatch(text):
        return f"{text[:10]} {text[11:23]}"
    if len(text) <= _DIGITS or not _NUMBER.fullmatch(text):
        return text
    return f"{Decimal(text):.{_DIGITS}g}"


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
