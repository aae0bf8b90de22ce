"""An account that takes market orders only, as the reference's mock does, and the client that asks it."""

from collections.abc import Callable, Sequence
from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
    ASSET_BTC,
    ASSET_USDT,
    cancel_of,
    engine_started,
    market_request,
    open_request,
    opened,
    order_in,
    steps,
    usual_index,
)
from tests.support.simulated_account import kinds
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick
from tradebus.core.engine.event import AccountSetup, OrderReceived, SimulationSetup
from tradebus.core.execution.error import ClientUnreachable
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import NamedCancel, NamedKey, NamedOpen
from tradebus.core.execution.naming import named_cancel, named_open, named_order
from tradebus.core.model.account import Balance
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import ClientOrderId, ExchangeId, OrderId, StrategyId
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    QuoteKind,
)
from tradebus.core.model.order import Cancelled, OpenFailed, OrderErrorKind, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.simulation.client import SimulatedClient
from tradebus.core.simulation.exchange import LIMIT_NOT_SUPPORTED, SimulatedExchange

LATENCY_NS = 101
FEE = Decimal("0.01")
NAMES = ExecutionInstrumentMap(usual_index(), ExchangeId.SIM_ALPHA)
UNKNOWN = NamedKey(ExchangeId.SIM_ALPHA, "SOLUSDT", StrategyId("s"), ClientOrderId("c"))


class Parity:
    """A client of a market-only account with 10 BTC and 1,000 USDT."""

    def __init__(
        self,
        *,
        is_market_only: bool = True,
        spec: InstrumentSpec | None = None,
        definitions: Sequence[InstrumentDefinition] = (),
    ) -> None:
        index = index_instruments(definitions) if definitions else usual_index(spec)
        held = ((ASSET_BTC, Decimal(10)), (ASSET_USDT, Decimal(1000)))
        balances = () if definitions else held
        setup = AccountSetup(ALPHA, "a", SimulationSetup(LATENCY_NS, FEE, FEE, balances, is_market_only))
        started = engine_started(accounts=[setup], index=index)
        self.exchange = SimulatedExchange(started.index, setup)
        self.exchange.fold(AuditTick(0, 0, started, NO_OUTPUTS, NO_ERRORS))
        self.exchange.pop_due(LATENCY_NS)
        before = [order_in(opened(), "old"), order_in(Cancelled(OrderId("2"), 3), "gone"), order_in(cid="flying")]
        self.client = SimulatedClient(started.index, self.exchange, [named_order(NAMES, order) for order in before])

    def send(self, request: OrderRequestOpen, time_ns: int = 1000) -> list[str]:
        """Send an order and return the kinds of events that come of it, when they are due and not before."""
        assert self.client.open_order(named_open(NAMES, request), time_ns) is None
        self.exchange.advance(time_ns + LATENCY_NS)
        assert self.exchange.pop_due(time_ns + LATENCY_NS - 1) == []
        self.told = self.exchange.pop_due(time_ns + LATENCY_NS)
        return kinds(self.told)

    def refusal(self) -> tuple[OrderErrorKind, str]:
        """Return why the last order was refused."""
        (event,) = self.told
        assert isinstance(event.data, OrderReceived)
        assert isinstance(event.data.order.state, OpenFailed)
        return event.data.order.state.error.kind, event.data.order.state.error.message

    def balances(self) -> dict[str, Balance]:
        """Return the balances by name."""
        return {item.asset: item.balance for item in self.client.account_snapshot(2000).balances}


def both(amount: str) -> Balance:
    return Balance(Decimal(amount), Decimal(amount))


def test_a_market_order_fills_whole_at_its_own_price_and_moves_both_balances() -> None:
    parity = Parity()
    assert parity.send(market_request(price=100, quantity=2)) == [
        "OrderReceived",
        "BalanceReceived",
        "BalanceReceived",
        "TradeReceived",
    ]
    assert parity.balances() == {"btc": both("12"), "usdt": both("798")}
    parity.send(market_request("c2", Side.SELL, 200, 1))
    assert parity.balances() == {"btc": both("11"), "usdt": both("996")}
    assert [trade.price for trade in parity.exchange.trades(0)] == [100, 200]


def test_limits_what_cannot_be_paid_and_nonsense_are_refused() -> None:
    parity = Parity(spec=steps(lot="0.5"))
    parity.send(open_request())
    assert parity.refusal() == (OrderErrorKind.ORDER_REJECTED, LIMIT_NOT_SUPPORTED)
    parity.send(market_request(price=1000, quantity=1))
    assert parity.refusal() == (
        OrderErrorKind.BALANCE_INSUFFICIENT,
        "Available Balance: 1000, Required Balance inc. fees: 1010.00",
    )
    parity.send(market_request(side=Side.SELL, quantity=11))
    assert parity.refusal()[0] is OrderErrorKind.BALANCE_INSUFFICIENT
    for quantity in ("-1", "0", "0.7"):
        parity.send(market_request(quantity=quantity))
        assert parity.refusal()[0] is OrderErrorKind.ORDER_REJECTED
    assert parity.balances() == {"btc": both("10"), "usdt": both("1000")}
    parity.send(market_request("c9", price=1))
    assert [trade.order_id for trade in parity.exchange.trades(0)] == ["0"], "refusals use up no ids"


@pytest.mark.parametrize("is_market_only", [True, False])
def test_orders_for_derivatives_are_refused(is_market_only: bool) -> None:
    btc, usdt = asset_from_name("btc"), asset_from_name("usdt")
    contract = InstrumentContract(InstrumentKind.PERPETUAL, Decimal(1), usdt, None, None, None, None)
    alpha = ExchangeId.SIM_ALPHA
    swap = InstrumentDefinition(alpha, "swap", "SWAP", btc, usdt, QuoteKind.UNDERLYING_QUOTE, contract, None)
    parity = Parity(is_market_only=is_market_only, definitions=[swap])
    key = NamedKey(alpha, "SWAP", StrategyId("s"), ClientOrderId("c1"))
    named = NamedOpen(key, Side.BUY, Decimal(1), Decimal(1), OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL)
    assert parity.client.open_order(named, 0) is None
    parity.exchange.advance(LATENCY_NS)
    parity.told = parity.exchange.pop_due(LATENCY_NS)
    assert parity.refusal() == (
        OrderErrorKind.INSTRUMENT_INVALID,
        "expected spot, the only kind that is simulated, found perpetual",
    )


def test_cancels_are_answered_off_line() -> None:
    parity = Parity()
    assert parity.client.cancel_order(named_cancel(NAMES, cancel_of()), 0) is None
    parity.exchange.advance(LATENCY_NS)
    (event,) = parity.exchange.pop_due(LATENCY_NS)
    error = event.data.error  # type: ignore[attr-defined]  # an answer to a cancel
    assert (error.kind, error.subject) == (OrderErrorKind.EXCHANGE_OFFLINE, "sim_alpha")


def test_an_instrument_that_the_exchange_does_not_have_is_refused_at_once() -> None:
    parity = Parity()
    request = market_request()
    named = NamedOpen(UNKNOWN, request.side, request.price, request.quantity, request.kind, request.time_in_force)
    for error in (parity.client.open_order(named, 0), parity.client.cancel_order(NamedCancel(UNKNOWN, None), 0)):
        assert error is not None
        assert (error.kind, error.subject) == (OrderErrorKind.INSTRUMENT_INVALID, "SOLUSDT")
        assert error.message == "MockExchange is not set-up for managing: SOLUSDT"


def test_views_are_told_when_the_question_arrives() -> None:
    parity = Parity()
    parity.send(market_request(price=1))
    arrival = 5000 + LATENCY_NS // 2
    (balance,) = parity.client.fetch_balances(["usdt", "nope"], 5000)
    assert (balance.asset, balance.balance, balance.time_exchange_ns) == ("usdt", both("998.99"), arrival)
    (order,) = parity.client.fetch_open_orders(["BTCUSDT", "nope"], 5000)
    assert (order.key.cid, order.state) == ("old", opened(arrival))
    assert parity.client.fetch_open_orders(["ETHUSDT"], 5000) == []
    (item,) = parity.client.account_snapshot(5000).instruments
    assert item.instrument == "BTCUSDT"
    assert [(each.key.cid, each.state) for each in item.orders] == [
        ("old", opened(arrival)),
        ("gone", Cancelled(OrderId("2"), 3)),
    ]
    first = 1000 + LATENCY_NS // 2
    assert [trade.fees.amount for trade in parity.client.fetch_trades(first, 5000)] == [Decimal("0.01")]
    assert parity.client.fetch_trades(first + 1, 5000) == []


def test_a_question_comes_after_the_orders_sent_before_it() -> None:
    parity = Parity()
    parity.client.open_order(named_open(NAMES, market_request(price=1)), 5000)
    (balance,) = parity.client.fetch_balances(["btc"], 5000)
    assert balance.balance == both("11")


def test_orders_resting_on_the_book_are_told_too() -> None:
    parity = Parity(is_market_only=False)
    parity.client.open_order(named_open(NAMES, open_request("rests", price=10)), 0)
    cids = [order.key.cid for order in parity.client.fetch_open_orders(["BTCUSDT"], 1000)]
    assert cids == ["old", "rests"]


ASKED: list[Callable[[SimulatedClient], object]] = [
    lambda client: client.account_snapshot(0),
    lambda client: client.fetch_balances([], 0),
    lambda client: client.fetch_open_orders([], 0),
    lambda client: client.fetch_trades(0, 0),
]


@pytest.mark.parametrize("ask", ASKED)
def test_a_stopped_exchange_is_off_line(ask: Callable[[SimulatedClient], object]) -> None:
    client = Parity().client
    client.stop()
    with pytest.raises(ClientUnreachable, match=r"^Connectivity: Exchange offline: SimAlpha$"):
        ask(client)
    for error in (
        client.open_order(named_open(NAMES, market_request()), 0),
        client.cancel_order(named_cancel(NAMES, cancel_of()), 0),
    ):
        assert error is not None
        assert error.kind is OrderErrorKind.EXCHANGE_OFFLINE
