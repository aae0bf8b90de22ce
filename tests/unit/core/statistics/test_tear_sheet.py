"""An instrument's tear sheet: measured on capital, over the whole run, and the same however often it is read."""

from decimal import Decimal

import pytest

from tests.support.builders import exited
from tradebus.core.engine.state.payoff import Payoff
from tradebus.core.model.number import DECIMAL_MAX
from tradebus.core.statistics.drawdown import Drawdown
from tradebus.core.statistics.drawdown_mean import MeanDrawdown
from tradebus.core.statistics.interval import ANNUAL_365, DAILY, DAY_NS, MINUTE_NS, interval_of
from tradebus.core.statistics.tear_sheet import TearSheet, TearSheetGenerator

ZERO = Decimal(0)


def generator(*exits: tuple[int, int | str], capital: int = 1000) -> TearSheetGenerator:
    """Return a generator that saw positions close: the day and the profit of each; each invested 100."""
    made = TearSheetGenerator(0, Decimal(capital))
    for day, pnl in exits:
        made.update(Decimal(pnl), Decimal(pnl) / 100, day * DAY_NS)
    return made


def sheet(*exits: tuple[int, int | str], capital: int = 1000, days: int = 10, pnl_open: int = 0) -> TearSheet:
    return generator(*exits, capital=capital).generate(ZERO, DAILY, days * DAY_NS, Decimal(pnl_open))


def test_reading_changes_nothing() -> None:
    made = generator((1, 100), (2, -300), (3, 50))
    first = made.generate(ZERO, DAILY, 10 * DAY_NS, Decimal(-500))
    assert first.pnl_drawdown is not None
    assert made.generate(ZERO, DAILY, 10 * DAY_NS, Decimal(-500)) == first
    assert made.generate(ZERO, DAILY, 10 * DAY_NS) != first
    assert made.generate(ZERO, DAILY, 10 * DAY_NS, Decimal(-500)) == first


def test_a_loss_that_comes_first_is_a_drawdown_of_the_capital() -> None:
    found = sheet((1, -100), (2, -150))
    assert found.pnl_drawdown == found.pnl_drawdown_max == Drawdown(Decimal("0.25"), 0, 2 * DAY_NS)
    assert found.pnl_drawdown_mean == MeanDrawdown(Decimal("0.25"), 2 * 86_400_000)


def test_without_capital_the_drawdown_is_that_of_the_profit_once_it_is_positive() -> None:
    assert sheet((1, -100), (2, -150), capital=0).pnl_drawdown_max is None
    found = sheet((1, 100), (2, -50), capital=0).pnl_drawdown_max
    assert found == Drawdown(Decimal("0.5"), DAY_NS, 2 * DAY_NS)


def test_returns_are_those_on_capital_and_without_it_those_on_what_was_invested() -> None:
    assert sheet((1, 20), (2, 30)).pnl_return == Decimal("0.005")
    assert sheet((1, 20), (2, 30), capital=0).pnl_return == Decimal("0.05")


def test_the_period_is_the_whole_run() -> None:
    made = generator((1, 100))
    assert made.generate(ZERO, DAILY).pnl_return == Decimal("0.1"), "of itself it ends with the last exit"
    assert made.generate(ZERO, DAILY, 10 * DAY_NS).pnl_return == Decimal("0.01")


def test_more_positions_in_the_same_time_return_more() -> None:
    one, two = sheet((10, 10)), sheet((5, 10), (10, 10))
    assert two.pnl_return == 2 * one.pnl_return


def test_ratios_do_not_depend_on_the_interval_of_reading() -> None:
    made = generator((1, 100), (2, -30), (4, 40))
    daily, annual = (made.generate(Decimal("0.05"), each, 10 * DAY_NS) for each in (DAILY, ANNUAL_365))
    root = Decimal(365).sqrt()
    for name in ("sharpe_ratio", "calmar_ratio"):
        assert getattr(annual, name) == pytest.approx(getattr(daily, name) * root)
    assert annual.pnl_return == daily.pnl_return * 365


def test_the_risk_free_return_is_per_year() -> None:
    # 3.65 a year are 0.1 over ten days, which is what was made.
    made = generator((5, 60), (10, 40))
    assert made.generate(Decimal("3.65"), DAILY, 10 * DAY_NS).sharpe_ratio == 0
    assert made.generate(Decimal("3.65"), DAILY, 10 * DAY_NS).sortino_ratio == 0
    assert made.generate(Decimal("3.65"), DAILY, 10 * DAY_NS).calmar_ratio == 0
    assert made.generate(Decimal("3.6"), DAILY, 10 * DAY_NS).sharpe_ratio > 0
    assert made.generate(Decimal("3.7"), DAILY, 10 * DAY_NS).sharpe_ratio < 0


def test_an_open_position_counts_in_return_and_drawdown() -> None:
    found = sheet((1, 100), pnl_open=-220)
    assert [found.pnl, found.pnl_open] == [100, -220]
    assert found.pnl_return == Decimal("-0.012")
    assert found.pnl_drawdown == Drawdown(Decimal("0.2"), DAY_NS, 10 * DAY_NS)
    assert found.positions == 1


def test_win_rate_and_profit_factor_are_of_wins() -> None:
    found = sheet((1, 30), (2, 0), (3, -20), (4, 30))
    assert found.win_rate == Decimal("0.5")
    assert found.profit_factor == 3
    assert sheet((1, 30)).profit_factor == DECIMAL_MAX
    assert sheet().win_rate is None
    assert sheet().profit_factor is None


def test_a_period_is_at_least_a_second() -> None:
    made = TearSheetGenerator(5 * DAY_NS, Decimal(100))
    made.update(Decimal(1), ZERO, DAY_NS)
    assert made.generate(ZERO, interval_of(MINUTE_NS)).pnl_return == Decimal("0.6")


def test_a_closed_position_gives_its_profit_and_return() -> None:
    made = TearSheetGenerator(0)
    made.update_from_position(exited(20, 3 * DAY_NS, price=50, quantity=4))
    assert made.pnl_returns.pnl_raw == 20
    assert made.pnl_returns.total.mean == Decimal("0.1")
    assert made.time_now_ns == 3 * DAY_NS


def test_what_a_contract_invested_is_its_payoffs_business() -> None:
    inverse = TearSheetGenerator(0, payoff=Payoff(Decimal(100), is_inverse=True))
    inverse.update_from_position(exited("0.8", DAY_NS, price=50, quantity=4))
    assert inverse.pnl_returns.total.mean == Decimal("0.1")
