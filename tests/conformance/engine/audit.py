"""Run the event scripts: each event's tick, what was sent, and the whole state after it, in engine and replica."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tests.conformance.engine import reading, world
from tests.conformance.engine.links import global_health
from tests.conformance.engine.orders import Model, Reference
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.positions import EXIT_FIELDS, check_exit, check_position, trades_digest
from tests.conformance.engine.vectors import Case
from tests.support.scenario import Scripted, assert_same_state
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import (
    AuditTick,
    Origin,
    Output,
    PositionExit,
    RefusedOpen,
    RequestsDecided,
    RiskOverridden,
)
from tradebus.core.engine.command import CancelOrders, ClosePositions, Command, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.error import EngineError, EngineErrorKind
from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    AccountReconnecting,
    BalanceReceived,
    CancelAnswered,
    OrderReceived,
    Shutdown,
    SnapshotReceived,
    StrategySetup,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState, initial_state
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.engine.state.payoff import payoff_of
from tradebus.core.engine.state.position import (
    Position,
    next_position,
)
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import BookL1, Level, MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Balance, Liquidity, Trade
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
    TradeId,
)
from tradebus.core.model.order import (
    OrderKey,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
)
from tradebus.core.model.side import (
    Side,
)
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.close import close_with_market_orders, quantity_to_close
from tradebus.core.strategy.interface import Decision

LINKS = {"healthy": AccountLink.HEALTHY, "unhealthy": AccountLink.UNHEALTHY, "terminated": AccountLink.TERMINATED}
ORIGINS = {
    "algo_orders": {Origin.ALGO},
    "on_trading_disabled": {Origin.TRADING_DISABLED},
    "market_disconnect": {Origin.MARKET_DISCONNECT},
    "account_disconnect": {Origin.ACCOUNT_DISCONNECT},
}
ACTIONS = {
    "open_orders": Origin.COMMAND_OPEN_ORDERS,
    "cancel_orders": Origin.COMMAND_CANCEL_ORDERS,
    "close_positions": Origin.COMMAND_CLOSE_POSITIONS,
}
ERRORS = {
    EngineErrorKind.LINK_TERMINATED: "execution_channel_terminated",
    EngineErrorKind.LINK_UNHEALTHY: "execution_channel_unhealthy",
    EngineErrorKind.INDEX: "index",
    EngineErrorKind.CUSTOM: "custom",
}


NUMBERS = {*EXIT_FIELDS, "quantity_abs"}


class RefuseInstruments(RiskManager):
    """Refuses opens of some instruments."""

    def __init__(self, instruments: list[int]) -> None:
        self._instruments = frozenset(instruments)

    def check(
        self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        approved = tuple(request for request in opens if request.key.instrument not in self._instruments)
        refused = tuple(RefusedOpen(request, "not this one") for request in opens if request not in approved)
        return RiskDecision(cancels, approved, (), refused)


def buy_and_hold(strategy_id: str) -> Scripted:
    """Return the reference's test strategy: buy 1 of everything that has a price, no position and no order."""
    strategy = StrategyId(strategy_id)

    def key(instrument: InstrumentState) -> OrderKey:
        definition = instrument.instrument
        cid = ClientOrderId(f"InstrumentIndex({definition.index})")
        return OrderKey(definition.exchange, definition.index, strategy, cid)

    def decide(state: EngineState, _event: EngineEvent) -> Decision | None:
        kind, until = OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL
        opens = [
            OrderRequestOpen(key(found), Side.BUY, price, Decimal(1), kind, until)
            for found in state.instruments
            if found.position is None and not found.orders and (price := found.data.price()) is not None
        ]
        return Decision((), opens) if opens else None

    def close(state: EngineState, selection: Any) -> Decision:
        plain = close_with_market_orders(state, selection, strategy)
        opens = [
            OrderRequestOpen(
                key(state.instruments[request.key.instrument]),
                request.side,
                request.price,
                request.quantity,
                request.kind,
                request.time_in_force,
            )
            for request in plain.opens
        ]
        return Decision((), opens)

    return Scripted(decide, strategy_id=strategy_id, close=close)


class Script:
    """One script: an engine, a replica that goes on from the same initial state, and what the rules need to know."""

    def __init__(self, case: Case, check: Check) -> None:
        self._check = check
        setup = case.data["setup"]
        assert setup["strategy"] == "buy_and_hold_test", setup["strategy"]
        self._exchanges: list[str] = setup["exchanges"]
        self._setup = setup
        names = list(_strategies(case.data["steps"])) or ["TestBuyAndHoldStrategy"]
        strategy = buy_and_hold(names[0])
        index = world.index_of(self._exchanges, setup["instruments"], setup["assets"])
        initial = setup["initial_state"]
        trading = TradingState[initial["trading"].upper()]
        started = world.start_record(index, [StrategySetup(strategy.id, "", ())], trading)
        risk = RefuseInstruments(setup["risk_refuses_instruments"])
        self._engine = Engine(started, [strategy], risk, is_debug=True)
        self._prepare(self._engine.state, initial)
        copy = initial_state(started, [strategy.initial_data()])
        self._prepare(copy, initial)
        self._replica = Replica(lambda _setup, _index: None)
        self._replica.resume(copy, -1, 0)
        self._without_account = frozenset(
            name for i, name in enumerate(self._exchanges) if str(i) not in setup["execution_channels"]
        )
        # By instrument: the specification's table, and the same with our corrections.
        self._reference, self._corrected = (
            [Reference(list(found.orders.values()), corrected=corrected) for found in self._engine.state.instruments]
            for corrected in (False, True)
        )
        # By instrument: the fills that came, and the position that they make when each is counted once.
        self._fills: dict[int, list[tuple[str, Side, int]]] = {}
        self._repeated: set[int] = set()
        self._positions = [found.position for found in self._engine.state.instruments]
        # By instrument: time and price of the last trade that counted, in the reference and in ours.
        # Before the step: what of each position no order at work closes. Orders of a close as ours sends them.
        self._unclosed: list[Decimal] = []
        self._less: dict[OrderRequestOpen, OrderRequestOpen] = {}
        self._trades: dict[int, tuple[tuple[int, Decimal], tuple[int, Decimal]]] = {}

    def _prepare(self, state: EngineState, initial: dict[str, Any]) -> None:
        for i, name in enumerate(self._exchanges):
            links = state.connectivity[i]
            links.market_data = Health[initial["connectivity"][name]["market_data"].upper()]
            links.account = Health[initial["connectivity"][name]["account"].upper()]
            channel = self._setup["execution_channels"].get(str(i))
            links.link = AccountLink.NOT_CONFIGURED if channel is None else LINKS[channel]
        for asset, balance in initial["balances"].items():
            state.assets[int(asset)].update_from_balance(_balance({"asset": int(asset), **balance}))
        for written in initial["instruments"]:
            found = state.instruments[written["index"]]
            found.data.price_last = world.decimal_or_none(written["price"])
            found.position = _position(written["position"])
            for item in written["orders"]:
                order = reading.order(_full_order(item, written["index"], found))
                found.orders[order.key.cid] = order

    def step(self, what: str, written: dict[str, Any], expected: dict[str, Any]) -> None:
        """Process one event and compare everything."""
        event = self._event(written)
        active = [set(found.orders) for found in self._engine.state.instruments]
        self._less = {}
        self._unclosed = [quantity_to_close(found) for found in self._engine.state.instruments]
        self._note(written)
        time_ns = reading.time_ns(written["time"]) if "time" in written else 0
        tick = self._engine.process(event, time_ns)
        assert self._replica.apply(tick), f"{what}: the replica takes every tick"
        assert_same_state(self._engine, self._replica)
        self._check.equal(f"{what}.sequence", tick.sequence, expected["sequence"])
        self._check.equal(f"{what}.terminal", tick.is_terminal, expected["terminal"])
        errors = [ERRORS[error.kind] for error in tick.errors]
        wanted = [_error_name(error) for error in expected["errors"]]
        self._check.equal(f"{what}.errors", errors, wanted)
        self._compare_outputs(what, tick, expected, active)
        self._move_orders(event, tick, expected)
        self._compare_state(f"{what}.state", expected["state_after"])

    def _event(self, written: dict[str, Any]) -> EngineEvent:
        kind = written["type"]
        if kind == "shutdown":
            return Shutdown()
        if kind == "trading_state":
            return TradingStateUpdate(TradingState[written["state"].upper()], "operator")
        if kind.startswith("command_"):
            return _command(written)
        exchange = written["exchange"]
        number = ExchangeIndex(exchange if isinstance(exchange, int) else self._exchanges.index(exchange))
        if kind == "account_reconnecting":
            return AccountReconnecting(number, "")
        if kind == "market_reconnecting":
            return MarketReconnecting(number, "")
        if kind.startswith("market_"):
            time = reading.time_ns(written["time"])
            return MarketEvent(time, time, number, InstrumentIndex(written["instrument"]), 0, _market_data(written))
        return AccountEvent(number, 0, 0, _account_data(written))

    def _note(self, written: dict[str, Any]) -> None:
        """Take note of what a rule depends on: trades with equal times."""
        if written["type"] == "market_trade":
            trade = (reading.time_ns(written["time"]), Decimal(written["price"]))
            reference, ours = self._trades.get(written["instrument"], (trade, trade))
            self._trades[written["instrument"]] = (
                trade if reference[0] < trade[0] else reference,
                trade if ours[0] <= trade[0] else ours,
            )

    def _move_orders(self, event: EngineEvent, tick: AuditTick, expected: dict[str, Any]) -> None:
        """Let the models of orders go on: with the event, then with what each engine sent."""
        data = event.data if isinstance(event, AccountEvent) else None
        is_new = not isinstance(data, TradeReceived) or self._note_fill(data.trade)
        for models in (self._reference, self._corrected):
            if data is not None and is_new:
                _tell_models(models, data)
        for written in expected["execution_requests"]:
            _send_models(self._reference, _written_request(written))
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                for request in _sent(output):
                    _send_models(self._corrected, request)

    def _note_fill(self, trade: Trade) -> bool:
        """Keep a fill by what it is recognised by; tell whether it is new."""
        fills = self._fills.setdefault(trade.instrument, [])
        mark = (trade.id, trade.side, trade.time_exchange_ns)
        if mark in fills:
            self._repeated.add(trade.instrument)
            return False
        fills.append(mark)
        payoff = payoff_of(self._engine.state.instruments[trade.instrument].instrument)
        position = self._positions[trade.instrument]
        self._positions[trade.instrument] = next_position(position, trade, payoff, trade.fees)[0]
        return True

    # Outputs

    def _compare_outputs(self, what: str, tick: AuditTick, expected: dict[str, Any], active: list[set[Any]]) -> None:
        ours = self._without_overrides(what, tick)
        wanted: list[dict[str, Any]] = list(expected["outputs"])
        sent = [_written_request(request) for request in expected["execution_requests"]]
        colliding: list[object] = []
        for i, output in enumerate(wanted):
            assert i < len(ours), f"{what}: the reference has output {output}, ours ends with {ours[-1:]}"
            colliding += self._compare_output(f"{what}.outputs[{i}]", ours[i], output, active)
        extra = ours[len(wanted) :]
        if extra:
            assert expected["errors"], f"{what}: the reference has no output {extra}"
            self._compare_kept_output(what, extra, expected)
        found = [request for output in ours if isinstance(output, RequestsDecided) for request in _sent(output)]
        left = [
            self._less.get(request, request) if isinstance(request, OrderRequestOpen) else request for request in sent
        ]
        nothing = [rest for rest in self._less.values() if not rest.quantity]
        wanted_sent = [request for request in left if request not in colliding and request not in nothing]
        self._check.equal(f"{what}.execution_requests", found, wanted_sent)

    def _without_overrides(self, what: str, tick: AuditTick) -> list[Output]:
        """Return our outputs less those that say which refusals a command overrode; these are held to the rule."""
        for output in tick.outputs:
            if isinstance(output, RiskOverridden):
                found = {item.request.key.instrument for item in output.opens}
                refused = found & set(self._setup["risk_refuses_instruments"])
                self._check.differs("override-is-told", f"{what}.overridden", refused, found)
        return [output for output in tick.outputs if not isinstance(output, RiskOverridden)]

    def _compare_output(self, what: str, ours: object, wanted: dict[str, Any], active: list[set[Any]]) -> list[object]:
        """Compare one output; return the requests that ours refused because their ids are in use."""
        if wanted["output"] == "position_exit":
            assert isinstance(ours, PositionExit), f"{what}: expected a closed position, found {ours}"
            self._check.equal(f"{what}.instrument", ours.exited.instrument, wanted["instrument"])
            check_exit(self._check, what, ours.exited, wanted)
            return []
        assert isinstance(ours, RequestsDecided), f"{what}: expected {wanted['output']}, found {ours}"
        origins = {ACTIONS[wanted["action"]]} if wanted["output"] == "commanded" else ORIGINS[wanted["output"]]
        self._check.equal(f"{what}.origin", ours.origin in origins, expected=True)
        empty: dict[str, Any] = {"sent": [], "errors": []}
        if "sent" in wanted:
            half = "cancels" if wanted["action"] == "cancel_orders" else "opens"
            wanted = {half: {"sent": wanted["sent"], "errors": wanted["errors"]}, **wanted}
        cancels, opens = wanted.get("cancels", empty), wanted.get("opens", empty)
        wanted_cancels = [_written_request(request) for request in cancels["sent"]]
        self._check.equal(f"{what}.cancels", list(ours.cancels_sent), wanted_cancels)
        wanted_opens = [reading.open_request(request) for request in opens["sent"]]
        if ours.origin is Origin.COMMAND_CLOSE_POSITIONS:
            wanted_opens = self._less_at_work(what, ours, wanted_opens)
        colliding = [request for request in wanted_opens if request.key.cid in active[request.key.instrument]]
        opened = [request for request in wanted_opens if request not in colliding]
        self._check.equal(f"{what}.opens", list(ours.opens_sent), opened)
        self._compare_failures(f"{what}.cancels", [(item.request, item.error) for item in ours.cancels_failed], cancels)
        self._compare_failures(f"{what}.opens", [(item.request, item.error) for item in ours.opens_failed], opens)
        refused = [_written_request(item.get("request_refused", item)) for item in wanted.get("cancels_refused", ())]
        self._check.equal(f"{what}.cancels_refused", [item.request for item in ours.cancels_refused], refused)
        refused = [_written_request(item) for item in wanted.get("opens_refused", ())]
        if colliding:
            in_use = [item.request for item in ours.opens_refused if "is in use by an active order" in item.reason]
            self._check.differs("colliding-id-refused", f"{what}.opens", in_use, colliding)
            refused = [*colliding, *refused]
        self._check.equal(f"{what}.opens_refused", [item.request for item in ours.opens_refused], refused)
        return list(colliding)

    def _less_at_work(self, what: str, ours: RequestsDecided, wanted: list[OrderRequestOpen]) -> list[OrderRequestOpen]:
        """Return the orders of a close less what orders at work close already; they are held to the rule."""
        less = []
        for request in wanted:
            quantity = min(request.quantity, self._unclosed[request.key.instrument])
            rest = OrderRequestOpen(
                request.key, request.side, request.price, quantity, request.kind, request.time_in_force
            )
            self._less[request] = rest
            less.append(rest)
        if less != wanted:
            found = [*ours.opens_sent, *(refused.request for refused in ours.opens_refused)]
            self._check.differs("close-counts-orders", f"{what}.opens", found, [rest for rest in less if rest.quantity])
        return [rest for rest in less if rest.quantity]

    def _compare_failures(self, what: str, ours: list[tuple[object, EngineError]], wanted: dict[str, Any]) -> None:
        expected = [(_written_request(item["request"]), item["error"]) for item in wanted["errors"]]
        self._check.equal(f"{what}.failed", [request for request, _ in ours], [request for request, _ in expected])
        for (_, error), (_, written) in zip(ours, expected, strict=True):
            ((recovery, name),) = written.items()
            self._check.equal(f"{what}.recovery", error.is_recoverable, recovery == "recoverable")
            self._check.equal(f"{what}.error", ERRORS[error.kind], _error_name(name))

    def _compare_kept_output(self, what: str, extra: list[Any], expected: dict[str, Any]) -> None:
        """An algorithmic decision that failed for good stands in our tick: what was sent, and each failure."""
        kept = extra[0]
        assert len(extra) == 1, f"{what}: {extra}"
        assert isinstance(kept, RequestsDecided), f"{what}: {extra}"
        failed = [item.error for item in kept.cancels_failed] + [item.error for item in kept.opens_failed]
        found = [ERRORS[error.kind] for error in failed if not error.is_recoverable]
        wanted = [_error_name(error) for error in expected["errors"]]
        self._check.differs("algo-output-kept", f"{what}.outputs", (kept.origin, found), (Origin.ALGO, wanted))

    # State

    def _compare_state(self, what: str, expected: dict[str, Any]) -> None:
        check, state = self._check, self._engine.state
        check.equal(f"{what}.trading", state.trading.name.lower(), expected["trading"])
        links = expected["connectivity"]
        for i, name in enumerate(self._exchanges):
            found = state.connectivity[i]
            check.equal(f"{what}.{name}.market_data", found.market_data.name.lower(), links[name]["market_data"])
            check.equal(f"{what}.{name}.account", found.account.name.lower(), links[name]["account"])
        rule = "derived-health" if global_health(links) != expected["global_health"] else "data-only-exchange"
        derived = global_health(links, self._without_account)
        check.equal_or(rule, f"{what}.global", state.global_health.name.lower(), expected["global_health"], derived)
        balances = {
            str(i): {"total": asset.balance.total, "free": asset.balance.free, "time": asset.time_exchange_ns}
            for i, asset in enumerate(state.assets)
            if asset.balance is not None
        }
        written = {asset: balance for asset, balance in expected["balances"].items() if balance is not None}
        check.equal(f"{what}.balances", set(balances), set(written))
        for asset, balance in written.items():
            check.equal(f"{what}.balances.{asset}.total", balances[asset]["total"], balance["total"])
            check.equal(f"{what}.balances.{asset}.free", balances[asset]["free"], balance["free"])
            check.equal(f"{what}.balances.{asset}.time", balances[asset]["time"], reading.time_ns(balance["time"]))
        for item in expected["instruments"]:
            self._compare_instrument(f"{what}.instruments[{item['index']}]", item)

    def _compare_instrument(self, what: str, expected: dict[str, Any]) -> None:
        check = self._check
        found = self._engine.state.instruments[expected["index"]]
        price = found.data.price()
        wanted = world.decimal_or_none(expected["price"])
        if not check.same(price, wanted):
            reference, ours = self._trades[expected["index"]]
            check.equal(f"{what}.price by the specification", reference[1], wanted)
            check.differs("equal-time-trades", f"{what}.price", price, ours[1])
        if expected["index"] in self._repeated:
            once = self._positions[expected["index"]]
            check.differs("fill-applied-once", f"{what}.position", found.position, once)
        else:
            check_position(check, f"{what}.position", found.position, expected["position"], price)
        orders = {cid: reading.plain_order(order) for cid, order in found.orders.items()}
        listed = {order["cid"]: reading.written_order(order) for order in expected["orders"]}
        model = self._reference[expected["index"]].orders
        check.equal(f"{what}.orders by the specification", _plain_orders(model), listed)
        model = self._corrected[expected["index"]].orders
        check.equal(f"{what}.orders by the corrected table", orders, _plain_orders(model))
        if orders != listed:
            rules = self._corrected[expected["index"]].rules
            assert rules, f"{what}: the reference has {listed}, ours {orders}"
            for rule in rules:
                check.differs(rule, f"{what}.orders", orders, _plain_orders(model))

    def compare_summary(self, expected: dict[str, Any]) -> None:
        """Compare what closed positions made; the rest of a summary is statistics."""
        for name, profit in expected.get("pnl_raw", {}).items():
            found = self._engine.state.instruments[int(name.rpartition("_")[2])]
            self._check.equal(f"summary.{name}", found.exits.pnl_realised, profit)


def _strategies(written: Any) -> Iterator[str]:
    """Yield the names of strategies in the order in which the script uses them."""
    if isinstance(written, dict):
        if isinstance(written.get("strategy"), str):
            yield written["strategy"]
        for value in written.values():
            yield from _strategies(value)
    elif isinstance(written, list):
        for value in written:
            yield from _strategies(value)


def _error_name(written: str) -> str:
    return "index" if "index" in written else written


def _written_request(written: dict[str, Any]) -> OrderRequestOpen | OrderRequestCancel:
    if isinstance(written.get("request"), dict):
        written = written["request"]
    is_cancel = written.get("request") == "cancel" or "side" not in written
    return reading.cancel_request(written) if is_cancel else reading.open_request(written)


def _plain_orders(orders: Model) -> dict[str, dict[str, object]]:
    return {cid: reading.plain_order(order) for cid, order in orders.items()}


def _tell_models(models: list[Reference], data: AccountData) -> None:
    if isinstance(data, OrderReceived):
        models[data.order.key.instrument].snapshot(data.order)
    elif isinstance(data, CancelAnswered):
        models[data.key.instrument].cancel_answer(data.key.cid, data.error)
    elif isinstance(data, TradeReceived):
        models[data.trade.instrument].fill(data.trade)
    elif isinstance(data, SnapshotReceived):
        for order in data.snapshot.orders:
            models[order.key.instrument].snapshot(order)


def _send_models(models: list[Reference], request: OrderRequestOpen | OrderRequestCancel) -> None:
    if isinstance(request, OrderRequestOpen):
        models[request.key.instrument].record_open(request)
    else:
        models[request.key.instrument].record_cancel(request.key.cid)


def _sent(output: RequestsDecided) -> tuple[OrderRequestCancel | OrderRequestOpen, ...]:
    return (*output.cancels_sent, *output.opens_sent)


def _balance(written: dict[str, Any]) -> AssetBalance:
    balance = Balance(Decimal(written["total"]), Decimal(written["free"]))
    return AssetBalance(AssetIndex(written["asset"]), balance, reading.time_ns(written["time"]))


def _position(written: dict[str, Any] | None) -> Position | None:
    if written is None:
        return None
    number = {name: Decimal(text) for name, text in written.items() if name in NUMBERS}
    trades = written["trades"]
    return Position(
        InstrumentIndex(written["instrument"]),
        reading.side(written["side"]),
        number["price_entry_average"],
        number["quantity_abs"],
        number["quantity_abs_max"],
        number["price_entry_average"],
        number["pnl_realised"],
        number["fees_enter"],
        number["fees_exit"],
        reading.time_ns(written["time_enter"]),
        reading.time_ns(written["time_exchange_update"]),
        len(trades),
        trades_digest(trades),
        Decimal(0),
    )


def _full_order(written: dict[str, Any], instrument: int, found: InstrumentState) -> dict[str, Any]:
    """Return an order of an initial state in the form of an order snapshot."""
    key = {"exchange": found.instrument.exchange, "instrument": instrument, "strategy": "s", "cid": written["cid"]}
    part = {name: written.get(name) for name in ("id", "time_exchange", "filled_quantity")}
    state: dict[str, Any] = {"active": written["state"], **part}
    if written["state"] == "cancel_in_flight":
        state["order"] = None if part["id"] is None else part
    return {**written, "key": key, "state": state}


def _market_data(written: dict[str, Any]) -> PublicTrade | BookL1:
    if written["type"] == "market_trade":
        return PublicTrade("", Decimal(written["price"]), Decimal(written["amount"]), reading.side(written["side"]))
    levels = [written.get("l1", written)[name] for name in ("best_bid", "best_ask")]
    bid, ask = (None if item is None else Level(Decimal(item["price"]), Decimal(item["amount"])) for item in levels)
    return BookL1(bid, ask)


def _account_data(written: dict[str, Any]) -> AccountData:
    kind = written["type"]
    if kind == "balance":
        return BalanceReceived(_balance(written))
    if kind == "order_snapshot":
        return OrderReceived(reading.order(written["order"]))
    if kind == "order_cancelled":
        key = reading.order_key(written.get("key", written))
        answer = written["result"]
        if "err" in answer:
            return CancelAnswered(key, None, None, reading.order_error(answer["err"]))
        accepted = answer["ok"]
        return CancelAnswered(key, OrderId(accepted["id"]), reading.time_ns(accepted["time_exchange"]), None)
    if kind == "account_snapshot":
        orders = [reading.order(order) for item in written["instruments"] for order in item["orders"]]
        return SnapshotReceived(AccountSnapshot(tuple(_balance(item) for item in written["balances"]), tuple(orders)))
    assert kind == "trade", f"unknown event {kind}"
    return TradeReceived(
        Trade(
            TradeId(written["id"]),
            OrderId(written["order_id"]),
            ClientOrderId(""),
            InstrumentIndex(written["instrument"]),
            StrategyId(written["strategy"]),
            reading.time_ns(written["time"]),
            reading.side(written["side"]),
            Decimal(written["price"]),
            Decimal(written["quantity"]),
            Decimal(written["fees"]),
            None,
            Liquidity.TAKER,
        )
    )


def _command(written: dict[str, Any]) -> Command:
    kind = written["type"]
    # The reference's commands pass by the risk manager: ours do where they say so.
    if kind == "command_send_open_requests":
        opens = tuple(reading.open_request(item) for item in written["requests"])
        return Command("1", "operator", SendOpenRequests(opens, override_risk=True))
    if kind == "command_send_cancel_requests":
        cancels = tuple(reading.cancel_request(item) for item in written["requests"])
        return Command("1", "operator", SendCancelRequests(cancels))
    selection = reading.instrument_filter(written["filter"])
    if kind == "command_cancel_orders":
        return Command("1", "operator", CancelOrders(selection))
    assert kind == "command_close_positions", f"unknown command {kind}"
    return Command("1", "operator", ClosePositions(selection, override_risk=True))


def run_script(case: Case, check: Check) -> None:
    """Process a script's events."""
    script = Script(case, check)
    for i, step in enumerate(case.data["steps"]):
        script.step(f"steps[{i}]", step["event"], step["expected"])
    script.compare_summary(case.data.get("expected_summary", {}))


RUNNERS = {("engine/audit_sequence.json", "scripts"): run_script}
