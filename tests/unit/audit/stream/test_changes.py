"""What a stream tells is complete: snapshot and changes together are how everything stands, after every tick."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from services.audit.api.stream.event import Message, Topic
from services.audit.api.stream.selection import Selection
from tests.support.audit_run import START_NS, EngineRun, Hashed, batches_of, messages_of
from tests.support.builders import (
    ALPHA,
    ASSET_BTC,
    ASSET_USDT,
    BTC,
    account_event,
    asset_balance,
    balance_told,
    command_of,
    funded,
    public_trade,
)
from tests.support.stream_reader import HandFedHub, Picture
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.tick import Halted
from tradebus.core.engine.command import ALL_INSTRUMENTS, CancelOrders, ClosePositions, CommandRejected
from tradebus.core.engine.event import (
    AccountLinkChanged,
    AccountReconnecting,
    ClockAdvanced,
    OwnerChanged,
    RequestInDoubt,
    RequestNeverReceived,
    SnapshotReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketGap, MarketReconnecting
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.order import RequestKind
from tradebus.strategies.quoter import Quoter

ALPHA_INDEX = ExchangeIndex(ALPHA)

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


def follow(fed: HandFedHub, messages: Sequence[JournalMessage]) -> tuple[Picture, list[Message]]:
    """Feed tick after tick; changes put into the first snapshot must give what a new snapshot says. Return both."""
    reader, told = fed.open(), Picture()
    every: list[Message] = []
    for message in messages:
        fed.feed([message])
        fed.pulse()
        changed = fed.drain(reader)
        every += changed
        told.take(changed)
        if {message.name for message in changed} == {"market"} and fed.fold.sequence % 10:
            continue  # nearly every tick
        anew, whole = fed.open(), Picture()
        whole.take(fed.drain(anew))
        fed.hub.leave(anew)
        assert still(told) == still(whole), f"after tick {fed.fold.sequence}"
    return told, every


async def test_snapshot_and_changes_are_how_everything_stands_after_every_tick(run: EngineRun) -> None:
    each_alone = messages_of(batches_of(run.hashed, run.engine.started, ticks_max=1))
    fed = HandFedHub()
    fed.feed(each_alone[:1])
    told, _ = follow(fed, each_alone[1:])
    projections = fed.fold.projections
    assert len(told.data["trades"]) == projections.counts.fills > 10
    assert len(told.data["exited"]) == projections.counts.positions_exited > 5
    assert [trade["sequence"] for trade in told.data["trades"]] == [
        row.sequence for _, row in projections.fills.rows.oldest_first()
    ]


def rare_events(run: EngineRun) -> list[EngineEvent]:
    """Return what a quiet run has none of: lost links, gaps, operators, payments, doubts, snapshots of accounts."""
    orders = [order for each in run.engine.state.instruments for order in each.orders.values()]
    order = orders[0]
    key, exchange = order.key, int(order.key.exchange)
    late = START_NS * 2
    return [
        MarketGap(ALPHA_INDEX, InstrumentIndex(BTC), 5, 9),
        MarketReconnecting(ALPHA_INDEX, "lost"),
        public_trade(price=60_000, time_ns=late),
        AccountReconnecting(ALPHA_INDEX, "lost"),
        account_event(OwnerChanged("execution-2", 7)),
        balance_told(asset_balance(total=5, time_ns=late)),
        TradingStateUpdate(TradingState.DISABLED, "policy"),
        TradingStateUpdate(TradingState.ENABLED, "alice", "c-1", 1),
        funded(asset=ASSET_USDT, instrument=key.instrument, time_ns=late),
        account_event(RequestInDoubt(key, RequestKind.OPEN, "no answer"), exchange),
        account_event(RequestNeverReceived(key, RequestKind.CANCEL, "the venue does not know it"), exchange),
        account_event(
            SnapshotReceived(AccountSnapshot((asset_balance(ASSET_BTC, 3, time_ns=late),), (order,))), exchange
        ),
        command_of(CancelOrders(ALL_INSTRUMENTS), "c-2"),
        command_of(ClosePositions(ALL_INSTRUMENTS), "c-3"),
        CommandRejected("c-4", "alice", "it expired", 4),
        AccountLinkChanged(ALPHA_INDEX, AccountLink.UNHEALTHY),
        AccountLinkChanged(ALPHA_INDEX, AccountLink.TERMINATED),
        ClockAdvanced(),
    ]


def fail(*_: object) -> None:
    raise RuntimeError("a mistake in a strategy")


async def test_nothing_rare_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    run = EngineRun(events=300, is_ended=False)
    for event in rare_events(run):
        tick = run.engine.process(event, run.hashed[-1].tick.time_ns + 1_000_000)
        run.hashed.append(Hashed(tick, None))
    with monkeypatch.context() as patched:
        patched.setattr(Quoter, "generate_algo_orders", fail)
        tick = run.engine.process(public_trade(price=60_000, instrument=BTC), run.hashed[-1].tick.time_ns + 1_000_000)
    assert any(isinstance(output, Halted) for output in tick.outputs)
    run.hashed.append(Hashed(tick, None))
    count = len(rare_events(run)) + 1
    each_alone = messages_of(batches_of(run.hashed, run.engine.started, ticks_max=1))
    fed = HandFedHub()
    fed.feed(each_alone[:-count])
    told, every = follow(fed, each_alone[-count:])
    assert {message.name for message in every} >= {topic.value for topic in Topic} - {"trade"}
    commands = [each["event"]["type"] for each in told.data["commands"]]
    assert commands == ["trading_state_update", "command", "command", "command_rejected"]


@pytest.mark.parametrize("lost", [False, True])
async def test_ticks_taken_in_runs_are_told_as_those_taken_one_by_one(lost: bool) -> None:
    """Also where a feed is healthy again in the middle of a run."""
    run = EngineRun(events=200, is_ended=False)
    begun = len(run.hashed)
    events: list[EngineEvent] = []
    for number in range(60):
        if lost and number % 20 == 5:
            events.append(MarketReconnecting(ALPHA_INDEX, "lost"))
        time_ns = START_NS * 2 + number
        events.append(public_trade(price=60_000, time_ns=time_ns, instrument=1 + number // 3 % 2))
        events.append(public_trade(price=60_000, time_ns=time_ns))
    for event in events:
        tick = run.engine.process(event, run.hashed[-1].tick.time_ns + 1_000)
        run.hashed.append(Hashed(tick, None))
    told: list[list[tuple[str | None, str, bytes]]] = []
    last: dict[str, bytes] = {}
    for ticks_max in (1, 7, 64):
        messages = messages_of(batches_of(run.hashed, run.engine.started, ticks_max=ticks_max))
        fed = HandFedHub()
        fed.feed(messages[:1])
        steps = fed.open(Selection(frozenset(Topic) - {Topic.MARKET}))
        fed.drain(steps)
        markets = fed.open(Selection(frozenset({Topic.MARKET})))
        fed.drain(markets)
        fed.feed(messages[1:])
        fed.pulse()
        # The first batch is in the first snapshot, and how much of it that is depends on the batches.
        found = [(each.id, each.name, each.data) for each in fed.drain(steps)]
        told.append([each for each in found if int(str(each[0]).partition(".")[0]) >= begun])
        last = {json.loads(each.data)["data"]["instrument"]: each.data for each in fed.drain(markets)}
        told[-1] += [(None, name, data) for name, data in sorted(last.items())]
    assert told[0] == told[1] == told[2]
    assert sum(name == "connectivity" for _, name, _ in told[0]) == (6 if lost else 0)
    assert len(last) == 3


async def test_filters_select_and_leave_nothing_out(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:1])
    every = fed.open()
    instrument = 1
    some = fed.open(Selection(frozenset({Topic.ORDER, Topic.TRADE}), frozenset({instrument})))
    fed.feed(messages[1:])
    name = run.engine.started.index.instruments[instrument].name
    all_told = [message for message in fed.drain(every) if message.name in {"order", "trade"}]
    told = fed.drain(some)[1:]
    assert {message.name for message in told} == {"order", "trade"}
    assert [message.data for message in told] == [
        message.data for message in all_told if f'"instrument":"{name}"'.encode() in message.data
    ]
