"""The projection of ticks: every fill once, equity at fills and at the ends of periods, and sheets that add up."""

from decimal import Decimal
from functools import partial

import pytest

from tests.support.builders import (
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BETA_BTC,
    BTC,
    ETH,
    SECOND,
    asset_balance,
    balance_told,
    book,
    engine_of,
    engine_started,
    fill,
    filled,
    funded,
    setup_of,
)
from tests.support.scenario import Scripted
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.account import Liquidity, Trade
from tradebus.core.model.number import NumberError
from tradebus.core.model.side import Side
from tradebus.core.statistics.capital import capital_of, checked_capital, currencies_of
from tradebus.core.statistics.interval import DAILY
from tradebus.core.statistics.projection import NEVER, TradingStatistics
from tradebus.core.statistics.summary import TradingSummary

BUY, SELL = Side.BUY, Side.SELL


class Told:
    """An engine that is told events, with the statistics of its ticks; a thousand usdt to trade with."""

    def __init__(self, *, period_ns: int = 0, keeps_trades: bool = True, capital: int = 1000) -> None:
        strategies = [Scripted(strategy_id=name) for name in ("a", "b")]
        self.started = engine_started([setup_of(strategy.id) for strategy in strategies])
        self.engine = engine_of(*strategies, started=self.started)
        start = self.engine.start(0)
        self.statistics = TradingStatistics(
            self.engine.state, 0, {"usdt": Decimal(capital)}, period_ns=period_ns, keeps_trades=keeps_trades
        )
        self.statistics.add(start, self.engine.state)

    def tell(self, event: EngineEvent, now_ns: int) -> None:
        while self.statistics.next_sample_ns < now_ns:
            self.statistics.sample(self.engine.state)
        self.statistics.add(self.engine.process(event, now_ns), self.engine.state)

    def summary(self, now_ns: int) -> TradingSummary:
        return self.statistics.summary(self.engine.state, now_ns, Decimal(0), DAILY)


def traded(
    side: Side,
    price: int,
    quantity: int,
    *,
    trade_id: str = "1",
    fees: str = "0",
    instrument: int = BTC,
    strategy: str = "a",
    fees_asset: int | None = None,
    liquidity: Liquidity = Liquidity.TAKER,
) -> Trade:
    """Return a fill."""
    return fill(
        trade_id,
        side,
        price,
        quantity,
        fees,
        instrument=instrument,
        strategy=strategy,
        fees_asset=fees_asset,
        liquidity=liquidity,
    )


bought = partial(traded, BUY)
sold = partial(traded, SELL)


def near(value: Decimal | int) -> object:
    """Accept what differs by rounding only."""
    return pytest.approx(value, rel=Decimal("1e-20"))


def mark(price: int, time_ns: int, instrument: int = BTC) -> EngineEvent:
    """Return a book whose price is that one."""
    return book((price - 1, 1), (price + 1, 1), instrument=instrument, time_ns=time_ns)


def test_a_fill_is_listed_with_what_it_did() -> None:
    told = Told()
    told.tell(mark(100, 1), 1)
    told.tell(filled(bought(100, 2, trade_id="t1", fees="0.5", strategy="a")), 2)
    told.tell(filled(sold(110, 1, trade_id="t2", fees="0.25", strategy="b")), 3)
    first, second = told.statistics.trades
    assert (first.trade_id, first.instrument, first.currency) == ("t1", "sim_alpha-btc_usdt", "usdt")
    assert (first.sequence, first.time_ns, first.strategy) == (2, 2, "a")
    assert [first.position, first.value, first.pnl_realised] == [2, 200, Decimal("-0.5")]
    assert [first.equity, first.fees, first.quantity] == [1000 - Decimal("0.5") - Decimal("0.5"), Decimal("0.5"), 2]
    assert [second.position, second.value] == [1, 110]
    assert second.pnl_realised == 10 - Decimal("0.25")


def test_a_fill_told_twice_counts_once() -> None:
    told = Told()
    for _ in range(2):
        told.tell(filled(bought(100, 2, trade_id="t1"), cause=1, ordinal=1), 2)
    assert len(told.statistics.trades) == 1
    assert told.summary(3).activities["sim_alpha-btc_usdt"].fills == 1


def test_equity_is_marked_to_the_market_at_fills_and_at_the_ends_of_periods() -> None:
    told = Told(period_ns=10)
    told.tell(filled(bought(100, 2)), 5)
    told.tell(mark(101, 7), 7)
    told.tell(mark(130, 10), 10)
    told.tell(mark(90, 12), 12)
    told.tell(mark(120, 35), 35)
    points = [(point.time_ns, int(point.equity)) for point in told.statistics.equity()["usdt"]]
    assert points == [(0, 1000), (10, 1060), (20, 980), (30, 980)]
    told.summary(37)
    assert told.statistics.equity()["usdt"][-1].time_ns == 37
    assert told.statistics.equity()["usdt"][-1].equity == 1040


def test_drawdowns_count_what_fills_saw_between_the_ends_of_periods() -> None:
    told = Told(period_ns=100)
    told.tell(filled(bought(100, 2, trade_id="1")), 5)
    told.tell(mark(50, 6), 6)
    told.tell(filled(bought(50, 2, trade_id="2")), 7)
    told.tell(mark(200, 8), 8)
    sheet = told.summary(9).portfolios["usdt"]
    assert sheet.drawdown is None, "it ended"
    assert sheet.drawdown_max is not None
    assert sheet.drawdown_max.value == Decimal("0.1")
    assert sheet.equity_end == 1000 + 2 * 100 + 2 * 150


def test_without_periods_nothing_is_sampled() -> None:
    told = Told()
    assert told.statistics.next_sample_ns == NEVER
    told.tell(mark(100, 10 * SECOND), 10 * SECOND)
    assert len(told.statistics.equity()["usdt"]) == 1


def test_reading_twice_gives_the_same() -> None:
    told = Told(period_ns=10)
    told.tell(filled(bought(100, 2, trade_id="1")), 5)
    told.tell(mark(90, 7), 7)
    told.tell(filled(sold(90, 1, trade_id="2")), 25)
    assert told.summary(30) == told.summary(30)
    assert told.summary(30).to_json() == told.summary(30).to_json()


def test_sheets_add_up() -> None:
    told = Told(period_ns=10)
    prices = {BTC: 100, ETH: 50, BETA_BTC: 100}
    for i in range(30):
        instrument = (BTC, ETH, BETA_BTC)[i % 3]
        prices[instrument] += (i * 7) % 11 - 5
        price = prices[instrument]
        told.tell(mark(price, 10 * i + 1, instrument), 10 * i + 1)
        side = BUY if i % 2 else SELL
        trade = traded(side, price, 1 + i % 4, instrument=instrument, trade_id=str(i), fees="0.1", strategy="ab"[i % 2])
        told.tell(filled(trade), 10 * i + 2)
    summary = told.summary(400)
    sheet = summary.portfolios["usdt"]
    instruments = summary.instruments.values()
    assert sheet.pnl == near(sum(each.pnl + each.pnl_open for each in instruments))
    assert sheet.positions == sum(each.positions for each in instruments)
    assert sheet.positions > 5
    strategies = [each.pnl_realised["usdt"] + each.pnl_unrealised["usdt"] for each in summary.strategies.values()]
    exit_fees = sum(each.exit_fees_approximate() for each in told.engine.state.instruments)
    assert sum(strategies) - exit_fees == near(sheet.pnl)
    activities = list(summary.activities.values())
    assert sum(each.turnover["usdt"] for each in activities) == sheet.turnover
    assert sum(each.fees["usdt"] for each in activities) == 3
    assert [each.activity.fills for each in summary.strategies.values()] == [15, 15]
    assert sheet.turnover_rate == sheet.turnover / 1000
    assert told.statistics.trades[-1].equity == told.statistics.equity()["usdt"][-1].equity


def test_funding_moves_equity_and_is_no_fills_profit() -> None:
    told = Told()
    told.tell(filled(bought(100, 1, trade_id="1")), 1)
    told.tell(funded(-5), 2)
    told.tell(filled(sold(100, 1, trade_id="2")), 3)
    assert told.statistics.trades[-1].pnl_realised == 0
    assert told.summary(4).portfolios["usdt"].pnl == -5
    assert told.summary(4).portfolios["usdt"].drawdown is not None


def test_fees_are_told_by_asset_and_makers_apart() -> None:
    told = Told()
    told.tell(filled(bought(100, 1, trade_id="1", fees="0.1", liquidity=Liquidity.MAKER)), 1)
    told.tell(filled(bought(100, 1, trade_id="2", fees="0.001", fees_asset=ASSET_BTC)), 2)
    activity = told.summary(3).activities["sim_alpha-btc_usdt"]
    assert (activity.fills, activity.fills_maker) == (2, 1)
    assert activity.fees == {"btc": Decimal("0.001"), "usdt": Decimal("0.1")}
    assert told.statistics.trades[1].fees_asset == "btc"


def test_stale_balances_are_left_out() -> None:
    told = Told()
    for total, time_ns in ((100, 5), (50, 3), (80, 6)):
        told.tell(balance_told(asset_balance(ASSET_USDT, total, time_ns=time_ns)), time_ns)
    sheet = told.summary(7).assets["sim_alpha_usdt"]
    assert sheet.balance_end is not None
    assert sheet.balance_end.total == 80
    assert sheet.drawdown is not None
    assert sheet.drawdown.value == Decimal("0.2")


def test_fills_need_not_be_listed() -> None:
    told = Told(keeps_trades=False)
    told.tell(filled(bought(100, 1)), 1)
    assert told.statistics.trades == []
    assert told.summary(2).activities["sim_alpha-btc_usdt"].fills == 1


def test_statistics_may_begin_in_the_middle() -> None:
    told = Told()
    told.tell(filled(bought(100, 1, trade_id="1")), 1)
    told.tell(mark(150, 2), 2)
    later = TradingStatistics(told.engine.state, 3, {"usdt": Decimal(1000)})
    tick = told.engine.process(filled(sold(160, 1, trade_id="2")), 4)
    later.add(tick, told.engine.state)
    assert later.summary(told.engine.state, 5, Decimal(0), DAILY).portfolios["usdt"].pnl == 10


def test_the_capital_is_that_of_simulated_accounts_by_currency() -> None:
    started = engine_started()
    assert currencies_of(started.index) == ["usdt"]
    assert capital_of(started.index, started.accounts) == {"usdt": Decimal(2_000_000)}
    assert checked_capital(started.index, {}) == {"usdt": 0}
    with pytest.raises(ValueError, match="expected a currency of"):
        checked_capital(started.index, {"btc": Decimal(1)})
    with pytest.raises(ValueError, match="expected a capital of 0 or more"):
        checked_capital(started.index, {"usdt": Decimal(-1)})
    with pytest.raises(NumberError):
        checked_capital(started.index, {"usdt": 1.5})  # type: ignore[dict-item]


def test_without_capital_there_are_no_returns() -> None:
    told = Told(capital=0, period_ns=1)
    told.tell(filled(bought(100, 1, trade_id="1")), 1)
    told.tell(filled(sold(110, 1, trade_id="2")), 5)
    sheet = told.summary(6).portfolios["usdt"]
    assert sheet.pnl == 10
    assert [sheet.return_total, sheet.return_interval, sheet.sharpe_ratio, sheet.calmar_ratio] == [None] * 4
    assert sheet.periods == 0
    assert sheet.win_rate == 1


def test_assets_that_are_no_currency_have_no_portfolio() -> None:
    told = Told()
    told.tell(balance_told(asset_balance(ASSET_ETH, 7, time_ns=1)), 1)
    summary = told.summary(2)
    assert list(summary.portfolios) == ["usdt"]
    assert summary.assets["sim_alpha_eth"].balance_end is not None
