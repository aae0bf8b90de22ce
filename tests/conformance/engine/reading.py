"""Turn what the vectors write into values of the core, and back into something to compare."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tradebus.core.engine.command import (
    ALL_INSTRUMENTS,
    ByExchanges,
    ByInstruments,
    ByUnderlyings,
    InstrumentFilter,
)
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
)
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    Expired,
    FullyFilled,
    Open,
    OpenFailed,
    OpenInFlight,
    OpenUnknown,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
    TimeInForce,
    open_part,
)
from tradebus.core.model.side import Side

Json = Any

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:Z|\+00:00)")
_KINDS = {"market": OrderKind.MARKET, "limit": OrderKind.LIMIT}
_TIMES_IN_FORCE = {
    "good_until_cancelled": TimeInForce.GOOD_UNTIL_CANCELLED,
    "good_until_cancelled_post_only": TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY,
    "good_until_end_of_day": TimeInForce.GOOD_UNTIL_END_OF_DAY,
    "fill_or_kill": TimeInForce.FILL_OR_KILL,
    "immediate_or_cancel": TimeInForce.IMMEDIATE_OR_CANCEL,
}
_ERRORS = {
    "exchange_offline": OrderErrorKind.EXCHANGE_OFFLINE,
    "timeout": OrderErrorKind.TIMEOUT,
    "socket": OrderErrorKind.SOCKET,
    "asset_invalid": OrderErrorKind.ASSET_INVALID,
    "instrument_invalid": OrderErrorKind.INSTRUMENT_INVALID,
    "rate_limit": OrderErrorKind.RATE_LIMIT,
    "balance_insufficient": OrderErrorKind.BALANCE_INSUFFICIENT,
    "order_rejected": OrderErrorKind.ORDER_REJECTED,
    "order_already_cancelled": OrderErrorKind.ORDER_ALREADY_CANCELLED,
    "order_already_fully_filled": OrderErrorKind.ORDER_ALREADY_FULLY_FILLED,
}


def snake(name: str) -> str:
    """Return ``GoodUntilCancelled`` as ``good_until_cancelled``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def time_ns(text: str) -> int:
    """Return an ISO-8601 time in UTC as nanoseconds since the epoch, exactly."""
    found = _TIME.fullmatch(text)
    assert found, f"expected a time in UTC, found {text!r}"
    seconds = datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
    return int(seconds) * 1_000_000_000 + int((found[2] or "0").ljust(9, "0"))


def side(text: str) -> Side:
    """Return a side written in any case."""
    return Side[text.upper()]


def order_kind(text: str) -> OrderKind:
    """Return an order kind."""
    return _KINDS[snake(text)]


def time_in_force(written: Json) -> TimeInForce:
    """Return a time in force, written as text or as ``{"GoodUntilCancelled": {"post_only": true}}``."""
    if isinstance(written, dict):
        (name, content), *_ = written.items()
        post_only = isinstance(content, dict) and content.get("post_only", False)
        return time_in_force(snake(name) + ("_post_only" if post_only else ""))
    return _TIMES_IN_FORCE[snake(written)]


def instrument_filter(written: Json) -> InstrumentFilter:
    """Return a filter: ``"none"`` selects everything."""
    if written is None or written == "none":
        return ALL_INSTRUMENTS
    ((name, entries),) = written.items()
    if name == "exchanges":
        return ByExchanges(tuple(ExchangeIndex(entry) for entry in entries))
    if name == "instruments":
        return ByInstruments(tuple(InstrumentIndex(entry) for entry in entries))
    assert name == "underlyings", f"unknown filter {name}"
    return ByUnderlyings(tuple((AssetIndex(pair["base"]), AssetIndex(pair["quote"])) for pair in entries))


def order_error(written: Json) -> OrderError:
    """Return an order error: ``{"connectivity": "timeout"}``, ``{"rejected": {"balance_insufficient": "usdt"}}``."""
    ((_, detail),) = written.items()
    name, subject = next(iter(detail.items())) if isinstance(detail, dict) else (detail, "")
    return OrderError(_ERRORS[snake(name)], str(subject), "")


def _time_of(written: Json) -> int:
    if "time_exchange_ms" in written:
        return int(written["time_exchange_ms"]) * 1_000_000
    return time_ns(written["time_exchange"])


def open_state(written: Json) -> Open:
    """Return an acknowledged open part."""
    return Open(OrderId(written["id"]), _time_of(written), Decimal(written["filled_quantity"]))


def order_state(written: Json) -> OrderState:
    """Return a state in either way of writing it: details beside the name, or below it."""
    activity = "active" if "active" in written else "inactive"
    name, detail = written[activity], written
    if isinstance(name, dict):
        ((name, detail),) = name.items()
    if name == "open_in_flight":
        return OPEN_IN_FLIGHT
    if name == "open":
        return open_state(detail)
    if name == "cancel_in_flight":
        order = detail.get("order")
        return CancelInFlight(None if order is None else open_state(order))
    if name == "cancelled":
        return Cancelled(OrderId(detail["id"]), _time_of(detail))
    if name == "fully_filled":
        return FULLY_FILLED
    if name == "expired":
        return EXPIRED
    assert name == "open_failed", f"unknown state {name}"
    return OpenFailed(order_error(detail.get("error", detail)))


def state_name(state: OrderState) -> str:
    """Return the name the vectors give a state."""
    names = {
        OpenInFlight: "open_in_flight",
        Open: "open",
        CancelInFlight: "cancel_in_flight",
        OpenUnknown: "open_unknown",
        CancelUnknown: "cancel_unknown",
        Cancelled: "cancelled",
        FullyFilled: "fully_filled",
        OpenFailed: "open_failed",
        Expired: "expired",
    }
    return names[type(state)]


def order_key(written: Json) -> OrderKey:
    """Return a key; an exchange given by name stands for index 0."""
    exchange = written["exchange"]
    return OrderKey(
        ExchangeIndex(exchange if isinstance(exchange, int) else 0),
        InstrumentIndex(written["instrument"] if isinstance(written["instrument"], int) else 0),
        StrategyId(written["strategy"]),
        ClientOrderId(written["cid"]),
    )


def order(written: Json) -> Order:
    """Return an order; its key stands below ``key`` or beside the rest."""
    return Order(
        order_key(written.get("key", written)),
        side(written["side"]),
        Decimal(written["price"]),
        Decimal(written["quantity"]),
        order_kind(written["kind"]),
        time_in_force(written["time_in_force"]),
        order_state(written["state"]),
    )


def open_request(written: Json) -> OrderRequestOpen:
    """Return an open request."""
    return OrderRequestOpen(
        order_key(written.get("key", written)),
        side(written["side"]),
        Decimal(written["price"]),
        Decimal(written["quantity"]),
        order_kind(written["kind"]),
        time_in_force(written["time_in_force"]),
    )


def cancel_request(written: Json) -> OrderRequestCancel:
    """Return a cancel request."""
    order_id = written.get("id")
    return OrderRequestCancel(order_key(written.get("key", written)), None if order_id is None else OrderId(order_id))


def plain_order(found: Order) -> dict[str, object]:
    """Return an order as the vectors of whole states write it; numbers stay numbers."""
    part = open_part(found.state)
    plain: dict[str, object] = {
        "cid": found.key.cid,
        "state": state_name(found.state),
        "side": str(found.side),
        "price": found.price,
        "quantity": found.quantity,
        "kind": found.kind,
        "time_in_force": found.time_in_force,
    }
    if part is not None:
        plain |= {"id": part.id, "time_exchange": part.time_exchange_ns, "filled_quantity": part.filled_quantity}
    return plain


def written_order(written: Json) -> dict[str, object]:
    """Return what a vector says of an order in a state, in the same form; absent fields are not compared."""
    plain: dict[str, object] = {
        "cid": written["cid"],
        "state": written["state"],
        "side": written["side"],
        "price": Decimal(written["price"]),
        "quantity": Decimal(written["quantity"]),
        "kind": order_kind(written["kind"]),
        "time_in_force": time_in_force(written["time_in_force"]),
    }
    if written.get("id") is not None:
        plain |= {
            "id": written["id"],
            "time_exchange": time_ns(written["time_exchange"]),
            "filled_quantity": Decimal(written["filled_quantity"]),
        }
    return plain
