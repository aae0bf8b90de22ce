"""Run the vectors of market data, of time and of what strategies send."""

from decimal import Decimal
from typing import Any

from tests.conformance.engine import reading, world
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import account_event, command_of, fill, filled
from tests.support.scenario import Scripted, answer_once
from tradebus.core.backtest.loop import VirtualTimeLoop
from tradebus.core.engine.apply import apply_event
from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.command import ALL_INSTRUMENTS, CancelOrders
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.error import EngineErrorKind
from tradebus.core.engine.event import (
    AccountReconnecting,
    BalanceReceived,
    CancelAnswered,
    OrderReceived,
    Shutdown,
    SnapshotReceived,
    StrategySetup,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.execution.times import event_time_exchange_ns
from tradebus.core.market.event import (
    BookL1,
    BookL2Snapshot,
    Candle,
    Level,
    Liquidation,
    MarketData,
    MarketEvent,
    MarketReconnecting,
    PublicTrade,
)
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Balance
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
)
from tradebus.core.model.order import (
    Order,
    OrderKey,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.close import close_with_market_orders
from tradebus.core.strategy.interface import Decision

ONE = Decimal(1)
OTHER_KINDS: dict[str, MarketData] = {
    "l2": BookL2Snapshot(1, None, (Level(ONE, ONE),), (Level(Decimal(2), ONE),)),
    "candle": Candle(1, ONE, ONE, ONE, ONE, ONE, 1),
    "liquidation": Liquidation(Side.BUY, ONE, ONE),
}
"""By the names of section 1.2; none of them has a part in the default data's price."""


def _level(written: dict[str, str] | None) -> Level | None:
    return None if written is None else Level(Decimal(written["price"]), Decimal(written["amount"]))


def market_event(time_ns: int, data: MarketData, exchange: int = 0, instrument: int = 0) -> MarketEvent:
    """Return a market event received when it happened."""
    return MarketEvent(time_ns, time_ns, ExchangeIndex(exchange), InstrumentIndex(instrument), 0, data)


def _is_kept(kept_ns: int | None, time_ns: int, *, equal_counts: bool) -> bool:
    return kept_ns is None or kept_ns < time_ns or (equal_counts and kept_ns == time_ns)


def _price(events: list[dict[str, Any]], *, corrected: bool) -> Decimal | None:
    """Return the price after market events by the specification (section 1.6), or with our two rules."""
    last: tuple[int, Decimal] | None = None
    book: tuple[int, Any] = (0, {"best_bid": None, "best_ask": None})
    for event in events:
        time = reading.time_ns(event["time_exchange"])
        if event["type"] == "trade":
            if _is_kept(None if last is None else last[0], time, equal_counts=corrected):
                last = (time, Decimal(event["price"]))
        elif event["type"] == "l1" and book[0] < time:
            own = event["l1"].get("last_update_time")
            book = (time if corrected or own is None else reading.time_ns(own), event["l1"])
    bid, ask = _level(book[1]["best_bid"]), _level(book[1]["best_ask"])
    if bid is None or ask is None:
        return None if last is None else last[1]
    return (bid.price * ask.amount + ask.price * bid.amount) / (bid.amount + ask.amount)


def run_default_market_data(case: Case, check: Check) -> None:
    """Keep the newest trade and book, and derive a price."""
    state = world.state_of(world.index_of(["a"], [{"index": 0}]))
    events: list[dict[str, Any]] = case.data["events"]
    for event in events:
        time = reading.time_ns(event["time_exchange"])
        if event["type"] == "trade":
            side = reading.side(event.get("side", "buy"))
            data: MarketData = PublicTrade("", Decimal(event["price"]), Decimal(event.get("amount", "1")), side)
        elif event["type"] in OTHER_KINDS:
            data = OTHER_KINDS[event["type"]]
        else:
            assert event["type"] == "l1", f"unknown market event {event['type']}"
            data = BookL1(_level(event["l1"]["best_bid"]), _level(event["l1"]["best_ask"]))
        apply_event(state, market_event(time, data))
    expected = world.decimal_or_none(case.data["expected_price"])
    check.equal("the specification's rule itself", _price(events, corrected=False), expected)
    own_times = any("l1" in event and event["l1"].get("last_update_time") != event["time_exchange"] for event in events)
    rule = "one-time-per-book" if own_times else "equal-time-trades"
    check.equal_or(rule, "price", state.instruments[0].data.price(), expected, _price(events, corrected=True))


def _engine(*, initial_ns: int = 0) -> VirtualTimeLoop:
    started = world.start_record(world.index_of(["a"], [{"index": 0}]))
    loop = VirtualTimeLoop(Engine(started, [], RiskManager()), [], lambda _tick: None)
    loop.start(initial_ns)
    return loop


def _trade(time_ns: int) -> MarketEvent:
    return market_event(time_ns, PublicTrade("", ONE, ONE, Side.BUY))


def run_historical_process(case: Case, check: Check) -> None:
    """Move time by what events say."""
    loop = _engine(initial_ns=reading.time_ns(case.data["initial_time"]))
    for event in case.data["events"]:
        if event["kind"] == "market_item":
            loop.feed(_trade(reading.time_ns(event["time_exchange"])))
        else:
            assert event["kind"] == "market_reconnecting", f"unknown event {event['kind']}"
            loop.engine.process(MarketReconnecting(ExchangeIndex(0), ""), loop.time_ns)
    check.equal("time", loop.engine.time_ns, reading.time_ns(case.data["expected_time_exchange_last"]))


def run_historical_elapsed(case: Case, check: Check) -> None:
    """See that virtual time stands still while nothing happens, however long that takes."""
    initial = reading.time_ns(case.data["initial_time"])
    loop = _engine(initial_ns=initial)
    check.differs("engine-time", "elapsed", loop.engine.time_ns, initial)


def run_out_of_order_severity(case: Case, check: Check) -> None:
    """See that a late event leaves time where it is; nothing is logged, because lateness is ordinary."""
    now = 10**18
    loop = _engine(initial_ns=now)
    loop.feed(_trade(now - case.data["behind_ms"] * 1_000_000))
    check.differs("engine-time", "time", loop.engine.time_ns, now)


def _balance_at(time_ns: int) -> AssetBalance:
    return AssetBalance(AssetIndex(0), Balance(ONE, ONE), time_ns)


def _order_with(state: dict[str, Any]) -> Order:
    key = OrderKey(ExchangeIndex(0), InstrumentIndex(0), StrategyId("s"), ClientOrderId("c"))
    kind, until = OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED
    return Order(key, Side.BUY, ONE, ONE, kind, until, reading.order_state(state))


def _clock_event(written: dict[str, Any]) -> EngineEvent:
    """Return the event of a kind; its times are the vector's."""
    kind = written["type"]
    time = reading.time_ns(written["time"]) if "time" in written else 0
    key = _order_with({"active": "open_in_flight"}).key
    if kind.startswith("market_") and kind != "market_reconnecting":
        return _trade(time)
    if kind == "trading_state":
        return TradingStateUpdate(TradingState[written["state"].upper()], "")
    if kind == "balance":
        return account_event(BalanceReceived(_balance_at(time)))
    if kind == "trade":
        return filled(fill(time_ns=time))
    if kind == "order_snapshot":
        return account_event(OrderReceived(_order_with(written["state"])))
    if kind == "order_cancelled":
        answer = written["result"]
        if "ok" in answer:
            accepted = answer["ok"]
            return account_event(
                CancelAnswered(key, OrderId(accepted["id"]), reading.time_ns(accepted["time_exchange"]), None)
            )
        return account_event(CancelAnswered(key, None, None, reading.order_error(answer["err"])))
    if kind == "account_snapshot":
        balances = tuple(_balance_at(reading.time_ns(text)) for text in written["balances"])
        orders = tuple(_order_with(state) for state in written["orders"])
        return account_event(SnapshotReceived(AccountSnapshot(balances, orders)))
    bare: dict[str, EngineEvent] = {
        "account_reconnecting": AccountReconnecting(ExchangeIndex(0), ""),
        "market_reconnecting": MarketReconnecting(ExchangeIndex(0), ""),
        "shutdown": Shutdown(),
    }
    if kind.startswith("command"):
        return command_of(CancelOrders(ALL_INSTRUMENTS))
    return bare[kind]


def run_event_time_exchange(case: Case, check: Check) -> None:
    """Read the venue's time of each kind of event."""
    expected = case.data["expected"]
    wanted = None if expected is None else reading.time_ns(expected)
    check.equal("time", event_time_exchange_ns(_clock_event(case.data["event"])), wanted)


def run_close_positions(case: Case, check: Check) -> None:
    """Close positions the plain way."""
    instruments = case.data["instruments"]
    exchanges = [str(i) for i in range(1 + max(item["exchange"] for item in instruments))]
    state = world.state_of(world.index_of(exchanges, instruments))
    for item in instruments:
        found = state.instruments[item["index"]]
        found.data.price_last = world.decimal_or_none(item["market_price"])
        held = item["position"]
        if held is not None:
            price = "1" if item["market_price"] is None else item["market_price"]
            trade = fill("t", reading.side(held["side"]), price, held["quantity_abs"], instrument=item["index"])
            found.update_from_trade(trade, trade.fees, trade.strategy)
    selection = reading.instrument_filter(case.data["filter"])
    strategies = {request["strategy"] for request in case.data["expected_open_requests"]} or {"default"}
    decision = close_with_market_orders(state, selection, StrategyId(strategies.pop()))
    check.equal("cancels", list(decision.cancels), case.data["expected_cancel_requests"])
    # Without an id of its own a request gets one from the engine.
    wanted = [reading.open_request({"cid": "", **request}) for request in case.data["expected_open_requests"]]
    check.equal("opens", list(decision.opens), wanted)


def run_unrecoverable_errors(case: Case, check: Check) -> None:
    """Send to accounts that cannot be reached; one exchange for each request, so that each error has its own."""
    cancels, opens = case.data["cancel_errors"], case.data["open_errors"]
    errors = [*cancels, *opens]
    exchanges = [str(i) for i in range(len(errors))]
    index = world.index_of(exchanges, [{"index": i, "exchange": i} for i in range(len(errors))])
    keys = [
        OrderKey(ExchangeIndex(i), InstrumentIndex(i), StrategyId("s"), ClientOrderId(f"c{i}"))
        for i in range(len(errors))
    ]
    kind, until = OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL
    decision = Decision(
        [OrderRequestCancel(key, None) for key in keys[: len(cancels)]],
        [OrderRequestOpen(key, Side.BUY, ONE, ONE, kind, until) for key in keys[len(cancels) :]],
    )
    strategy = Scripted(answer_once(decision))
    started = world.start_record(index, [StrategySetup(strategy.id, "", ())], TradingState.ENABLED)
    engine = Engine(started, [strategy], RiskManager())
    for i, error in enumerate(errors):
        engine.state.connectivity[i].link = (
            AccountLink.TERMINATED if "unrecoverable" in error else AccountLink.UNHEALTHY
        )
    tick = engine.process(_trade(1), 1)
    names = [exchange.value for exchange in index.exchanges]
    texts = {names[i]: next(iter(error.values())) for i, error in enumerate(errors)}
    found = [next(texts[name] for name in names if f" {name} " in error.message) for error in tick.errors]
    check.equal("unrecoverable", found or None, case.data["expected_unrecoverable"])
    check.equal("kinds", {error.kind for error in tick.errors} <= {EngineErrorKind.LINK_TERMINATED}, expected=True)
    _check_nothing_lost(check, tick, len(cancels), len(opens))


def _check_nothing_lost(check: Check, tick: AuditTick, cancels: int, opens: int) -> None:
    decided = [output for output in tick.outputs if isinstance(output, RequestsDecided)]
    check.equal("cancels that failed", sum(len(output.cancels_failed) for output in decided), cancels)
    check.equal("opens that failed", sum(len(output.opens_failed) for output in decided), opens)


RUNNERS = {
    ("engine/instrument_data.json", "default_market_data"): run_default_market_data,
    ("engine/clock.json", "historical_process"): run_historical_process,
    ("engine/clock.json", "historical_elapsed"): run_historical_elapsed,
    ("engine/clock.json", "out_of_order_severity"): run_out_of_order_severity,
    ("engine/clock.json", "event_time_exchange"): run_event_time_exchange,
    ("engine/close_positions.json", "close_positions"): run_close_positions,
    ("engine/send_requests.json", "unrecoverable_errors"): run_unrecoverable_errors,
}
