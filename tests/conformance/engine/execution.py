"""Run the vectors of the execution layer: names and indices, answers of clients, errors, and the configuration."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from services.market.venues.backoff import Backoff, ReconnectPolicy
from tests.conformance.engine import instruments, reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tradebus.core.engine.event import (
    AccountEvent,
    BalanceReceived,
    CancelAnswered,
    OrderReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.execution.answers import TIMED_OUT, account_name, cancel_answered, open_answered
from tradebus.core.execution.error import (
    AccountSnapshotFailed,
    AccountStreamFailed,
    AssetKeyError,
    ClientMismatch,
    ClientRefused,
    ClientUnreachable,
    ExchangeKeyError,
    InstrumentKeyError,
    cause_text,
    is_connectivity,
    order_error_text,
)
from tradebus.core.execution.indexer import AccountIndexer
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import (
    Fees,
    InstrumentOrders,
    NamedAccountEvent,
    NamedBalance,
    NamedCancelAnswer,
    NamedData,
    NamedKey,
    NamedOrder,
    NamedSnapshot,
    NamedTrade,
)
from tradebus.core.execution.naming import named_cancel, named_open
from tradebus.core.model.account import Balance, Liquidity, Trade
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
    TradeId,
    parse_exchange_id,
)
from tradebus.core.model.index import AssetIndexError, ExchangeIndexError, IndexedInstruments, InstrumentIndexError
from tradebus.core.model.order import (
    Cancelled,
    Open,
    OpenFailed,
    Order,
    OrderError,
    OrderErrorKind,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
)
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.tagged import instrument as tagged
from tradebus.wire.tagged.system import system_config, system_started

MS = 1_000_000
LOOK_UP_ERRORS: dict[str, type[LookupError]] = {
    "IndexError.ExchangeIndex": ExchangeIndexError,
    "IndexError.AssetIndex": AssetIndexError,
    "IndexError.InstrumentIndex": InstrumentIndexError,
    "KeyError.ExchangeId": ExchangeKeyError,
    "KeyError.AssetKey": AssetKeyError,
    "KeyError.InstrumentKey": InstrumentKeyError,
}


_NOWHERE = ExecutionInstrumentMap(
    instruments.index_of([{"exchange": "okx", "base": "a", "quote": "b", "kind": "spot"}]), parse_exchange_id("okx")
)
LOOK_UPS_THAT_FAIL: dict[type[LookupError], Callable[[], object]] = {
    ExchangeIndexError: lambda: _NOWHERE.find_exchange_index(parse_exchange_id("kraken")),
    AssetIndexError: lambda: _NOWHERE.find_asset_index(""),
    InstrumentIndexError: lambda: _NOWHERE.find_instrument_index(""),
    ExchangeKeyError: lambda: _NOWHERE.find_exchange_id(ExchangeIndex(9)),
    AssetKeyError: lambda: _NOWHERE.find_asset_name_exchange(AssetIndex(9)),
    InstrumentKeyError: lambda: _NOWHERE.find_instrument_name_exchange(InstrumentIndex(9)),
}


def named_error(written: dict[str, Any]) -> OrderError:
    """Return an error as the vectors of execution write it: class, variant, and what it is about."""
    name = written.get("api") or written["connectivity"]
    subject = next((written[key] for key in ("asset", "instrument", "exchange") if key in written), "")
    return OrderError(OrderErrorKind[reading.snake(name).upper()], str(subject), written.get("message", ""))


# Errors


def run_error_messages(case: Case, check: Check) -> None:
    """Print errors."""
    written = case.data["error"]
    kind, name = written["type"], written.get("class")
    if kind == "client" and name in {"AccountSnapshot", "AccountStream"}:
        failure = AccountSnapshotFailed if name == "AccountSnapshot" else AccountStreamFailed
        text = str(failure(written["message"]))
    elif kind == "client":
        raised = ClientUnreachable if name == "Connectivity" else ClientRefused
        text = str(raised(named_error(written)))
    elif kind == "order":
        error = named_error(written)
        check.equal("class", is_connectivity(error), name == "Connectivity")
        text = order_error_text(error)
    elif kind in {"key", "index"}:
        # What could not be found is said in our words; the kind stands before it.
        error_class = LOOK_UP_ERRORS[f"{kind.capitalize()}Error.{name}"]
        with pytest.raises(error_class) as raised_look_up:
            LOOK_UPS_THAT_FAIL[error_class]()
        prefix = case.data["expected_message"].partition(" ")[0]
        check.equal("prefix", str(raised_look_up.value).partition(" ")[0], prefix)
        return
    else:
        assert kind in {"api", "connectivity"}, f"unknown error {kind}"
        text = cause_text(named_error(written))
    check.equal("message", text, case.data["expected_message"])


# Names and indices


def _map(case: Case) -> ExecutionInstrumentMap:
    index = instruments.index_of(case.data["instruments"])
    return ExecutionInstrumentMap(index, parse_exchange_id(case.data["map_exchange"]))


def _look_up(case: Case) -> object:
    names, args = _map(case), case.data["args"]
    calls: dict[str, Callable[[], object]] = {
        "find_exchange_id": lambda: names.find_exchange_id(ExchangeIndex(args[0])).value,
        "find_exchange_index": lambda: names.find_exchange_index(parse_exchange_id(args[0])),
        "find_asset_name_exchange": lambda: names.find_asset_name_exchange(AssetIndex(args[0])),
        "find_asset_index": lambda: names.find_asset_index(args[0]),
        "find_instrument_name_exchange": lambda: names.find_instrument_name_exchange(InstrumentIndex(args[0])),
        "find_instrument_index": lambda: names.find_instrument_index(args[0]),
        "exchange_assets": lambda: sorted(names.exchange_assets()),
        "exchange_instruments": lambda: sorted(names.exchange_instruments()),
        "generate": lambda: None,
    }
    return calls[case.data["op"]]()


def run_instrument_map(case: Case, check: Check) -> None:
    """Look up names and indices of one exchange."""
    if "expected_error" in case.data:
        error = LOOK_UP_ERRORS[case.data["expected_error"]["class"]]
        prefix = case.data["expected_error"]["class"].partition(".")[2]
        with pytest.raises(error, match=f"^{prefix}: "):
            _look_up(case)
        return
    expected = case.data.get("expected")
    check.equal("found", _look_up(case), sorted(expected) if isinstance(expected, list) else expected)


def _named_key(written: dict[str, Any]) -> NamedKey:
    exchange = parse_exchange_id(written["exchange"])
    return NamedKey(exchange, written["instrument"], StrategyId(written["strategy"]), ClientOrderId(written["cid"]))


def _state(written: dict[str, Any]) -> OrderState:
    inactive = written.get("inactive")
    if isinstance(inactive, dict) and "open_failed" in inactive:
        return OpenFailed(named_error(inactive["open_failed"]))
    return reading.order_state(written)


def _named_order(written: dict[str, Any]) -> NamedOrder:
    return NamedOrder(
        _named_key(written["key"]),
        reading.side(written["side"]),
        Decimal(written["price"]),
        Decimal(written["quantity"]),
        reading.order_kind(written["order_kind"] if "order_kind" in written else written["kind"]),
        reading.time_in_force(written["time_in_force"]),
        _state(written["state"]),
    )


def _named_balance(written: dict[str, Any]) -> NamedBalance:
    balance = Balance(Decimal(written["total"]), Decimal(written["free"]))
    return NamedBalance(written["asset"], balance, written["time_exchange_ms"] * MS)


def _named_data(written: dict[str, Any]) -> NamedData:
    kind = written["kind"]
    if kind == "balance_snapshot":
        return _named_balance(written)
    if kind == "order_snapshot":
        return _named_order(written)
    if kind == "order_cancelled":
        answer = written["state"]
        key = _named_key(written["key"])
        if "ok" in answer:
            done = answer["ok"]
            return NamedCancelAnswer(key, OrderId(done["id"]), done["time_exchange_ms"] * MS, None)
        return NamedCancelAnswer(key, None, None, named_error(answer.get("error") or answer["err"]))
    if kind == "snapshot":
        snapshot = written["snapshot"]
        return NamedSnapshot(
            tuple(_named_balance(item) for item in snapshot["balances"]),
            tuple(
                InstrumentOrders(item["instrument"], tuple(_named_order(order) for order in item.get("orders", ())))
                for item in snapshot["instruments"]
            ),
        )
    assert kind == "trade", f"unknown account event {kind}"
    return NamedTrade(
        TradeId(written["id"]),
        OrderId(written["order_id"]),
        ClientOrderId(""),
        written["instrument"],
        StrategyId(written["strategy"]),
        written["time_exchange_ms"] * MS,
        reading.side(written["side"]),
        Decimal(written["price"]),
        Decimal(written["quantity"]),
        Fees(Decimal(written["fees_quote"]), None),
        Liquidity.TAKER,
    )


class IndexedChecks:
    """Compares what was indexed with what a vector says of it, member by member."""

    def __init__(self, check: Check, index: IndexedInstruments) -> None:
        self._check = check
        self._index = index

    def event(self, found: AccountEvent, expected: dict[str, Any]) -> None:
        """Compare a whole event."""
        self._check.equal("exchange", found.exchange, expected["exchange"])
        data = found.data
        if isinstance(data, BalanceReceived):
            self._check.equal("kind", "balance_snapshot", expected["kind"])
            self.balance("balance", data.balance.asset, data.balance.balance, data.balance.time_exchange_ns, expected)
        elif isinstance(data, OrderReceived):
            self._check.equal("kind", "order_snapshot", expected["kind"])
            self.order("order", data.order, expected)
        elif isinstance(data, TradeReceived):
            self._check.equal("kind", "trade", expected["kind"])
            self.trade(data.trade, expected)
        elif isinstance(data, CancelAnswered):
            self._check.equal("kind", "order_cancelled", expected["kind"])
            self._check.equal("key", data.key, reading.order_key(expected["key"]))
            answer = expected["state"]
            if "ok" in answer:
                ours = [data.id, data.time_exchange_ns, data.error]
                done = answer["ok"]
                self._check.equal("answer", ours, [done["id"], done["time_exchange_ms"] * MS, None])
            else:
                assert data.error is not None
                self.error("error", data.error, answer.get("error") or answer["err"])
        else:
            assert isinstance(data, SnapshotReceived)
            self._check.equal("kind", "snapshot", expected["kind"])
            self.snapshot(data, expected["snapshot"])

    def balance(self, what: str, asset: int, balance: Balance, time_ns: int, expected: dict[str, Any]) -> None:
        """Compare a balance."""
        self._check.equal(f"{what}.asset", asset, expected["asset"])
        self._check.equal(f"{what}.total", balance.total, expected["total"])
        self._check.equal(f"{what}.free", balance.free, expected["free"])
        self._check.equal(f"{what}.time", time_ns, expected["time_exchange_ms"] * MS)

    def order(self, what: str, order: Order, expected: dict[str, Any]) -> None:
        """Compare an order; an error in its state is about our name of what the vector numbers."""
        state = expected["state"]
        inactive = state.get("inactive")
        if isinstance(inactive, dict) and "open_failed" in inactive:
            assert isinstance(order.state, OpenFailed), what
            self.error(f"{what}.error", order.state.error, inactive["open_failed"])
            wanted_state: OrderState = order.state
        else:
            wanted_state = reading.order_state(state)
        kind = expected["order_kind"] if "order_kind" in expected else expected["kind"]
        fields = {**expected, "kind": kind, "state": {"active": "open_in_flight"}}
        self._check.equal(what, order, reading.order(fields).with_state(wanted_state))

    def error(self, what: str, error: OrderError, expected: dict[str, Any]) -> None:
        """Compare an error; ours names what the reference numbers, and the name leads to the number."""
        wanted = named_error(expected)
        self._check.equal(f"{what}.kind", error.kind, wanted.kind)
        self._check.equal(f"{what}.message", error.message, wanted.message)
        if "instrument" in expected:
            named = self._index.instruments[expected["instrument"]].name
            self._check.equal(f"{what}.instrument", error.subject, named)
        elif "asset" in expected:
            asset = self._index.assets[expected["asset"]].asset
            self._check.equal(f"{what}.asset", error.subject, asset.name_internal)

    def trade(self, trade: Trade, expected: dict[str, Any]) -> None:
        """Compare a fill."""
        ours = [trade.id, trade.order_id, trade.instrument, trade.strategy, trade.time_exchange_ns, trade.side]
        self._check.equal(
            "trade",
            ours,
            [
                expected["id"],
                expected["order_id"],
                expected["instrument"],
                expected["strategy"],
                expected["time_exchange_ms"] * MS,
                reading.side(expected["side"]),
            ],
        )
        self._check.equal("price", trade.price, expected["price"])
        self._check.equal("quantity", trade.quantity, expected["quantity"])
        self._check.equal("fees", trade.fees, expected["fees_quote"])
        self._check.equal("fees asset", trade.fees_asset, None)

    def snapshot(self, data: SnapshotReceived, expected: dict[str, Any]) -> None:
        """Compare a snapshot; ours is a list of orders, so an instrument without orders is not in it."""
        found = data.snapshot
        self._check.equal("balances", len(found.balances), len(expected["balances"]))
        for balance, wanted in zip(found.balances, expected["balances"], strict=True):
            self.balance("balances[]", balance.asset, balance.balance, balance.time_exchange_ns, wanted)
        written = [order for item in expected["instruments"] for order in item["orders"]]
        self._check.equal("orders", len(found.orders), len(written))
        for order, wanted in zip(found.orders, written, strict=True):
            self.order("orders[]", order, wanted)
        empty = [item["instrument"] for item in expected["instruments"] if not item["orders"]]
        if empty:
            named = {order.key.instrument for order in found.orders}
            self._check.differs("snapshot-lists-orders", "instruments without orders", named & set(empty), set())


def _request_of(written: dict[str, Any]) -> OrderRequestOpen | OrderRequestCancel:
    state = written["state"]
    if "side" in state:
        return reading.open_request({**state, "key": written["key"]})
    return reading.cancel_request({**state, "key": written["key"]})


def _run_order_request(case: Case, check: Check) -> None:
    """Name a request for its venue; one that belongs to another exchange is refused."""
    names = _map(case)
    request = _request_of(case.data["request"])
    expected_error = case.data.get("corrected_error", case.data.get("expected_error"))
    instrument = request.key.instrument
    own = instrument < len(names.index.instruments)
    is_misdirected = own and names.index.instruments[instrument].exchange != names.exchange_index
    if expected_error is None and is_misdirected:
        with pytest.raises(InstrumentKeyError) as refused:
            _name(names, request)
        check.differs("misdirected-refused", "request", refused.type, InstrumentKeyError)
        return
    if expected_error is not None:
        with pytest.raises(LOOK_UP_ERRORS[expected_error["class"]]):
            _name(names, request)
        return
    key, found = _name(names, request)
    expected = case.data["expected"]
    check.equal("key", key, _named_key(expected["key"]))
    check.equal("state", found, _request_of({**expected, "key": case.data["request"]["key"]}))


def _name(
    names: ExecutionInstrumentMap, request: OrderRequestOpen | OrderRequestCancel
) -> tuple[NamedKey, OrderRequestOpen | OrderRequestCancel]:
    """Return a request's key by name, and all else of it under its former key, so that it can be compared."""
    if isinstance(request, OrderRequestCancel):
        cancel = named_cancel(names, request)
        return cancel.key, OrderRequestCancel(request.key, cancel.id)
    named = named_open(names, request)
    rest = OrderRequestOpen(request.key, named.side, named.price, named.quantity, named.kind, named.time_in_force)
    return named.key, rest


def run_indexer(case: Case, check: Check) -> None:
    """Index what a venue tells, or name a request for it."""
    if case.data.get("op") == "order_request":
        _run_order_request(case, check)
        return
    names = _map(case)
    written = case.data["event"]
    told = NamedAccountEvent(parse_exchange_id(written["exchange"]), _named_data(written))
    indexer = AccountIndexer(names)
    expected_error = case.data.get("expected_error")
    if expected_error is None:
        indexed = indexer.event(told)
        check.equal("left out", indexed.left_out, ())
        IndexedChecks(check, names.index).event(indexed.event, case.data["expected"])
        return
    try:
        indexed = indexer.event(told)
    except LookupError as error:
        check.equal("error", type(error), LOOK_UP_ERRORS[expected_error["class"]])
        return
    # The reference loses the whole item for one part that it does not know.
    kept = {error.subject for error in _errors_in(indexed.event)} & {error.subject for error in _told_errors(told.data)}
    check.differs("unknown-parts-left-out", "unknown parts", bool(indexed.left_out or kept), our_value=True)


def _errors_in(event: AccountEvent) -> list[OrderError]:
    data = event.data
    if isinstance(data, CancelAnswered) and data.error is not None:
        return [data.error]
    orders = [data.order] if isinstance(data, OrderReceived) else []
    return [order.state.error for order in orders if isinstance(order.state, OpenFailed)]


def _told_errors(data: NamedData) -> list[OrderError]:
    if isinstance(data, NamedCancelAnswer) and data.error is not None:
        return [data.error]
    return [data.state.error] if isinstance(data, NamedOrder) and isinstance(data.state, OpenFailed) else []


# Answers of clients


def _order_error(written: Any) -> OrderError:
    return reading.order_error(written)


def _written_error(error: OrderError) -> dict[str, Any]:
    name = error.kind.name.lower()
    if is_connectivity(error):
        return {"connectivity": {name: error.subject} if error.subject else name}
    return {"rejected": {name: error.subject} if error.subject else name}


def _written_state(state: OrderState) -> dict[str, Any]:
    if isinstance(state, OpenFailed):
        return {"inactive": "open_failed", "error": _written_error(state.error)}
    if isinstance(state, Open):
        return {
            "active": "open",
            "id": state.id,
            "time_exchange": state.time_exchange_ns,
            "filled_quantity": state.filled_quantity,
        }
    return {"inactive": reading.state_name(state)}


def run_response_mapping(case: Case, check: Check) -> None:
    """Turn a client's answer into an account event."""
    given, expected = case.data["input"], case.data["expected"]
    result = given["result"]
    failed = TIMED_OUT if result == "timeout" else None
    if isinstance(result, dict) and "err" in result:
        failed = _order_error(result["err"])
    done = result["ok"] if isinstance(result, dict) and "ok" in result else None
    key = reading.order_key({"exchange": 0, "instrument": 0, "strategy": "s", "cid": "c"})
    if given["kind"] == "cancel":
        cancelled = None if done is None else Cancelled(OrderId(done["id"]), reading.time_ns(done["time_exchange"]))
        answer = cancel_answered(OrderRequestCancel(key, None), failed or cancelled)
        if expected is None:
            check.equal("event", answer, None)
            return
        assert answer is not None
        check.equal("event", "order_cancelled", expected["event"])
        check.equal("key", answer.key, key)
        if answer.error is not None:
            check.equal("result", {"err": _written_error(answer.error)}, expected["result"])
        else:
            wanted = expected["result"]["ok"]
            check.equal("id", answer.id, wanted["id"])
            check.equal("time", answer.time_exchange_ns, reading.time_ns(wanted["time_exchange"]))
        return
    limit, until = reading.order_kind("limit"), reading.time_in_force("good_until_cancelled")
    one = Decimal(1)
    request = OrderRequestOpen(key, reading.side("buy"), one, Decimal(given["quantity"]), limit, until)
    opened = None if done is None else reading.open_state(done)
    told = open_answered(request, failed or opened)
    if expected is None:
        check.equal("event", told, None)
        return
    assert told is not None
    check.equal("event", "order_snapshot", expected["event"])
    order = told.order
    check.equal("request", [order.key, order.quantity], [key, request.quantity])
    wanted_state = dict(expected["state"])
    if "time_exchange" in wanted_state:
        wanted_state["time_exchange"] = reading.time_ns(wanted_state["time_exchange"])
    found = _written_state(order.state)
    check.equal("state: members", sorted(found), sorted(wanted_state))
    for name, value in wanted_state.items():
        check.equal(f"state.{name}", found[name], value)


def run_stream_key(case: Case, check: Check) -> None:
    """Name the account that a client serves."""
    client = parse_exchange_id(case.data["input"]["client"])
    exchange = parse_exchange_id(case.data["input"]["instrument_exchange"])
    expected = case.data["expected"]
    if "error" in expected:
        with pytest.raises(ClientMismatch):
            account_name(client, exchange)
        return
    is_simulated = client.value in {"mock", "simulated"}
    ours = f"{exchange.value}-paper" if is_simulated else exchange.value
    check.differs("accounts-have-names", "name", account_name(client, exchange), ours)


def run_reconnect_backoff(case: Case, check: Check) -> None:
    """Wait longer after each failure, and start over after a success."""
    policy = case.data["policy"]
    backoff = Backoff(
        ReconnectPolicy(policy["initial_ms"], policy["multiplier"], policy["max_ms"], jitter_fraction=0.0), lambda: 0.0
    )
    wanted = case.data["expected_delays_ms"]
    check.equal("delays", [backoff.after_failure() for _ in wanted], wanted)
    check.equal("after a success", [backoff.after_drop(10**9), backoff.after_failure()], [0, policy["initial_ms"]])


# Configuration


def run_config(case: Case, check: Check) -> None:
    """Read a system configuration, or look at the defaults of a system."""
    given, expected = case.data["input"], case.data["expected"]
    if given == "system_builder_defaults":
        started = system_started(system_config({"instruments": [], "executions": []}))
        check.equal("trading_state", started.trading.name.lower(), expected["trading_state"])
        check.equal("balances", {account.account: account for account in started.accounts}, expected["balances"])
        rest = set(expected) - {"trading_state", "balances"}
        check.differs("one-engine-loop", "modes", {name for name in rest if hasattr(started, name)}, set())
        return
    if expected.get("error"):
        with pytest.raises(DecodeError):
            system_config(given)
        return
    config = system_config(given)
    check.equal("instruments", len(config.instruments), len(expected["instruments"]))
    for found, wanted in zip(config.instruments, expected["instruments"], strict=True):
        ours: dict[str, object] = {
            "exchange": found.exchange.value,
            "name_exchange": found.name_exchange,
            "name_internal": found.name_internal,
            "kind": found.contract.kind.name.lower(),
            "spec": found.spec,
        }
        for name, value in wanted.items():
            if name == "kind" and isinstance(value, dict):
                check.equal("instruments.kind", found.contract, tagged.contract(value))
            elif name == "spec" and value is not None:
                check.equal("instruments.spec", found.spec, tagged.spec(value))
            else:
                check.equal(f"instruments.{name}", ours[name], value)
    check.equal("executions", len(config.accounts), len(expected["executions"]))
    for account, wanted in zip(config.accounts, expected["executions"], strict=True):
        check.equal("kind", "mock", wanted["kind"])
        check.equal("mocked_exchange", account.exchange.value, wanted["mocked_exchange"])
        check.equal("latency_ms", account.latency_ms, wanted["latency_ms"])
        check.equal("fees_percent", account.fee, wanted["fees_percent"])
        balances = dict(account.balances)
        check.equal("balances", set(balances), set(wanted["initial_balances"]))
        for name, held in wanted["initial_balances"].items():
            check.equal(f"{name}.total", balances[name].total, held["total"])
            check.equal(f"{name}.free", balances[name].free, held["free"])
    started = system_started(config)
    check.equal("accounts", len(started.accounts), len(config.accounts))


RUNNERS = {
    ("execution/error_messages.json", "cases"): run_error_messages,
    ("execution/instrument_map.json", "cases"): run_instrument_map,
    ("execution/indexer.json", "cases"): run_indexer,
    ("engine/execution_manager.json", "response_mapping"): run_response_mapping,
    ("engine/execution_manager.json", "stream_key"): run_stream_key,
    ("engine/execution_manager.json", "reconnect_backoff"): run_reconnect_backoff,
    ("engine/config_backtest.json", "config"): run_config,
}
