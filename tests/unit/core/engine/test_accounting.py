"""Fills and funding in other assets, and what each strategy holds and made."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.support.builders import (
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BTC,
    ETH,
    Number,
    account_event,
    book,
    derivative,
    engine_started,
    fill,
    filled,
    funded,
    public_trade,
    setup_of,
    simulated_account,
    spot_definition,
)
from tests.support.scenario import Followed, Scripted, follow
from tradebus.core.engine.apply import is_duplicate
from tradebus.core.engine.audit.tick import PositionExit
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.state.funding import FUNDING_IDS_MAX, AssetAmount
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.strategy_position import (
    StrategyPosition,
    StrategyPositions,
    share_funding,
    strategy_position,
)
from tradebus.core.model.identifiers import AssetIndex, StrategyId
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import InstrumentDefinition, InstrumentKind
from tradebus.core.model.side import Side

A, B, UNKNOWN = StrategyId("a"), StrategyId("b"), StrategyId("unknown")


def followed() -> Followed:
    return follow(Scripted(strategy_id="a"), Scripted(strategy_id="b"))


def of_index(*definitions: InstrumentDefinition) -> Followed:
    strategy = Scripted(strategy_id="a")
    index = index_instruments(definitions)
    started = engine_started([setup_of(strategy.id)], index=index, accounts=[simulated_account(balances=())])
    return follow(strategy, started=started)


def state_of(run: Followed, instrument: int = BTC) -> InstrumentState:
    return run.engine.state.instruments[instrument]


def realised(run: Followed, instrument: int = BTC) -> Decimal:
    return state_of(run, instrument).pnl_realised()


def trade(run: Followed, side: Side, price: Number, quantity: Number, fees: Number = 0, **more: object) -> None:
    name = f"t{len(run.ticks)}"
    run.process(filled(fill(name, side, price, quantity, fees, **more)))  # type: ignore[arg-type]


def numbers(*values: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) for value in values)


# Fees


def test_fees_in_the_asset_of_the_profit_are_taken_as_they_are() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 1, 2)
    trade(run, Side.BUY, 100, 1, 3, fees_asset=ASSET_USDT)
    assert realised(run) == -5
    assert state_of(run).apart == []


def test_fees_in_base_are_worth_the_price_of_the_fill() -> None:
    run = followed()
    run.process(public_trade(500))
    trade(run, Side.BUY, 100, 2, "0.01", fees_asset=ASSET_BTC)
    position = state_of(run).position
    assert position is not None
    assert (position.fees_enter, position.pnl_realised, position.quantity_abs) == numbers(1, -1, 2)


def test_fees_in_a_third_asset_are_worth_its_price_in_the_market() -> None:
    run = followed()
    run.process(book((9, 1), (11, 1), instrument=ETH))
    trade(run, Side.BUY, 100, 1, "0.5", fees_asset=ASSET_ETH)
    assert realised(run) == -5
    run.process(book((90, 1), (110, 1), instrument=ETH, time_ns=2))
    assert realised(run) == -5, "what was booked does not move with the market"


def test_fees_without_a_price_are_kept_apart_and_never_counted_as_quote() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 1, "0.5", fees_asset=ASSET_ETH)
    trade(run, Side.BUY, 100, 1, "0.25", fees_asset=ASSET_ETH)
    trade(run, Side.SELL, 100, 2, "-1", fees_asset=ASSET_ETH)
    assert realised(run) == 0
    assert state_of(run).exits.fees == 0
    assert state_of(run).apart == [AssetAmount(ASSET_ETH, Decimal("0.25"))]
    run.process(public_trade(10, instrument=ETH, time_ns=2))
    assert realised(run) == 0


def test_an_asset_can_be_the_quote_of_the_instrument_that_prices_it() -> None:
    run = of_index(spot_definition(base="eth", quote="btc"), spot_definition(base="btc", quote="usdt"))
    index = run.engine.state.index
    exchange = index.exchanges[0]
    usdt = index.find_asset_index(exchange, "usdt")
    eth_btc = index.find_instrument_index(exchange, "sim_alpha-eth_btc")
    btc_usdt = index.find_instrument_index(exchange, "sim_alpha-btc_usdt")
    run.process(public_trade(50, instrument=btc_usdt))
    trade(run, Side.BUY, "0.1", 1, 10, instrument=eth_btc, fees_asset=usdt)
    assert realised(run, eth_btc) == Decimal("-0.2"), "10 usdt at 50 are 0.2 btc"


@pytest.mark.parametrize("asset", [5, -1])
def test_fees_in_an_asset_that_there_is_not_are_refused(asset: int) -> None:
    run = followed()
    with pytest.raises(InvalidEvent, match=f"asset index of 0 to 4, found {asset}"):
        run.process(filled(fill(fees_asset=asset)))
    assert state_of(run).position is None


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("Infinity"), Decimal("1e29"), Decimal("-1e-101")])
def test_numbers_that_cannot_be_accounted_for_are_refused(number: Decimal) -> None:
    run = followed()
    trade(run, Side.BUY, 100, 1)
    before = run.engine.hash()
    events = [
        filled(fill(price=number)),
        filled(fill(quantity=number)),
        filled(fill(fees=number)),
        funded(number),
    ]
    for event in events:
        with pytest.raises(InvalidEvent, match="expected a"):
            run.engine.process(event, 1)
    assert run.engine.hash() == before


# Contracts


def test_an_inverse_contract_is_accounted_in_base() -> None:
    run = of_index(derivative(quote="usd", settlement="btc", size=100))
    btc = run.engine.state.index.find_asset_index(run.engine.state.index.exchanges[0], "btc")
    trade(run, Side.BUY, 20_000, 100, "0.001")
    assert state_of(run).pnl_asset == btc
    run.process(public_trade(25_000))
    assert state_of(run).price_mark() == 25_000
    assert state_of(run).value_net() == Decimal("0.4")
    assert state_of(run).pnl_unrealised_gross() == Decimal("0.1")
    assert state_of(run).exit_fees_approximate() == Decimal("0.001")
    assert state_of(run).pnl_unrealised() == Decimal("0.099")
    assert run.engine.state.pnl_unrealised() == {btc: Decimal("0.099")}
    trade(run, Side.SELL, 25_000, 100, 5, fees_asset=1)
    assert realised(run) == Decimal("0.1") - Decimal("0.001") - Decimal(5) / 25_000
    assert run.engine.state.pnl_realised() == {btc: realised(run)}


def test_a_price_of_0_cannot_fill_or_value_an_inverse_contract() -> None:
    run = of_index(derivative(quote="usd", settlement="btc"))
    with pytest.raises(InvalidEvent, match="expected a price above 0 for an inverse contract"):
        trade(run, Side.BUY, 0, 1)
    trade(run, Side.BUY, 50, 1)
    run.process(public_trade(0))
    assert state_of(run).price_mark() == 50
    assert state_of(run).pnl_unrealised() == 0


def test_a_premium_is_no_price_of_the_base() -> None:
    run = of_index(derivative(InstrumentKind.OPTION, size="0.1"))
    trade(run, Side.BUY, 5, 10, "0.5", fees_asset=0)
    assert realised(run) == 0
    assert state_of(run).apart == [AssetAmount(AssetIndex(0), Decimal("-0.5"))]


# Marks


def test_market_events_move_the_open_profit_and_nothing_else() -> None:
    run = followed()
    trade(run, Side.SELL, 100, 2, 1)
    before = state_of(run).position
    for price, expected in ((90, 19), (120, -41)):
        run.process(public_trade(price, time_ns=price))
        assert state_of(run).pnl_unrealised() == expected
        assert state_of(run).pnl_unrealised_gross() == expected + 1
        assert state_of(run).value_net() == -2 * price
        assert state_of(run).position is before


def test_what_is_flat_is_worth_nothing() -> None:
    state = state_of(followed())
    assert state.price_mark() is None
    assert not state.has_traded()
    found = (state.pnl_unrealised(), state.pnl_unrealised_gross(), state.exit_fees_approximate(), state.value_net())
    assert found == numbers(0, 0, 0, 0)
    assert state.strategy_pnl_unrealised(A) == 0


# Funding


def test_funding_is_realised_profit_of_the_open_position() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 1)
    run.process(funded("-0.5"))
    run.process(funded("0.2", time_ns=2))
    position = state_of(run).position
    assert position is not None
    assert (position.funding, position.pnl_realised) == (Decimal("-0.3"), Decimal("-0.3"))
    tick = run.process(filled(fill("x", Side.SELL, 110, 1)))
    (output,) = tick.outputs
    assert isinstance(output, PositionExit)
    assert (output.exited.funding, output.exited.pnl_realised) == (Decimal("-0.3"), Decimal("9.7"))
    assert run.engine.state.pnl_realised() == {ASSET_USDT: Decimal("9.7")}
    assert state_of(run).funding.amount == Decimal("-0.3")


def test_funding_that_comes_after_the_position_is_closed_still_counts() -> None:
    run = followed()
    run.process(funded(-2))
    assert realised(run) == -2
    assert run.engine.state.pnl_realised() == {ASSET_USDT: Decimal(-2)}
    assert state_of(run).strategies[UNKNOWN].funding == -2


def test_funding_in_other_assets_is_converted_or_kept_apart() -> None:
    run = followed()
    run.process(funded(1, ASSET_BTC))
    assert state_of(run).apart == [AssetAmount(ASSET_BTC, Decimal(1))]
    run.process(public_trade(100))
    run.process(funded(1, ASSET_BTC, time_ns=2))
    assert realised(run) == 100
    assert state_of(run).funding.count == 2


def test_a_funding_payment_is_applied_once() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 1)
    for event in (funded(1), funded(1, payment_id="f2"), funded(1), funded(1, payment_id="f2")):
        run.process(event)
    assert realised(run) == 2
    run.process(funded(1, time_ns=5))
    run.process(funded(1, payment_id="late", time_ns=4))
    assert realised(run) == 3, "payments come in the order of their times: an older one was applied before"
    assert is_duplicate(run.engine.state, funded(1, time_ns=5))
    assert not is_duplicate(run.engine.state, funded(1, time_ns=6))
    keyed = funded(1, time_ns=7, cause=3, ordinal=1)
    run.process(keyed)
    run.process(funded(1, time_ns=8, cause=3, ordinal=1))
    assert realised(run) == 4


def test_ids_of_payments_at_one_instant_are_bounded() -> None:
    run = followed()
    for i in range(FUNDING_IDS_MAX + 5):
        run.process(funded(1, payment_id=str(i)))
    assert state_of(run).funding.ids == [str(i) for i in range(5, FUNDING_IDS_MAX + 5)]


def test_funding_must_name_an_instrument_of_the_account_and_an_asset() -> None:
    run = followed()
    with pytest.raises(InvalidEvent, match="asset index"):
        run.process(funded(1, 9))
    with pytest.raises(InvalidEvent, match="instrument index"):
        run.process(funded(1, instrument=9))
    with pytest.raises(InvalidEvent, match="is on exchange 0, the event says 1"):
        run.process(account_event(funded(1).data, 1))
    assert not state_of(run).has_traded()


# Strategies


def holdings(run: Followed) -> Sequence[StrategyPosition]:
    return [state_of(run).strategies[name] for name in sorted(state_of(run).strategies)]


def test_fills_are_attributed_by_strategy() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 2, 1, strategy="a")
    trade(run, Side.SELL, 110, 2, 1, strategy="b")
    assert state_of(run).position is None
    a, b = holdings(run)
    assert (a.quantity_net, a.price_entry_average, a.pnl_realised, a.fees) == numbers(2, 100, -1, 1)
    assert (b.quantity_net, b.price_entry_average, b.pnl_realised, b.fees) == numbers(-2, 110, -1, 1)
    run.process(public_trade(105))
    assert state_of(run).strategy_pnl_unrealised(A) == 10
    assert state_of(run).strategy_pnl_unrealised(B) == 10
    # The account sold what it bought; each strategy may still hold its side. In all they made the same.
    assert realised(run) == 18
    assert run.engine.state.strategy_pnl(A) == run.engine.state.strategy_pnl(B) == {ASSET_USDT: Decimal(9)}
    assert run.engine.state.strategy_pnl(UNKNOWN) == {}
    assert [state_of(run).strategy_quantity(name) for name in (A, B, UNKNOWN)] == [2, -2, 0]


def test_a_strategy_closes_flips_and_counts() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 2, strategy="a")
    trade(run, Side.BUY, 130, 1, strategy="a")
    trade(run, Side.SELL, 120, 1, strategy="a")
    (a,) = holdings(run)
    assert (a.quantity_net, a.price_entry_average, a.pnl_realised) == numbers(2, 110, 10)
    assert a.exit_count == 0
    trade(run, Side.SELL, 100, 5, strategy="a")
    assert (a.quantity_net, a.price_entry_average, a.pnl_realised) == numbers(-3, 100, -10)
    assert a.exit_count == 1
    trade(run, Side.BUY, 90, 3, strategy="a")
    assert (a.quantity_net, a.price_entry_average, a.pnl_realised) == numbers(0, 0, 20)
    assert a.exit_count == 2
    assert a.trade_count == 5


def test_fills_of_others_are_unknown() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 1, strategy="nobody")
    trade(run, Side.BUY, 100, 1, strategy="somebody")
    trade(run, Side.BUY, 100, 1, strategy="unknown")
    assert list(state_of(run).strategies) == [UNKNOWN]
    assert holdings(run)[0].trade_count == 3


def test_funding_is_shared_by_what_is_held() -> None:
    run = followed()
    trade(run, Side.BUY, 100, 4, strategy="b")
    trade(run, Side.SELL, 100, 1, strategy="a")
    run.process(funded("-0.1"))
    a, b = holdings(run)
    assert a.funding > 0, "who is short receives what the long pay"
    assert abs(a.funding - Decimal("0.1") / 3) < Decimal("1e-25")
    assert abs(a.funding + b.funding + Decimal("0.1")) < Decimal("1e-25")


def test_three_holders_share_a_payment_to_the_last_digit() -> None:
    positions: StrategyPositions = {}
    for name, held in (("a", 1), ("b", 2), ("c", 4)):
        strategy_position(positions, StrategyId(name)).quantity_net = Decimal(held)
    share_funding(positions, Decimal(-7), Decimal(7))
    assert [positions[StrategyId(name)].funding for name in "abc"] == [-1, -2, -4]
    share_funding(positions, Decimal(1), Decimal(7))
    assert sum(each.funding for each in positions.values()) == -6
