"""What grows beside the state, as bytes for a checkpoint and back.

Rebuilding it would take the whole journal: an order's life and a fill's number depend on everything before. So it lies
beside the state that it belongs to, in two parts: what is short (counts, links, the trading state) and the rows.
``frozen_rows`` takes a copy that later ticks do not change, quickly; turning that into bytes takes longer and may
happen in another thread.
"""

import itertools
import json
from collections.abc import Callable
from typing import Any, Final

from services.audit.config import Limits
from services.audit.projections.bounded import Newest, Row
from services.audit.projections.commands import CommandOutcome, CommandStatus
from services.audit.projections.exits import Exit
from services.audit.projections.fills import Fill
from services.audit.projections.links import ExchangeHistory, LinkHistory
from services.audit.projections.order_life import OrderLife, OrderStatus, OrderStep, OrderVersion, StepKind
from services.audit.projections.plain import NotPlain, from_plain, record_of, to_plain
from services.audit.projections.projections import Projections
from services.audit.projections.risk import RiskSetup
from services.audit.projections.trading import TradingChange
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.order import Order
from tradebus.core.model.record import field_names

FORMAT: Final = 4

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


def frozen_short(projections: Projections) -> dict[str, Any]:
    """Return what is short of the projections as JSON data."""
    last = projections.trading.last
    return {
        "format": FORMAT,
        "counts": {name: getattr(projections.counts, name) for name in _COUNTS},
        "kinds": {kind.__name__: count for kind, count in projections.counts.kinds().items()},
        "trading": None if last is None else _change_to_plain(last),
        "risk": [[setup.sequence, to_plain(setup.checks)] for setup in projections.risk.setups],
        "links": [_link_to_plain(each) for each in projections.links.exchanges],
    }


def frozen_rows(projections: Projections) -> Callable[[], bytes]:
    """Return what makes the bytes of the rows as they are now."""
    fills, exits = projections.fills.rows.frozen(), projections.exits.rows.frozen()
    lives = [life.copy() for life in projections.orders.oldest_first()]
    finished, count, dropped = projections.orders.frozen()
    commands = projections.commands.rows.frozen()

    def encode() -> bytes:
        data = {
            "format": FORMAT,
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


def projections_from(short: Any, rows: bytes | None, limits: Limits) -> Projections:  # noqa: ANN401 - JSON
    """Return the projections of both parts; without rows they begin empty. Raises StoredRowsUnreadable."""
    try:
        made = _from_short(short, limits)
        if rows is not None:
            _add_rows(made, json.loads(rows))
    except (NotPlain, KeyError, TypeError, ValueError, IndexError) as error:
        raise StoredRowsUnreadable(f"expected projections of format {FORMAT}, found {error!r}") from error
    return made


def _from_short(data: dict[str, Any], limits: Limits) -> Projections:
    _check_format(data)
    made = Projections(limits)
    for name in _COUNTS:
        setattr(made.counts, name, data["counts"][name])
    made.counts.restore({record_of(name): count for name, count in data["kinds"].items()})
    if data["trading"] is not None:
        sequence, time_ns, state, origin, reason = data["trading"]
        made.trading.last = TradingChange(sequence, time_ns, TradingState[state], origin, reason)
    made.risk.setups = [RiskSetup(sequence, from_plain(checks)) for sequence, checks in data["risk"]]
    made.links.exchanges = [_link_from_plain(each) for each in data["links"]]
    return made


def _add_rows(made: Projections, data: dict[str, Any]) -> None:
    _check_format(data)
    _restore(made.fills.rows, data["fills"], _fill_from_plain)
    _restore(made.exits.rows, data["exits"], _exit_from_plain)
    commands = data["commands"]
    made.commands.restore(commands["first"], [_command_from_plain(each) for each in commands["rows"]])
    orders = data["orders"]
    lives = [_life_from_plain(each) for each in orders["lives"]]
    made.orders.restore(lives, orders["finished"], orders["count"], orders["dropped"])


def _check_format(data: dict[str, Any]) -> None:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']}")


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
    """Return a life as its first version, what each later one changes, and the steps with their versions' numbers."""
    plains: list[dict[str, Any]] = []
    numbers: list[int] = []
    last: OrderVersion | None = None
    for version in (*[step.version for step in life.steps], life.version):
        if version is not last:
            plain = _version_to_plain(version)
            if not plains or plains[-1] != plain:
                plains.append(plain)
            last = version
        numbers.append(len(plains) - 1)
    changes = [
        {name: value for name, value in after.items() if before[name] != value}
        for before, after in itertools.pairwise(plains)
    ]
    steps = [
        [step.sequence, step.time_ns, step.kind.name, step.status.name, step.note, number]
        for step, number in zip(life.steps, numbers, strict=False)
    ]
    return [life.number, plains[0], changes, steps, life.status.name, life.steps_dropped]


def _version_to_plain(version: OrderVersion) -> dict[str, Any]:
    order = {f"order.{name}": to_plain(getattr(version.order, name)) for name in field_names(Order)}
    return {**order, **{name: to_plain(value) for name, value in zip(version._fields[1:], version[1:], strict=True)}}


def _version_from_plain(plain: dict[str, Any]) -> OrderVersion:
    order = Order(*[from_plain(plain[f"order.{name}"]) for name in field_names(Order)])
    return OrderVersion(order, *[from_plain(plain[name]) for name in OrderVersion._fields[1:]])


def _life_from_plain(data: list[Any]) -> OrderLife:
    number, plain, changes, steps, status, dropped = data
    versions = [_version_from_plain(plain)]
    for changed in changes:
        plain = {**plain, **changed}
        versions.append(_version_from_plain(plain))
    life = OrderLife(number, versions[-1].order, OrderStatus[status])
    _, life.reason, life.filled_quantity, life.filled_value, life.fees = versions[-1]
    life.steps = [
        OrderStep(sequence, time_ns, StepKind[kind], OrderStatus[at], note, versions[which])
        for sequence, time_ns, kind, at, note, which in steps
    ]
    life.steps_dropped = dropped
    return life
