"""Run the vectors of orders' states, small models, and the simulated exchange."""

from decimal import Decimal
from typing import Any

from tests.conformance.engine import instruments, reading
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import fill
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick, Origin, RequestsDecided
from tradebus.core.engine.event import (
    AccountEvent,
    AccountSetup,
    BalanceReceived,
    ClockAdvanced,
    EngineStarted,
    OrderReceived,
    SimulationSetup,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, PublicTrade
from tradebus.core.model.account import AssetBalance, Balance, Trade
from tradebus.core.model.identifiers import (
    STRATEGY_UNKNOWN,
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    StrategyId,
    client_order_id,
)
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import (
    FullyFilled,
    OpenFailed,
    Order,
    OrderErrorKind,
    OrderKey,
    OrderRequestOpen,
    cancel_request,
    is_active,
    open_part,
    order_from_request,
    state_time_exchange_ns,
)
from tradebus.core.model.side import Side
from tradebus.core.simulation.exchange import SimulatedExchange
from tradebus.wire.tagged import order as tagged

MS = 1_000_000


def run_order_states(case: Case, check: Check) -> None:
    """Ask a state for its time, its venue's id and a cancel request."""
    state = reading.order_state(case.data["state"])
    expected = case.data["expected"]
    time = state_time_exchange_ns(state)
    check.equal("time_exchange_ms", None if time is None else time // MS, expected["time_exchange_ms"])
    part = open_part(state)
    check.equal("open_meta_id", None if part is None else part.id, expected["open_meta_id"])
    if "request_cancel" in expected:
        key = fill_key()
        kind, until = reading.order_kind("limit"), reading.time_in_force("good_until_cancelled")
        request = cancel_request(Order(key, Side.BUY, Decimal(1), Decimal(1), kind, until, state))
        check.equal("request_cancel", None if request is None else {"id": request.id}, expected["request_cancel"])
    else:
        check.equal("active", is_active(state), expected=False)


def fill_key() -> OrderKey:
    """Return some key."""
    return OrderKey(ExchangeIndex(0), InstrumentIndex(0), StrategyId("s"), ClientOrderId("c"))


def _request(written: dict[str, Any], instrument: int = 0) -> OrderRequestOpen:
    key = {**written["key"], "exchange": 0, "instrument": instrument}
    return reading.open_request({**written, "key": key})


def run_models(case: Case, check: Check) -> None:
    """Try the small operations of the models."""
    operation, given, expected = case.data["op"], case.data["input"], case.data["expected"]
    if operation == "open_quantity_remaining":
        order = {
            "key": {"exchange": 0, "instrument": 0, "strategy": "s", "cid": "c"},
            "side": "buy",
            "price": "1",
            "quantity": given["quantity"],
            "kind": "limit",
            "time_in_force": "good_until_cancelled",
            "state": {"active": {"open": {"id": "1", "time_exchange_ms": 0, **given}}},
        }
        check.equal("remaining", reading.order(order).quantity_remaining(), expected)
    elif operation == "trade_value_quote":
        trade = fill(price=given["price"], quantity=given["quantity"])
        check.equal("value", trade.value_quote, expected)
    elif operation == "strategy_id_unknown":
        check.equal("id", STRATEGY_UNKNOWN, expected)
    elif operation == "client_order_id_random":
        first, second = (client_order_id("demo", 1, 7, ordinal) for ordinal in (0, 1))
        check.differs("derived-ids", "id", (first, second), ("demoe1s7n0", "demoe1s7n1"))
        check.equal("alphabet", set(first) <= set(expected["alphabet"]), expected=True)
    elif operation == "display_order_kind":
        check.equal("display", tagged.order_kind_json(tagged.order_kind(given)), expected)
    elif operation == "json_time_in_force":
        written = {given["kind"]: {"post_only": given["post_only"]}} if "post_only" in given else given["kind"]
        found = tagged.time_in_force(written)
        check.equal("read", found, reading.time_in_force(written))
        check.equal("written", tagged.time_in_force_json(found), expected)
    elif operation == "balance_used":
        check.equal("used", Balance(Decimal(given["total"]), Decimal(given["free"])).used, expected)
    elif operation == "snapshot_time_most_recent":
        times = [ms * MS for ms in given["balances"]]
        states = [reading.order_state(state) for state in given["orders"]]
        times += [time for state in states if (time := state_time_exchange_ns(state)) is not None]
        check.equal("time", max(times, default=None), None if expected is None else expected * MS)
    else:
        assert operation == "order_from_open_request", operation
        made = order_from_request(_request(given))
        wanted = reading.order({**expected, "key": {**expected["key"], "exchange": 0, "instrument": 0}})
        check.equal("order", made, wanted)


class Mock:
    """A simulated exchange as the vectors set theirs up, fed with ticks that a test makes."""

    def __init__(self, data: dict[str, Any]) -> None:
        config = data["config"]
        exchange = config["mocked_exchange"]
        self.index: IndexedInstruments = instruments.index_of(
            [{"exchange": exchange, "kind": "spot", **item} for item in data["instruments"]]
        )
        self.latency_ns = config["latency_ms"] * MS
        fee = Decimal(config["fees_percent"])
        balances = tuple((self.asset(item["asset"]), Decimal(item["total"])) for item in config["balances"])
        setup = AccountSetup(ExchangeIndex(0), "paper", SimulationSetup(self.latency_ns, fee, fee, balances))
        self.exchange = SimulatedExchange(self.index, setup)
        self._sequence = -1
        started = EngineStarted("e", "demo", "", "", self.index, (setup,), (), TradingState.ENABLED)
        self._fold(AuditTick(0, 0, started, NO_OUTPUTS, NO_ERRORS))
        self.balances: dict[str, tuple[Decimal, Decimal]] = {}
        self.trades: list[Trade] = []
        for event in self.exchange.pop_due(self.latency_ns):
            self._keep(event)

    def asset(self, name: str) -> Any:
        """Return an asset's index."""
        return self.index.find_asset_index(self.index.exchanges[0], name)

    def instrument(self, name: str) -> InstrumentIndex:
        """Return an instrument's index."""
        return self.index.find_instrument_by_symbol(self.index.exchanges[0], name)

    def open(self, request: OrderRequestOpen, time_ns: int) -> list[AccountEvent]:
        """Let the market trade at the request's price, send the request, and return what comes of it."""
        trade = PublicTrade("", abs(request.price), abs(request.quantity), Side.BUY)
        event = MarketEvent(time_ns, time_ns, ExchangeIndex(0), request.key.instrument, 0, trade)
        self._tick(event, time_ns)
        decided = RequestsDecided(Origin.ALGO, request.key.strategy, (), (request,), (), (), (), ())
        self._tick(ClockAdvanced(), time_ns, decided)
        self.exchange.advance(time_ns + self.latency_ns)
        assert self.exchange.pop_due(time_ns + self.latency_ns - 1) == [], (
            "nothing arrives before the latency has passed"
        )
        events = self.exchange.pop_due(time_ns + self.latency_ns)
        for found in events:
            self._keep(found)
        return events

    def _tick(self, event: Any, time_ns: int, *outputs: RequestsDecided) -> None:
        self._fold(AuditTick(self._sequence + 1, time_ns, event, outputs, NO_ERRORS))

    def _fold(self, tick: AuditTick) -> None:
        self._sequence = tick.sequence
        self.exchange.fold(tick)

    def _keep(self, event: AccountEvent) -> None:
        data = event.data
        balances: tuple[AssetBalance, ...] = ()
        if isinstance(data, SnapshotReceived):
            balances = data.snapshot.balances
        elif isinstance(data, BalanceReceived):
            balances = (data.balance,)
        elif isinstance(data, TradeReceived):
            self.trades.append(data.trade)
        for item in balances:
            name = self.index.assets[item.asset].asset.name_exchange
            self.balances[name] = (item.balance.total, item.balance.free)


def _check_events(check: Check, what: str, mock: Mock, found: list[AccountEvent], step: dict[str, Any]) -> None:
    """Compare balances and fills, in order; the vector's corrected ones where it has them."""
    wanted = step.get("corrected_events", step["events"])
    late_ns = (mock.latency_ns // 2) % MS  # the reference halves whole milliseconds, ours nanoseconds
    events = [event.data for event in found if not isinstance(event.data, OrderReceived)]
    check.equal(f"{what}: number of events", len(events), len(wanted))
    for i, (data, expected) in enumerate(zip(events, wanted, strict=True)):
        where = f"{what}.events[{i}]"
        time_ns = expected["time_exchange_ms"] * MS + late_ns
        if expected["kind"] == "balance_snapshot":
            assert isinstance(data, BalanceReceived), where
            check.equal(f"{where}.asset", mock.index.assets[data.balance.asset].asset.name_exchange, expected["asset"])
            check.equal(f"{where}.total", data.balance.balance.total, expected["total"])
            check.equal(f"{where}.free", data.balance.balance.free, expected["free"])
            check.equal(f"{where}.time", data.balance.time_exchange_ns, time_ns)
        else:
            assert isinstance(data, TradeReceived), where
            trade = data.trade
            check.equal(f"{where}.ids", [trade.id, trade.order_id], [expected["id"], expected["order_id"]])
            check.equal(f"{where}.strategy", trade.strategy, expected["strategy"])
            check.equal(f"{where}.side", trade.side.name.capitalize(), expected["side"])
            check.equal(f"{where}.price", trade.price, expected["price"])
            check.equal(f"{where}.quantity", trade.quantity, expected["quantity"])
            check.equal(f"{where}.fees", trade.fees, expected["fees_quote"])
            check.equal(f"{where}.time", trade.time_exchange_ns, time_ns)
    if wanted != step["events"]:
        check.differs("both-balances", what, len(events), len(wanted))


def _check_response(check: Check, what: str, found: list[AccountEvent], step: dict[str, Any]) -> None:
    """Compare the answer: an order that filled at once is told as such, a refused one with the error."""
    response = step.get("corrected_response", step["response"])
    order = found[0].data
    assert isinstance(order, OrderReceived), what
    state = order.order.state
    if "ok" in response:
        expected = response["ok"]
        check.differs("answers-are-events", f"{what}.state", type(state), FullyFilled)
        fills = [event.data.trade for event in found if isinstance(event.data, TradeReceived)]
        check.equal(f"{what}.order_id", {fill.order_id for fill in fills}, {expected["order_id"]})
        check.equal(f"{what}.filled", sum(fill.quantity for fill in fills), Decimal(expected["filled_quantity"]))
        return
    error = response["error"]
    assert isinstance(state, OpenFailed), f"{what}: expected a refusal, found {state}"
    name = reading.snake(error.get("api", error.get("connectivity", "")))
    check.equal(f"{what}.error", state.error.kind, OrderErrorKind[name.upper()])
    if "asset" in error:
        check.equal(f"{what}.error.asset", state.error.subject, error["asset"].lower())
    if "message" in error:
        check.equal(f"{what}.error.message", state.error.message, error["message"])


def run_mock_exchange(case: Case, check: Check) -> None:
    """Send market orders to a simulated exchange whose market trades at the requests' prices."""
    mock = Mock(case.data)
    for i, step in enumerate(case.data["steps"]):
        request = _request(step["request"], mock.instrument(step["request"]["key"]["instrument"]))
        found = mock.open(request, step["time_request_ms"] * MS)
        _check_response(check, f"steps[{i}]", found, step)
        _check_events(check, f"steps[{i}]", mock, found, step)
    final = {**case.data["final"], **case.data.get("corrected_final", {})}
    for item in final.get("balances", ()):
        wanted = (Decimal(item["total"]), Decimal(item["free"]))
        check.equal(f"final.{item['asset']}", mock.balances[item["asset"]], wanted)
    if "trades" in final:
        check.equal("final.trades", [trade.id for trade in mock.trades], final["trades"])
    if "order_sequence" in final:
        check.equal("final.order_sequence", len({trade.order_id for trade in mock.trades}), final["order_sequence"])
    check.equal("final.open_orders", len(mock.exchange.open_orders()), final.get("open_orders", 0))


RUNNERS = {
    ("execution/order_states.json", "cases"): run_order_states,
    ("execution/models.json", "cases"): run_models,
    ("execution/mock_exchange.json", "cases"): run_mock_exchange,
}
