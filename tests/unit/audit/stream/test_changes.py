"""What a stream tells is complete: snapshot and changes together are how everything stands, after every tick."""

from typing import Any

from services.audit.api.stream.selection import Selection
from tests.support.audit_run import EngineRun, batches_of, messages_of
from tests.support.stream_reader import HandFedHub, Picture

MOVING_LINK = ("messages", "time_last", "age_ms")
"""Move with every message; a stream tells a link when something of it changed that matters."""
MOVING_POSITION = ("price_mark", "pnl_unrealised", "pnl_unrealised_gross", "exit_fees_approximate", "value_net")
"""Follow the market, which is told apart."""


def still(picture: Picture) -> dict[str, Any]:
    """Return what must be the same whether it was told at once or change by change."""
    data = {name: value for name, value in picture.data.items() if name not in {"trades", "exited", "commands"}}
    links = {
        exchange: {
            **view,
            **{
                side: None
                if view[side] is None
                else {name: value for name, value in view[side].items() if name not in MOVING_LINK}
                for side in ("market_data", "account")
            },
        }
        for exchange, view in data["connectivity"].items()
    }
    positions = {
        instrument: {name: value for name, value in view.items() if name not in MOVING_POSITION}
        for instrument, view in data["positions"].items()
    }
    return {**data, "connectivity": links, "positions": positions}


async def test_snapshot_and_changes_are_how_everything_stands_after_every_tick(run: EngineRun) -> None:
    each_alone = messages_of(batches_of(run.hashed, run.engine.started, ticks_max=1))
    fed = HandFedHub()
    fed.feed(each_alone[:1])
    reader, told = fed.open(), Picture()
    for message in each_alone[1:]:
        fed.feed([message])
        fed.pulse()
        changed = fed.drain(reader)
        told.take(changed)
        if {message.name for message in changed} == {"market"} and fed.fold.sequence % 10:
            continue  # nearly every tick
        anew, whole = fed.open(), Picture()
        whole.take(fed.drain(anew))
        fed.hub.leave(anew)
        assert still(told) == still(whole), f"after tick {fed.fold.sequence}"
    projections = fed.fold.projections
    assert len(told.data["trades"]) == projections.counts.fills > 10
    assert len(told.data["exited"]) == projections.counts.positions_exited > 5
    assert [trade["sequence"] for trade in told.data["trades"]] == [
        row.sequence for _, row in projections.fills.rows.oldest_first()
    ]


async def test_filters_select_and_leave_nothing_out(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:1])
    every = fed.open()
    instrument = 1
    some = fed.open(Selection(frozenset({"order", "trade"}), frozenset({instrument})))  # type: ignore[arg-type]
    fed.feed(messages[1:])
    name = run.engine.started.index.instruments[instrument].name
    all_told = [message for message in fed.drain(every) if message.name in {"order", "trade"}]
    told = fed.drain(some)[1:]
    assert {message.name for message in told} == {"order", "trade"}
    assert [message.data for message in told] == [
        message.data for message in all_told if f'"instrument":"{name}"'.encode() in message.data
    ]
