"""The EMA cross: long above, flat below, one order at a time, and what it remembers."""

from decimal import Decimal

from tests.support.builders import (
    ALPHA,
    BETA_BTC,
    BTC,
    ETH,
    book,
    engine_started,
    fill,
    filled,
    order_in,
    order_told,
    public_trade,
    setup_of,
    steps,
    usual_index,
)
from tests.support.scenario import Followed, decided, follow
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.market.event import MarketGap
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.index import index_instruments
from tradebus.core.model.order import FULLY_FILLED, OrderKind, TimeInForce
from tradebus.core.model.side import Side
from tradebus.strategies.ema_cross import AVERAGE_STEP, EmaCrossData
from tradebus.strategies.loading import load_strategy

NAME = StrategyId("ema")


def running(spec_lot: str = "0.001", **params: str) -> Followed:
    setup = setup_of(NAME, "tradebus.strategies.ema_cross:EmaCross", **{"fast": "2", "slow": "4", **params})
    index = usual_index(steps(lot=spec_lot))
    return follow(load_strategy(setup, index), started=engine_started([setup], index=index))


def trades(followed: Followed, *prices: int, instrument: int = BTC) -> AuditTick:
    return [followed.process(public_trade(price, instrument=instrument)) for price in prices][-1]


def bought(followed: Followed) -> None:
    """Fill the order that was just sent."""
    request = decided(followed.ticks[-1]).opens_sent[0]
    cid = request.key.cid
    order = order_in(FULLY_FILLED, cid, instrument=request.key.instrument, strategy=NAME)
    followed.process(order_told(order))
    trade = fill(
        cid, request.side, request.price, request.quantity, instrument=request.key.instrument, cid=cid, strategy=NAME
    )
    followed.process(filled(trade))


def data_of(followed: Followed) -> EmaCrossData:
    data = followed.engine.state.strategy_data(NAME)
    assert isinstance(data, EmaCrossData)
    return data


def holding(followed: Followed) -> Decimal:
    return followed.engine.state.instruments[BTC].strategy_quantity(NAME)


def test_it_buys_for_its_notional_when_the_fast_average_is_above() -> None:
    followed = running(notional="1000")
    assert trades(followed, 100, 101, 102).outputs == (), "not before the slow average has seen enough"
    (request,) = decided(trades(followed, 103)).opens_sent
    assert (request.side, request.price, request.quantity) == (Side.BUY, Decimal(103), Decimal("9.708"))
    assert (request.kind, request.time_in_force) == (OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL)
    assert request.key.strategy == NAME


def test_it_does_nothing_while_an_order_of_its_own_is_at_work() -> None:
    followed = running()
    trades(followed, 100, 101, 102, 103)
    assert trades(followed, 104, 105, 90, 80).outputs == ()


def test_it_leaves_what_it_holds_when_the_fast_average_is_below_and_never_goes_short() -> None:
    followed = running()
    trades(followed, 100, 101, 102, 103)
    bought(followed)
    held = holding(followed)
    assert held > 0
    assert trades(followed, 104).outputs == ()
    (request,) = decided(trades(followed, 50)).opens_sent
    assert (request.side, request.quantity) == (Side.SELL, held)
    bought(followed)
    assert holding(followed) == 0
    assert trades(followed, 40, 30).outputs == ()


def test_falling_from_the_start_it_stays_flat() -> None:
    assert trades(running(), 100, 99, 98, 97, 96).outputs == ()


def test_only_its_own_fills_count() -> None:
    followed = running()
    followed.process(filled(fill(strategy="other", quantity=5)))
    assert holding(followed) == 0
    followed.process(filled(fill(strategy=NAME, quantity=5)))
    followed.process(filled(fill(strategy=NAME, side=Side.SELL, quantity=7)))
    assert holding(followed) == -2


def test_other_lengths_weigh_what_comes_from_then_on() -> None:
    state = follow().engine.state
    data = EmaCrossData(usual_index(), 2, 4)
    data.process(state, public_trade(100))
    data.process(state, public_trade(110))
    before = data.fast[BTC]
    data.configure({"fast": "9"})
    assert (data.weight_fast, data.weight_slow) == (Decimal(2) / 10, Decimal(2) / 61), "an absent one is the default"
    data.process(state, public_trade(120))
    assert data.fast[BTC] == (before + Decimal("0.2") * (120 - before)).quantize(AVERAGE_STEP)


def test_an_instrument_that_was_added_gets_averages() -> None:
    data = EmaCrossData(index_instruments([]), 2, 4)
    data.process(follow().engine.state, public_trade(7, instrument=ETH))
    assert (data.seen, data.fast[ETH], data.slow[ETH]) == ([0, 1], Decimal(7), Decimal(7))


def test_instruments_have_averages_of_their_own_and_others_are_left_alone() -> None:
    followed = running(instruments="sim_alpha-eth_usdt")
    trades(followed, 100, 101, 102, 103)
    assert trades(followed, 100, 101, 102, 103).outputs == ()
    trades(followed, 10, 11, 12, instrument=ETH)
    assert decided(trades(followed, 13, instrument=ETH)).opens_sent[0].key.instrument == ETH
    assert data_of(followed).seen == [8, 4, 0]


def test_averages_are_exact_and_bounded() -> None:
    followed = running(fast="2", slow="5")
    trades(followed, 100, 103, instrument=BETA_BTC)
    data = data_of(followed)
    assert data.fast[BETA_BTC] == 102
    assert data.slow[BETA_BTC] == 101
    trades(followed, 100, 101, 102, 100, 107, instrument=BETA_BTC)
    assert all(-average.as_tuple().exponent <= 12 for average in data.fast)  # type: ignore[operator]


def test_a_stale_instrument_is_not_traded() -> None:
    followed = running()
    trades(followed, 100, 101, 102)
    followed.process(MarketGap(ALPHA, BTC, 1, 2))
    assert decided(trades(followed, 103)).opens_sent, "the trade itself says how it stands"


def test_books_decide_nothing_but_give_the_price() -> None:
    followed = running()
    trades(followed, 100, 101, 102)
    assert followed.process(book((110, 1), (111, 1))).outputs == ()
    assert decided(trades(followed, 103)).opens_sent[0].price == Decimal("110.5")


def test_what_is_less_than_a_lot_is_not_bought() -> None:
    assert trades(running(spec_lot="100"), 100, 101, 102, 103).outputs == ()
