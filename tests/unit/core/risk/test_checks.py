"""Each risk check: what passes it, what it refuses and how it says so, alone and after others of the same decision."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    BETA_BTC,
    BTC,
    ETH,
    amend_answered,
    amend_of,
    book,
    cancel_answered,
    cancel_of,
    check_of,
    command_of,
    engine_started,
    fill,
    filled,
    open_request,
    opened,
    order_in,
    order_told,
    public_trade,
    setup_of,
    usual_index,
)
from tests.support.scenario import Followed, Scripted, answer_once, decided, follow
from tradebus.core.engine.command import SendAmendRequests, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.market.event import MarketGap
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    OptionExercise,
    OptionKind,
    QuoteKind,
)
from tradebus.core.model.order import OrderKind, OrderRequestOpen
from tradebus.core.model.side import Side
from tradebus.core.risk.limits import LimitError
from tradebus.core.strategy.interface import Decision
from tradebus.strategies.checks import BUILT_IN, load_check

MS = 1_000_000


def under(*checks: RiskCheckSetup) -> Followed:
    """An engine under these checks, without strategies."""
    return follow(started=engine_started(risk=checks))


def refusals(followed: Followed, *requests: OrderRequestOpen, now_ns: int = 0) -> list[str]:
    """Ask for orders by command and return what was said of those that were refused."""
    output = decided(followed.process(command_of(SendOpenRequests(requests)), now_ns))
    assert len(output.opens_sent) + len(output.opens_refused) == len(requests)
    return [refused.reason for refused in output.opens_refused]


def limit(cid: str, side: Side, price: object, quantity: object = 1, instrument: int = BTC) -> OrderRequestOpen:
    return open_request(cid, side, str(price), str(quantity), instrument=instrument)


# Value and quantity


def test_an_order_may_be_worth_the_limit_and_no_more() -> None:
    followed = under(check_of("max_order_notional", usdt="500"))
    assert refusals(followed, limit("a", Side.BUY, 100, 5), limit("b", Side.SELL, "0.5", 1000)) == []
    assert refusals(followed, limit("c", Side.BUY, 100, "5.01")) == [
        "max_order_notional: expected a value of at most 500 usdt, found 501.00"
    ]
    assert refusals(followed, limit("d", Side.BUY, 10**20, 10**20)) == [
        "max_order_notional: expected a value of at most 500, found one beyond all numbers"
    ]


def test_the_closest_name_gives_the_limit() -> None:
    params = {"usdt": "500", "default": "1", "sim_alpha-eth_usdt": "50"}
    followed = under(RiskCheckSetup("n", BUILT_IN["max_order_notional"], tuple(sorted(params.items()))))
    assert refusals(followed, limit("a", Side.BUY, 100, 1), limit("b", Side.BUY, 100, 1, ETH)) == [
        "n: expected a value of at most 50 usdt, found 100"
    ]


def test_an_order_may_have_the_quantity_of_the_limit_and_no_more() -> None:
    followed = under(check_of("max_order_quantity", btc="2", eth="3"))
    assert refusals(followed, limit("a", Side.BUY, 1, 2), limit("b", Side.BUY, 1, "2.5", ETH)) == []
    assert refusals(followed, limit("c", Side.BUY, 1, "2.5", BETA_BTC)) == [
        "max_order_quantity: expected a quantity of at most 2, found 2.5"
    ]


# Price


@pytest.mark.parametrize(("price", "passes"), [("95", True), ("105", True), ("94.99", False), ("105.01", False)])
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("kind", OrderKind)
def test_a_price_may_be_as_far_from_the_markets_as_the_limit(
    price: str, passes: bool, side: Side, kind: OrderKind
) -> None:
    followed = under(check_of("price_band", default="0.05"))
    followed.process(public_trade(100))
    request = open_request("a", side, price, kind=kind)
    said = f"price_band: expected a price within 0.05 of the market's 100, found {price}"
    assert refusals(followed, request) == ([] if passes else [said])


def test_without_a_market_price_or_with_a_stale_one_nothing_passes() -> None:
    followed = under(check_of("price_band", default="0.05"))
    assert refusals(followed, limit("a", Side.BUY, 100)) == [
        "price_band: expected a price within 0.05 of the market's, found no market price"
    ]
    followed.process(public_trade(100))
    followed.process(MarketGap(followed.engine.state.instruments[BTC].instrument.exchange, BTC, 1, 2))
    assert refusals(followed, limit("b", Side.BUY, 100)) == [
        "price_band: expected a price within 0.05 of the market's, found a stale market price"
    ]
    followed.process(public_trade(100))
    assert refusals(followed, limit("c", Side.BUY, 100)) == []


# Orders at work


def test_orders_at_work_count_with_those_of_the_same_decision() -> None:
    followed = under(check_of("max_open_orders", default="3"))
    followed.process(order_told(order_in(opened(), "there")))
    assert (
        refusals(followed, *(limit(cid, Side.BUY, 1) for cid in "abcd"), limit("e", Side.BUY, 1, 1, ETH))
        == ["max_open_orders: expected at most 3 active orders, found 4 with this one"] * 2
    )
    followed.process(command_of(SendCancelRequests((cancel_of("a"),))))
    assert len(refusals(followed, limit("f", Side.BUY, 1))) == 1, "one that is being cancelled may still trade"
    followed.process(cancel_answered("a"))
    assert refusals(followed, limit("g", Side.BUY, 1)) == []


# Position


def test_a_position_counts_with_all_orders_of_the_side_and_those_of_the_same_decision() -> None:
    followed = under(check_of("max_position", btc="5", eth="100"))
    followed.process(filled(fill(side=Side.BUY, quantity=2)))
    followed.process(order_told(order_in(opened(filled="0.5"), "there", quantity=1)))
    said = "max_position: expected a position of at most 5, found that it could become 5.6 long"
    assert refusals(followed, limit("a", Side.BUY, 1, 2), limit("b", Side.BUY, 1, "1.1")) == [said]
    assert refusals(followed, limit("c", Side.SELL, 1, 7)) == [], "from 2 long to 5 short"
    assert refusals(followed, limit("d", Side.SELL, 1, "0.1")) == [
        "max_position: expected a position of at most 5, found that it could become 5.1 short"
    ]


def test_a_position_beyond_its_limit_may_be_made_smaller() -> None:
    followed = under(check_of("max_position", btc="5", eth="1"))
    followed.process(filled(fill(side=Side.SELL, quantity=9)))
    assert refusals(followed, limit("a", Side.BUY, 1, 9)) == []
    assert len(refusals(followed, limit("b", Side.SELL, 1, "0.1"))) == 1


# Exposure


def test_the_exposure_is_summed_over_the_instruments_of_a_quote_asset() -> None:
    followed = under(check_of("max_exposure", usdt="1000"))
    for instrument, price in ((BTC, 100), (ETH, 10), (BETA_BTC, 100)):
        followed.process(public_trade(price, instrument=instrument))
    followed.process(filled(fill(side=Side.SELL, quantity=4)))
    followed.process(order_told(order_in(opened(), "there", price=7, quantity=20, instrument=ETH)))
    # 4 x 100 short and up to 20 x 10 long so far, at market prices.
    assert refusals(followed, limit("a", Side.BUY, 100, 4, BETA_BTC)) == []
    assert refusals(followed, limit("b", Side.BUY, 100, "0.01", BETA_BTC)) == [
        "max_exposure: expected an exposure of at most 1000 usdt, found that it could become 1001.00"
    ]
    assert refusals(followed, limit("c", Side.BUY, 100, 8)) == [], "up to 4 long instead of 4 short adds nothing"
    assert len(refusals(followed, limit("d", Side.BUY, 100, "0.01"))) == 1


def test_what_has_no_market_price_is_valued_at_that_of_the_order() -> None:
    followed = under(check_of("max_exposure", usdt="1000"))
    assert refusals(followed, limit("a", Side.BUY, 10, 50), limit("b", Side.BUY, 10, 50, ETH)) == []
    assert len(refusals(followed, limit("c", Side.BUY, "0.1", 1, BETA_BTC))) == 1


# Order rate


def test_orders_in_the_window_count_whoever_sent_them() -> None:
    strategy = Scripted(answer_once(Decision((), [limit("s", Side.BUY, 1)])))
    rate = check_of("order_rate", orders_max="3", window_ms="10")
    followed = follow(strategy, started=engine_started([setup_of(strategy.id)], risk=[rate]))
    followed.process(public_trade(), 1 * MS)
    said = "order_rate: expected at most 3 orders in 10 ms, found 4 with this one"
    assert refusals(followed, *(limit(cid, Side.BUY, 1) for cid in "abc"), now_ns=2 * MS) == [said]
    assert refusals(followed, limit("d", Side.BUY, 1), now_ns=11 * MS - 1) == [said], (
        "the first was 10 ms ago, less 1 ns"
    )
    assert refusals(followed, limit("e", Side.BUY, 1), now_ns=11 * MS) == []
    assert followed.engine.state.risk.checks[0].sent == [[2 * MS, 2 * MS, 11 * MS]]
    assert refusals(followed, limit("f", Side.BUY, 1), now_ns=11 * MS) == [said], "refused ones do not count"
    output = decided(followed.process(command_of(SendOpenRequests((limit("g", Side.BUY, 1),), True)), 11 * MS))
    assert len(output.opens_sent) == 1
    assert followed.engine.state.risk.checks[0].sent == [[2 * MS, 11 * MS, 11 * MS]], "bounded by its own limit"


def test_each_exchange_may_have_a_window_of_its_own() -> None:
    followed = under(check_of("order_rate", orders_max="1", window_ms="10", per="exchange"))
    assert refusals(followed, limit("a", Side.BUY, 1), limit("b", Side.BUY, 1, 1, BETA_BTC)) == []
    assert len(refusals(followed, limit("c", Side.BUY, 1), limit("d", Side.BUY, 1, 1, BETA_BTC), now_ns=5)) == 2
    assert followed.engine.state.risk.checks[0].sent == [[0], [0]]


@pytest.mark.parametrize("price", [0, -5])
def test_a_market_price_of_nothing_or_less_opens_no_limit(price: int) -> None:
    followed = under(check_of("max_exposure", usdt="500"))
    followed.process(public_trade(price))
    assert len(refusals(followed, limit("a", Side.BUY, 100, 10))) == 1, "worth 1,000 by its own price"
    assert refusals(followed, limit("b", Side.BUY, 100, 4)) == []
    assert len(refusals(followed, limit("c", Side.BUY, 2, 100))) == 1
    band = under(check_of("price_band", default="0.05"))
    band.process(public_trade(price))
    (said,) = refusals(band, limit("a", Side.BUY, 1, 100))
    assert said == f"price_band: expected a price within 0.05 of the market's, found a market price of {price}"


def test_amends_count() -> None:
    followed = under(check_of("order_rate", orders_max="2", window_ms="10"))
    followed.process(order_told(order_in(opened(1), "c1", price=100, quantity=4)))
    for price, sent in ((101, 1), (102, 1), (103, 0)):
        output = decided(followed.process(command_of(SendAmendRequests((amend_of(price=price),)))))
        assert len(output.amends_sent) == sent
        followed.process(amend_answered(price=price, quantity=4))
    assert len(refusals(followed, limit("a", Side.BUY, 1))) == 1
    assert followed.engine.state.risk.checks[0].sent == [[0, 0]]


def test_a_rate_without_a_window_in_the_state_lets_nothing_pass() -> None:
    setup = check_of("order_rate", orders_max="1", window_ms="10")
    check = load_check(setup, usual_index())
    state = follow().engine.state
    assert check.problem(state, limit("a", Side.BUY, 1), []).startswith("expected a window in the state")


# Self-cross


@pytest.mark.parametrize(
    ("side", "price", "crosses"),
    [
        (Side.BUY, 99, False),
        (Side.BUY, 100, True),
        (Side.BUY, 101, True),
        (Side.SELL, 90, False),
        (Side.SELL, 89, True),
    ],
)
@pytest.mark.parametrize("kind", OrderKind)
def test_an_order_must_not_reach_one_of_ours(side: Side, price: int, crosses: bool, kind: OrderKind) -> None:
    followed = under(check_of("self_cross"))
    followed.process(order_told(order_in(opened(), "ask", Side.SELL, 100)))
    followed.process(order_told(order_in(opened(), "bid", Side.BUY, 89)))
    followed.process(order_told(order_in(opened(), "far", Side.SELL, 1, instrument=ETH)))
    said = {Side.BUY: "ask to sell at 100", Side.SELL: "bid to buy at 89"}[side]
    reasons = refusals(followed, open_request("a", side, price, kind=kind))
    assert reasons == ([f"self_cross: expected no order of our own in reach, found {said}"] if crosses else [])


def test_orders_of_one_decision_must_not_reach_each_other() -> None:
    followed = under(check_of("self_cross"))
    pair = (limit("a", Side.BUY, 100), limit("b", Side.SELL, 99))
    assert refusals(followed, *pair) == ["self_cross: expected no order of our own in reach, found a to buy at 100"]


def test_orders_of_other_instruments_are_not_in_the_way() -> None:
    followed = under(check_of("self_cross"))
    assert refusals(followed, limit("a", Side.BUY, 100, 1, ETH), limit("b", Side.SELL, 99)) == []


def test_market_orders_rest_nowhere() -> None:
    followed = under(check_of("self_cross"))
    buy = open_request("a", Side.BUY, 100, kind=OrderKind.MARKET)
    assert refusals(followed, buy, limit("b", Side.SELL, 99)) == []


# Parameters


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("max_order_notional", {}, "expected a limit for sim_alpha-btc_usdt under one of"),
        ("max_order_notional", {"usd": "5"}, "expected a limit for sim_alpha-btc_usdt"),
        ("max_order_notional", {"default": "5", "usd": "5"}, "found ['usd']"),
        ("max_order_notional", {"default": "-1"}, "default: expected 0 or more, found '-1'"),
        ("max_order_quantity", {"btc": "NaN", "eth": "1"}, "btc: expected a decimal number"),
        ("max_position", {"btc": "1"}, "expected a limit for sim_alpha-eth_usdt"),
        ("price_band", {"usdt": "1"}, "expected a limit for sim_alpha-btc_usdt under one of"),
        ("max_open_orders", {"default": "many"}, "expected a decimal number"),
        ("max_exposure", {"btc": "1"}, "expected a limit for sim_alpha-btc_usdt"),
        ("order_rate", {}, "orders_max: expected a whole number of 1 to 10000, found ''"),
        ("order_rate", {"orders_max": "0", "window_ms": "1"}, "orders_max: expected a whole number"),
        ("order_rate", {"orders_max": "10001", "window_ms": "1"}, "orders_max: expected a whole number"),
        ("order_rate", {"orders_max": "1", "window_ms": "1.5"}, "window_ms: expected a whole number"),
        ("order_rate", {"orders_max": "1", "window_ms": "1", "per": "day"}, "per: expected 'engine' or 'exchange'"),
        ("order_rate", {"orders_max": "1", "window_ms": "1", "by": "x"}, "found ['by']"),
        ("self_cross", {"default": "1"}, "expected no parameters, found ['default']"),
    ],
)
def test_bad_parameters_are_refused_when_a_check_is_made(name: str, params: dict[str, str], said: str) -> None:
    with pytest.raises(LimitError) as caught:
        load_check(check_of(name, **params), usual_index())
    assert str(caught.value).startswith(f"risk check {name}: ")
    assert said in str(caught.value)


def test_a_limit_of_zero_forbids() -> None:
    followed = under(check_of("max_position", btc="0", eth="1"))
    assert len(refusals(followed, limit("a", Side.BUY, 1, "0.001"))) == 1


def test_values_are_those_of_a_book_too() -> None:
    followed = under(check_of("price_band", default="0.01"))
    followed.process(book((99, 1), (101, 1)))
    assert followed.engine.state.instruments[BTC].data.price() == Decimal(100)
    assert len(refusals(followed, limit("a", Side.BUY, "101.01"), limit("b", Side.BUY, 101))) == 1


# Derivatives


def derivative(kind: InstrumentKind, settlement: str) -> InstrumentDefinition:
    """A contract on btc in usdt, 10 in size; an option has a strike of 500."""
    size, settled = Decimal(10), asset_from_name(settlement)
    if kind is InstrumentKind.OPTION:
        strike, exercise = Decimal(500), OptionExercise.EUROPEAN
        contract = InstrumentContract(kind, size, settled, 1, strike, OptionKind.CALL, exercise)
    else:
        contract = InstrumentContract(kind, size, settled, None, None, None, None)
    base, quote = asset_from_name("btc"), asset_from_name("usdt")
    return InstrumentDefinition(ExchangeId.SIM_ALPHA, "c", "C", base, quote, QuoteKind.UNDERLYING_QUOTE, contract, None)


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        (derivative(InstrumentKind.PERPETUAL, "usdt"), 3 * 10 * 100),
        (derivative(InstrumentKind.PERPETUAL, "btc"), 3 * 10),
        (derivative(InstrumentKind.OPTION, "usdt"), 3 * 10 * 500),
    ],
    ids=["linear", "inverse", "option"],
)
def test_contracts_are_valued_in_quote(definition: InstrumentDefinition, value: int) -> None:
    index = index_instruments([definition])
    for usdt, refused in ((value, 0), (value - 1, 1)):
        setups = [check_of("max_order_notional", usdt=str(usdt)), check_of("max_exposure", usdt=str(usdt))]
        for setup in setups:
            followed = follow(started=engine_started(risk=[setup], index=index, accounts=[]))
            output = decided(followed.process(command_of(SendOpenRequests((limit("a", Side.BUY, 100, 3),)))))
            assert len(output.opens_refused) == refused
