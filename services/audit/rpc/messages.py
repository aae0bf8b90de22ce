"""Turn the messages of `Control` into the bodies that REST reads, and what became of a command into its message."""

from collections.abc import Mapping
from typing import Any, Final

from services.audit.commands import Asked, Progress, Standing
from tradebus.wire.pb.v1 import engine_pb2, order_pb2, service_pb2

STANDINGS: Final[Mapping[Standing, service_pb2.CommandStanding]] = {
    Standing.ACCEPTED: service_pb2.COMMAND_STANDING_ACCEPTED,
    Standing.APPLIED: service_pb2.COMMAND_STANDING_APPLIED,
    Standing.REJECTED: service_pb2.COMMAND_STANDING_REJECTED,
    Standing.LOST: service_pb2.COMMAND_STANDING_LOST,
}


def body_of(request: service_pb2.SendRequest) -> tuple[str, dict[str, Any]] | None:
    """Return the kind of a command and its body as REST would have it; none where nothing is asked.

    Fields that are not set are left out, so that the body's own defaults hold and what is missing is told.
    """
    kind = request.WhichOneof("command")
    if kind is None:
        return None
    body: dict[str, Any] = {}
    if kind == "trading_state":
        body = {"state": _enum(engine_pb2.TradingState, request.trading_state, "TRADING_STATE_")}
    elif kind == "open_orders":
        orders = [_order(order) for order in request.open_orders.orders]
        body = {"orders": orders, "override_risk": request.open_orders.override_risk}
    elif kind == "cancel_orders":
        cancel = request.cancel_orders
        body = _set(cids=list(cancel.cids), filter=_filter(cancel.filter))
    elif kind == "close_positions":
        close = request.close_positions
        body = {**_set(filter=_filter(close.filter)), "override_risk": close.override_risk}
    else:
        stop = request.shutdown
        body = {
            "disable_trading": not stop.keep_trading,
            "cancel_orders": not stop.keep_orders,
            "close_positions": stop.close_positions,
        }
    if request.expires_in_ms:
        body["expires_in"] = f"{request.expires_in_ms}ms"
    return kind, body


def _order(order: service_pb2.NewOrder) -> dict[str, Any]:
    return _set(
        instrument=order.instrument,
        side=_enum(order_pb2.Side, order.side, "SIDE_"),
        quantity=order.quantity,
        kind=_enum(order_pb2.OrderKind, order.kind, "ORDER_KIND_"),
        price=order.price,
        time_in_force=_enum(order_pb2.TimeInForce, order.time_in_force, "TIME_IN_FORCE_"),
        strategy=order.strategy,
        cid=order.cid,
    )


def _filter(message: service_pb2.NamedFilter) -> dict[str, Any] | None:
    kind = message.WhichOneof("filter")
    if kind is None:
        return None
    if kind == "all":
        return {"type": "all_instruments"}
    if kind == "exchanges":
        return {"type": "by_exchanges", "exchanges": list(message.exchanges.names)}
    if kind == "instruments":
        return {"type": "by_instruments", "instruments": list(message.instruments.names)}
    pairs = message.underlyings.underlyings
    named = [{"exchange": each.exchange, "base": each.base, "quote": each.quote} for each in pairs]
    return {"type": "by_underlyings", "underlyings": named}


def _set(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _enum(kind: Any, value: int, prefix: str) -> str:  # noqa: ANN401 - protobuf's enums have no common type
    """Return an enum's value as REST spells it; empty where it is not set, the number where nobody knows it."""
    if not value:
        return ""
    known: dict[int, str] = {number: name for name, number in kind.items()}
    return known[value].removeprefix(prefix).lower() if value in known else str(value)


def progress_to_pb(progress: Progress) -> service_pb2.CommandProgress:
    """Return a command as it stands."""
    taken, outcome = progress.taken, progress.outcome
    message = service_pb2.CommandProgress(id=progress.id, standing=STANDINGS[progress.standing], reason=progress.lost)
    if outcome is not None:
        message.kind = outcome.kind
        message.reason = outcome.reason
        message.sequence = outcome.sequence
        message.time_ns = outcome.time_ns
        message.origin = outcome.origin
        message.opened.extend(outcome.opened)
        message.cancelled.extend(outcome.cancelled)
        message.amended.extend(outcome.amended)
        message.declined.extend(outcome.declined)
    if taken is not None:
        message.kind = taken.kind
        message.origin = message.origin or taken.origin
        message.accepted_ns = taken.time_ns
        message.expiry_ns = taken.expiry_ns
    return message


def checked_to_pb(command: Asked) -> service_pb2.CommandProgress:
    """Return a command that was checked and not sent."""
    return service_pb2.CommandProgress(kind=command.kind, standing=service_pb2.COMMAND_STANDING_VALID)
