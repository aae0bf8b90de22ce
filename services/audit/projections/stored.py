"""What grows beside the state, as bytes for a checkpoint and back.

Rebuilding it would take the whole journal: an order's life and a fill's number depend on everything before. So it lies
beside the state that it belongs to. ``frozen`` takes a copy that later ticks do not change, quickly; turning that into
bytes takes longer and may happen in another thread.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from services.audit.config import Limits
from services.audit.projections.bounded import Newest, Row
from services.audit.projections.commands import CommandOutcome, CommandStatus
from services.audit.projections.exits import Exit
from services.audit.projections.fills import Fill
from services.audit.projections.links import ExchangeHistory, LinkHistory
from services.audit.projections.orders import OrderLife, OrderStatus, OrderStep, StepKind
from services.audit.projections.plain import NotPlain, from_plain, record_of, to_plain
from services.audit.projections.projections import Projections
from services.audit.projections.trading import TradingChange
from tradebus.core.engine.state.trading import TradingState

FORMAT: Final = 2

_COUNTS: Final = (
    "orders_sent",
    "orders_failed",
    "orders_refused",
    "cancels_sent",
    "cancels_failed",
    "cancels_refused",
    "positions_exited",
    "halts",
    "duplicates",
)
_LINK: Final = LinkHistory.__slots__


class StoredRowsUnreadable(Exception):
    """What lies beside a checkpoint is not what this version writes; the message says what was expected."""


def frozen(projections: Projections) -> Callable[[], bytes]:
    """Return what makes the bytes of the projections as they are now."""
    counts = {name: getattr(projections.counts, name) for name in _COUNTS}
    kinds = {kind.__name__: count for kind, count in projections.counts.kinds().items()}
    last = projections.trading.last
    links = [_link_to_plain(each) for each in projections.links.exchanges]
    fills, exits = projections.fills.rows.frozen(), projections.exits.rows.frozen()
    lives = [life.copy() for life in projections.orders.oldest_first()]
    finished, count, dropped = projections.orders.frozen()
    commands = projections.commands.rows.frozen()

    def encode() -> bytes:
        data = {
            "format": FORMAT,
            "counts": counts,
            "kinds": kinds,
            "trading": None if last is None else _change_to_plain(last),
            "links": links,
            "fills": {"first": fills[0], "rows": [_fill_to_plain(each) for each in fills[1]]},
            "exits": {"first": exits[0], "rows": [_exit_to_plain(each) for each in exits[1]]},
            "commands": {"first": commands[0], "rows": [_command_to_plain(each) for each in commands[1]]},
            "orders": {
                "count": count,
                "dropped": dropped,
                "finished": finished,
                "lives": [_life_to_plain(life) for life in lives],
            },
        }
        return json.dumps(data, separators=(",", ":")).encode()

    return encode


def projections_from_bytes(content: bytes, limits: Limits) -> Projections:
    """Return the projections in ``content``. Raises StoredRowsUnreadable."""
    try:
        return _projections(json.loads(content), limits)
    except (NotPlain, KeyError, TypeError, ValueError, IndexError) as error:
        raise StoredRowsUnreadable(f"expected projections of format {FORMAT}, found {error!r}") from error


def _projections(data: dict[str, Any], limits: Limits) -> Projections:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}")
    made = Projections(limits)
    for name in _COUNTS:
        setattr(made.counts, name, data["counts"][name])
    made.counts.restore({record_of(name): count for name, count in data["kinds"].items()})
    if data["trading"] is not None:
        sequence, time_ns, state, origin, reason = data["trading"]
        made.trading.last = TradingChange(sequence, time_ns, TradingState[state], origin, reason)
    made.links.exchanges = [_link_from_plain(each) for each in data["links"]]
    _restore(made.fills.rows, data["fills"], _fill_from_plain)
    _restore(made.exits.rows, data["exits"], _exit_from_plain)
    commands = data["commands"]
    made.commands.restore(commands["first"], [_command_from_plain(each) for each in commands["rows"]])
    orders = data["orders"]
    lives = [_life_from_plain(each) for each in orders["lives"]]
    made.orders.restore(lives, orders["finished"], orders["count"], orders["dropped"])
    return made


def _restore(rows: Newest[Row], data: dict[str, Any], decode: Callable[[Any], Row]) -> None:
    rows.restore(data["first"], [decode(each) for each in data["rows"]])


def _change_to_plain(change: TradingChange) -> list[Any]:
    return [change.sequence, change.time_ns, change.state.name, change.origin, change.reason]


def _link_to_plain(history: ExchangeHistory) -> dict[str, Any]:
    return {
        "market_data": [getattr(history.market_data, name) for name in _LINK],
        "account": [getattr(history.account, name) for name in _LINK],
        "gaps": history.gaps,
        "events_missing": history.events_missing,
        "owner": history.owner,
        "owner_epoch": history.owner_epoch,
    }


def _link_from_plain(data: dict[str, Any]) -> ExchangeHistory:
    history = ExchangeHistory()
    for name, value in data.items():
        if name in {"market_data", "account"}:
            for field, each in zip(_LINK, value, strict=True):
                setattr(getattr(history, name), field, each)
        else:
            setattr(history, name, value)
    return history


def _fill_to_plain(fill: Fill) -> list[Any]:
    return [fill.sequence, fill.time_ns, fill.exchange, to_plain(fill.trade)]


def _fill_from_plain(data: list[Any]) -> Fill:
    return Fill(data[0], data[1], data[2], from_plain(data[3]))


def _exit_to_plain(row: Exit) -> list[Any]:
    return [row.sequence, row.time_ns, to_plain(row.exited)]


def _exit_from_plain(data: list[Any]) -> Exit:
    return Exit(data[0], data[1], from_plain(data[2]))


def _command_to_plain(row: CommandOutcome) -> list[Any]:
    return [
        row.id,
        row.sequence,
        row.time_ns,
        row.origin,
        row.kind,
        row.status.name,
        row.reason,
        list(row.opened),
        list(row.cancelled),
        list(row.amended),
        list(row.declined),
    ]


def _command_from_plain(data: list[Any]) -> CommandOutcome:
    id_, sequence, time_ns, origin, kind, status, reason, *lists = data
    opened, cancelled, amended, declined = (tuple(each) for each in lists)
    return CommandOutcome(
        id_, sequence, time_ns, origin, kind, CommandStatus[status], reason, opened, cancelled, amended, declined
    )


def _life_to_plain(life: OrderLife) -> list[Any]:
    return [
        life.number,
        to_plain(life.order),
        life.status.name,
        life.reason,
        to_plain(life.filled_quantity),
        to_plain(life.filled_value),
        to_plain(life.fees),
        [[step.sequence, step.time_ns, step.kind.name, step.status.name, step.note] for step in life.steps],
        life.steps_dropped,
    ]


def _life_from_plain(data: list[Any]) -> OrderLife:
    number, order, status, reason, quantity, value, fees, steps, dropped = data
    life = OrderLife(number, from_plain(order), OrderStatus[status])
    life.reason = reason
    life.filled_quantity = from_plain(quantity)
    life.filled_value = from_plain(value)
    life.fees = from_plain(fees)
    life.steps = [
        OrderStep(sequence, time_ns, StepKind[kind], OrderStatus[at], note)
        for sequence, time_ns, kind, at, note in steps
    ]
    life.steps_dropped = dropped
    return life
