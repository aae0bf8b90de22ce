"""Run the vectors of the reference's mock exchange against a simulated account that takes market orders only."""

from decimal import Decimal
from typing import Any

from tests.conformance.engine import instruments, reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick
from tradebus.core.engine.event import (
    AccountEvent,
    AccountSetup,
    BalanceReceived,
    CancelAnswered,
    EngineStarted,
    OrderReceived,
    SimulationSetup,
    TradeReceived,
)
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.execution.error import ClientUnreachable
from tradebus.core.execution.named import (
    NamedBalance,
    NamedCancel,
    NamedKey,
    NamedOpen,
    NamedOrder,
    NamedTrade,
)
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeIndex,
    OrderId,
    StrategyId,
    parse_exchange_id,
)
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import (
    FullyFilled,
    OpenFailed,
    OrderError,
    OrderErrorKind,
    open_part,
    state_time_exchange_ns,
)
from tradebus.core.simulation.client import SimulatedClient
from tradebus.core.simulation.exchange import SimulatedExchange

MS = 1_000_000


class Mock:
    """A simulated account as a vector sets it up, and the time of each question."""

    def __init__(self, data: dict[str, Any]) -> None:
        config = data["config"]
        exchange = config["mocked_exchange"]
        written = [{"exchange": exchange, "kind": "spot", **item} for item in data.get("instruments", ())]
        # Balances may be of assets that no instrument names; an index knows those of instruments only.
        named = {item[side] for item in written for side in ("base", "quote") if isinstance(item[side], str)}
        for item in config["balances"]:
            name = item["asset"]
            if name not in named:
                written.append({"exchange": exchange, "kind": "spot", "base": name, "quote": name})
        self.index: IndexedInstruments = instruments.index_of(written)
        self.latency_ns: int = config["latency_ms"] * MS
        fee = Decimal(config["fees_percent"])
        balances = tuple((self._asset(item["asset"]), Decimal(item["total"])) for item in config["balances"])
        setup = AccountSetup(ExchangeIndex(0), "paper", SimulationSetup(self.latency_ns, fee, fee, balances, True))
        self.exchange = SimulatedExchange(self.index, setup)
        started = EngineStarted("e", "demo", "", "", self.index, (setup,), (), TradingState.ENABLED)
        self.exchange.fold(AuditTick(0, 0, started, NO_OUTPUTS, NO_ERRORS))
        self.exchange.pop_due(self.latency_ns)
        self.client = SimulatedClient(self.index, self.exchange, [_order(item) for item in config.get("orders", ())])
        if data.get("exchange_stopped"):
            self.client.stop()
        self.time_ns = 0
        self.delay_ms = 0

    def _asset(self, name: str) -> AssetIndex:
        return self.index.find_asset_index(self.index.exchanges[0], name)

    @property
    def late_ns(self) -> int:
        """Return what our half of the latency is longer than the reference's, which halves whole milliseconds."""
        return (self.latency_ns // 2) % MS

    def answers(self) -> list[AccountEvent]:
        """Return what comes of the last request, all of it when the latency has passed and nothing before."""
        due_ns = self.time_ns + self.latency_ns
        self.exchange.advance(due_ns)
        assert self.exchange.pop_due(due_ns - 1) == []
        found = self.exchange.pop_due(due_ns)
        assert found, "every request is answered"
        self.delay_ms = (due_ns - self.time_ns) // MS
        return found


def _key(written: dict[str, Any]) -> NamedKey:
    exchange = parse_exchange_id(written["exchange"])
    return NamedKey(exchange, written["instrument"], StrategyId(written["strategy"]), ClientOrderId(written["cid"]))


def _order(written: dict[str, Any]) -> NamedOrder:
    return NamedOrder(
        _key(written["key"]),
        reading.side(written["side"]),
        Decimal(written["price"]),
        Decimal(written["quantity"]),
        reading.order_kind(written["kind"]),
        reading.time_in_force(written["time_in_force"]),
        reading.order_state(written["state"]),
    )


def _open(written: dict[str, Any]) -> NamedOpen:
    return NamedOpen(
        _key(written["key"]),
        reading.side(written["side"]),
        Decimal(written["price"]),
        Decimal(written["quantity"]),
        reading.order_kind(written["kind"]),
        reading.time_in_force(written["time_in_force"]),
    )


def _check_error(check: Check, what: str, found: OrderError, expected: dict[str, Any]) -> None:
    name = reading.snake(expected.get("api", expected.get("connectivity", "")))
    check.equal(f"{what}.error", found.kind, OrderErrorKind[name.upper()])
    for subject in ("asset", "instrument", "exchange"):
        if subject in expected:
            check.equal(f"{what}.error.{subject}", found.subject, expected[subject].lower())
    if "message" in expected:
        check.equal(f"{what}.error.message", found.message, expected["message"])


def _check_time(check: Check, mock: Mock, what: str, ours_ns: int | None, expected_ms: int) -> None:
    wanted_ns = expected_ms * MS
    check.equal_or("nanosecond-halves", what, ours_ns, wanted_ns, wanted_ns + mock.late_ns)


def _members(found: NamedBalance | NamedOrder | NamedTrade) -> dict[str, object]:
    """Return what can be compared of an answer, by the names that the vectors use; times stay nanoseconds."""
    if isinstance(found, NamedBalance):
        balance = found.balance
        time_ns: int | None = found.time_exchange_ns
        return {"asset": found.asset, "total": balance.total, "free": balance.free, "time_exchange_ms": time_ns}
    if isinstance(found, NamedTrade):
        return {
            "id": found.id,
            "order_id": found.order_id,
            "instrument": found.instrument,
            "strategy": found.strategy,
            "time_exchange_ms": found.time_exchange_ns,
            "side": found.side.name.capitalize(),
            "price": found.price,
            "quantity": found.quantity,
            "fees_quote": found.fees.amount,
        }
    part = open_part(found.state)
    return {
        "cid": found.key.cid,
        "instrument": found.key.instrument,
        "strategy": found.key.strategy,
        "state": reading.state_name(found.state),
        "side": found.side.name.capitalize(),
        "price": found.price,
        "quantity": found.quantity,
        "id": None if part is None else part.id,
        "filled_quantity": None if part is None else part.filled_quantity,
        "time_exchange_ms": state_time_exchange_ns(found.state),
    }


def _check_members(
    check: Check, mock: Mock, what: str, found: NamedBalance | NamedOrder | NamedTrade, expected: dict[str, Any]
) -> None:
    ours = _members(found)
    for name, value in expected.items():
        if name == "key":
            check.equal(f"{what}.cid", ours["cid"], value["cid"])
        elif name == "time_exchange_ms" and (not isinstance(found, NamedOrder) or open_part(found.state) is not None):
            time_ns = ours[name]
            assert isinstance(time_ns, int), what
            _check_time(check, mock, f"{what}.time", time_ns, value)
        elif name == "time_exchange_ms":
            check.equal(f"{what}.time", ours[name], value * MS)
        else:
            check.equal(f"{what}.{name}", ours[name], value)


def _check_set(check: Check, mock: Mock, what: str, found: Any, expected: list[dict[str, Any]], by: str) -> None:
    ours = {str(_members(item)[by]): item for item in found}
    check.equal(f"{what}: which", sorted(ours), sorted(item[by] for item in expected))
    for item in expected:
        _check_members(check, mock, f"{what}[{item[by]}]", ours[item[by]], item)


def _fetch(check: Check, mock: Mock, what: str, request: dict[str, Any], expected: Any) -> None:
    """Ask for a view of the account and compare it."""
    client, time_ns = mock.client, mock.time_ns
    if request["op"] == "account_snapshot":
        snapshot = client.account_snapshot(time_ns)
        _check_set(check, mock, f"{what}.balances", snapshot.balances, expected["balances"], "asset")
        names = [item.instrument for item in snapshot.instruments]
        check.equal(f"{what}.instruments", names, [item["instrument"] for item in expected["instruments"]])
        for item, wanted in zip(snapshot.instruments, expected["instruments"], strict=True):
            _check_set(check, mock, f"{what}.{item.instrument}", item.orders, wanted["orders"], "cid")
    elif request["op"] == "fetch_balances":
        _check_set(check, mock, what, client.fetch_balances(request["assets"], time_ns), expected, "asset")
    elif request["op"] == "fetch_open_orders":
        found = client.fetch_open_orders(request["instruments"], time_ns)
        _check_set(check, mock, what, found, expected, "cid")
    else:
        assert request["op"] == "fetch_trades", f"unknown request {request['op']}"
        since_ms = next(value for name, value in request.items() if "since" in name)
        trades = client.fetch_trades(since_ms * MS, time_ns)
        check.equal(f"{what}: number", len(trades), len(expected))
        for i, wanted in enumerate(expected):
            _check_members(check, mock, f"{what}[{i}]", trades[i], wanted)


def _check_view(check: Check, mock: Mock, what: str, step: dict[str, Any]) -> None:
    response = step.get("corrected_response", step["response"])
    if "ok" in response:
        _fetch(check, mock, what, step["request"], response["ok"])
        return
    try:
        _fetch(check, mock, what, step["request"], None)
    except ClientUnreachable as unreachable:
        _check_error(check, what, unreachable.error, response["error"])
        return
    raise AssertionError(f"{what}: expected {response['error']}")


def _check_cancel(check: Check, mock: Mock, what: str, step: dict[str, Any]) -> None:
    """Cancel; the account answers off line, in its time, as the reference's client makes of a dropped reply."""
    request = step["request"]
    order_id = request.get("order_id", request.get("id"))
    cancel = NamedCancel(_key(request["key"]), None if order_id is None else OrderId(order_id))
    error = mock.client.cancel_order(cancel, mock.time_ns)
    if error is None:
        (answer,) = mock.answers()
        assert isinstance(answer.data, CancelAnswered), what
        error = answer.data.error
        assert error is not None, f"{what}: expected a refusal"
        expected_ms = step.get("response_delay_ms", mock.delay_ms)
        check.equal_or("answers-take-time", f"{what}.delay", mock.delay_ms, expected_ms, mock.latency_ns // MS)
    _check_error(check, what, error, step.get("corrected_response", step["response"])["error"])


def _check_open(check: Check, mock: Mock, what: str, step: dict[str, Any]) -> bool:
    """Send an order; return whether it went as the vector says and not as a rule of ours."""
    request = _open(step["request"])
    response = step.get("corrected_response", step["response"])
    error = mock.client.open_order(request, mock.time_ns)
    found = [] if error is not None else mock.answers()
    if error is None and "response_delay_ms" in step:
        check.equal(f"{what}.delay", mock.delay_ms, step["response_delay_ms"])
    told = [event.data.order.state for event in found if isinstance(event.data, OrderReceived)]
    if error is None and isinstance(told[0], OpenFailed):
        error = told[0].error
    if request.quantity <= 0 and "ok" in response:
        assert error is not None, what
        check.differs("quantity-above-0", what, error.kind, OrderErrorKind.ORDER_REJECTED)
        return False
    if "error" in response:
        assert error is not None, f"{what}: expected a refusal, found {told}"
        _check_error(check, what, error, response["error"])
        if "ok" in step["response"]:
            rule = "quantity-above-0" if request.quantity <= 0 else "both-balances"
            check.differs(rule, what, type(told[0]), OpenFailed)
    else:
        assert error is None, f"{what}: {error}"
        expected = response["ok"]
        check.differs("answers-are-events", f"{what}.state", type(told[0]), FullyFilled)
        fills = [event.data.trade for event in found if isinstance(event.data, TradeReceived)]
        check.equal(f"{what}.order_id", {fill.order_id for fill in fills}, {expected["order_id"]})
        check.equal(f"{what}.filled", sum(fill.quantity for fill in fills), Decimal(expected["filled_quantity"]))
        for fill in fills:
            _check_time(check, mock, f"{what}.time", fill.time_exchange_ns, expected["time_exchange_ms"])
    if "events" in step:
        _check_events(check, what, mock, found, step)
    return True


def _check_events(check: Check, what: str, mock: Mock, found: list[AccountEvent], step: dict[str, Any]) -> None:
    """Compare balances and fills, in order; the vector's corrected ones where it has them."""
    wanted = step.get("corrected_events", step["events"])
    events = [event.data for event in found if not isinstance(event.data, OrderReceived)]
    check.equal(f"{what}: number of events", len(events), len(wanted))
    if "events_delay_ms" in step:
        check.equal(f"{what}: delay", mock.delay_ms, step["events_delay_ms"])
    for i, (data, expected) in enumerate(zip(events, wanted, strict=True)):
        where = f"{what}.events[{i}]"
        if expected["kind"] == "balance_snapshot":
            assert isinstance(data, BalanceReceived), where
            check.equal(f"{where}.asset", mock.index.assets[data.balance.asset].asset.name_exchange, expected["asset"])
            check.equal(f"{where}.total", data.balance.balance.total, expected["total"])
            check.equal(f"{where}.free", data.balance.balance.free, expected["free"])
            _check_time(check, mock, f"{where}.time", data.balance.time_exchange_ns, expected["time_exchange_ms"])
        else:
            assert isinstance(data, TradeReceived), where
            trade = data.trade
            check.equal(f"{where}.ids", [trade.id, trade.order_id], [expected["id"], expected["order_id"]])
            name = mock.index.instruments[trade.instrument].definition.name_exchange
            check.equal(f"{where}.instrument", name, expected["instrument"])
            check.equal(f"{where}.strategy", trade.strategy, expected["strategy"])
            check.equal(f"{where}.side", trade.side.name.capitalize(), expected["side"])
            check.equal(f"{where}.price", trade.price, expected["price"])
            check.equal(f"{where}.quantity", trade.quantity, expected["quantity"])
            check.equal(f"{where}.fees", trade.fees, expected["fees_quote"])
            _check_time(check, mock, f"{where}.time", trade.time_exchange_ns, expected["time_exchange_ms"])
    if wanted != step["events"]:
        check.differs("both-balances", what, len(events), len(wanted))


def run_mock_exchange(case: Case, check: Check) -> None:
    """Ask a simulated account, one request after the other, and look at it afterwards."""
    mock = Mock(case.data)
    is_alike = True
    for i, step in enumerate(case.data["steps"]):
        mock.time_ns = step.get("time_request_ms", 0) * MS
        operation = step["request"]["op"]
        if operation == "open_order":
            is_alike &= _check_open(check, mock, f"steps[{i}]", step)
        elif operation == "cancel_order":
            _check_cancel(check, mock, f"steps[{i}]", step)
        else:
            _check_view(check, mock, f"steps[{i}]", step)
    if not is_alike:
        return
    final = {**case.data.get("final", {}), **case.data.get("corrected_final", {})}
    balances = {item.asset: item.balance for item in mock.exchange.balances(mock.time_ns)}
    for item in final.get("balances", ()):
        found = balances[mock.index.find_asset_index(mock.index.exchanges[0], item["asset"])]
        check.equal(f"final.{item['asset']}.total", found.total, item["total"])
        check.equal(f"final.{item['asset']}.free", found.free, item["free"])
    trades = mock.exchange.trades(0)
    if "trades" in final:
        check.equal("final.trades", [trade.id for trade in trades], final["trades"])
    if "order_sequence" in final:
        check.equal("final.order_sequence", len({trade.order_id for trade in trades}), final["order_sequence"])
    if "open_orders" in final:
        names = mock.client.names.exchange_instruments()
        check.equal("final.open_orders", len(mock.client.fetch_open_orders(names, mock.time_ns)), final["open_orders"])


RUNNERS = {("execution/mock_exchange.json", "cases"): run_mock_exchange}
