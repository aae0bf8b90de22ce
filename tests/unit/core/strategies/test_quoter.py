"""The quoter: a bid and an ask at the best prices, moved when left behind, limited by what it holds."""

from decimal import Decimal

from tests.support.builders import (
    ALPHA,
    BETA,
    BETA_BTC,
    BTC,
    Number,
    book,
    engine_started,
    fill,
    filled,
    opened,
    order_in,
    order_told,
    public_trade,
    setup_of,
    steps,
    usual_index,
)
from tests.support.scenario import Followed, decided, follow
from tradebus.core.engine.audit.tick import AuditTick, Origin
from tradebus.core.engine.event import AccountEvent, CancelAnswered, TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketGap, MarketReconnecting
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.order import OrderKind, TimeInForce
from tradebus.core.model.side import Side
from tradebus.strategies.loading import load_strategy

NAME = StrategyId("quoter")


def running(**params: str) -> Followed:
    setup = setup_of(NAME, "tradebus.strategies.quoter:Quoter", **params)
    index = usual_index(steps(lot="0.001"))
    return follow(load_strategy(setup, index), started=engine_started([setup], index=index))


def quote(followed: Followed, bid: Number = 100, ask: Number = 102, *, instrument: int = BTC) -> AuditTick:
    time = followed.engine.sequence
    return followed.process(book((bid, 1), (ask, 1), instrument=instrument, time_ns=time))


def acknowledge(followed: Followed, instrument: int = BTC) -> None:
    """Let the venue acknowledge every order in flight."""
    for order in list(followed.engine.state.instruments[instrument].orders.values()):
        state = opened(followed.engine.sequence, order_id=order.key.cid)
        followed.process(order_told(order.with_state(state)))


def test_it_quotes_both_sides_at_the_best_prices_without_taking() -> None:
    bid, ask = decided(quote(running(notional="500"))).opens_sent
    assert (bid.side, bid.price, bid.quantity) == (Side.BUY, Decimal(100), Decimal(5))
    assert (ask.side, ask.price, ask.quantity) == (Side.SELL, Decimal(102), Decimal("4.901"))
    for request in (bid, ask):
        assert (request.kind, request.time_in_force) == (OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY)


def test_quotes_that_stand_well_are_left_alone() -> None:
    followed = running(requote_bps="100")
    quote(followed)
    assert quote(followed).outputs == (), "in flight"
    acknowledge(followed)
    assert quote(followed, "100.9", "101.1").outputs == (), "less than a percent away"


def test_quotes_that_are_left_behind_are_cancelled_and_replaced_once_that_is_answered() -> None:
    followed = running(requote_bps="100")
    quote(followed)
    acknowledge(followed)
    output = decided(quote(followed, 110, 112))
    (cancel,) = output.cancels_sent
    assert followed.engine.state.instruments[BTC].orders[cancel.key.cid].side is Side.BUY
    assert output.opens_sent == ()
    assert quote(followed, 110, 112).outputs == (), "the cancel is in flight"
    followed.process(AccountEvent(ALPHA, 0, 0, CancelAnswered(cancel.key, cancel.id, 1, None)))
    (again,) = decided(quote(followed, 110, 112)).opens_sent
    assert (again.side, again.price) == (Side.BUY, Decimal(110))


def test_an_unacknowledged_quote_is_not_cancelled_yet() -> None:
    followed = running()
    quote(followed)
    assert quote(followed, 110, 112).outputs == ()


def test_it_stops_quoting_the_side_it_holds_too_much_of() -> None:
    followed = running(notional_max="1000")
    followed.process(filled(fill(strategy=NAME, quantity=10, price=100)))
    assert [request.side for request in decided(quote(followed)).opens_sent] == [Side.SELL]
    followed = running(notional_max="1000")
    followed.process(filled(fill(strategy=NAME, side=Side.SELL, quantity=10, price=100)))
    assert [request.side for request in decided(quote(followed)).opens_sent] == [Side.BUY]


def test_half_a_book_trades_and_other_instruments_are_left_alone() -> None:
    followed = running(instruments="sim_beta-btc_usdt")
    for event in (book(None, (101, 1)), public_trade(), book()):
        assert followed.process(event).outputs == ()
    assert followed.process(book((100, 1), None, instrument=BETA_BTC)).outputs == ()
    assert followed.process(public_trade(instrument=BETA_BTC)).outputs == ()
    assert len(decided(quote(followed, instrument=BETA_BTC)).opens_sent) == 2


def test_orders_of_others_are_not_its_quotes() -> None:
    followed = running()
    followed.process(order_told(order_in(opened(), "other", strategy="other", price=1)))
    output = decided(quote(followed))
    assert (len(output.cancels_sent), len(output.opens_sent)) == (0, 2)


def test_when_trading_goes_off_all_quotes_are_taken_down() -> None:
    followed = running()
    quote(followed)
    quote(followed, instrument=BETA_BTC)
    acknowledge(followed)
    output = decided(followed.process(TradingStateUpdate(TradingState.DISABLED, "operator")))
    assert output.origin is Origin.TRADING_DISABLED
    assert [request.key.instrument for request in output.cancels_sent] == [BTC, BTC, BETA_BTC, BETA_BTC]
    assert quote(followed).outputs == ()


def test_when_an_exchange_is_lost_its_quotes_are_taken_down_and_others_stay() -> None:
    followed = running()
    quote(followed)
    quote(followed, instrument=BETA_BTC)
    outputs = followed.process(MarketReconnecting(BETA, "")).outputs
    cancels = [request for output in outputs for request in getattr(output, "cancels_sent", ())]
    assert [request.key.instrument for request in cancels] == [BETA_BTC, BETA_BTC]


def test_a_gap_is_over_with_the_book_that_follows_it() -> None:
    followed = running()
    followed.process(MarketGap(ALPHA, BTC, 1, 2))
    assert len(decided(quote(followed)).opens_sent) == 2
