"""Run a backtest in this process: no broker, no services, one call."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from tradebus.core.backtest.result import BacktestOptions, BacktestResult, run_backtest
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.user_setup import UserDataFactory
from tradebus.core.model.number import ZERO
from tradebus.core.risk.interface import RiskManager
from tradebus.core.statistics.interval import ANNUAL_365, MINUTE_NS, TimeInterval
from tradebus.core.strategy.interface import Strategy
from tradebus.strategies.checks import load_risk
from tradebus.strategies.loading import load_strategy, load_user_data


def backtest(
    events: Iterable[EngineEvent],
    started: EngineStarted,
    strategies: Sequence[Strategy] | None = None,
    risk: RiskManager | None = None,
    *,
    close_out: bool = False,
    risk_free_return: Decimal = ZERO,
    interval: TimeInterval = ANNUAL_365,
    equity_period_ns: int = MINUTE_NS,
    capital: Mapping[str, Decimal] | None = None,
    keeps_trades: bool = True,
    checks_numbers: bool = True,
    make_user_data: UserDataFactory = load_user_data,
) -> BacktestResult:
    """Run an engine with its simulated exchanges over ``events`` in virtual time and return what came of it.

    ``started`` says what is traded, through which accounts, by which strategies and under which risk checks; these
    are made from their class paths unless given. Market events must come in the order of their receive time; lost links
    and gaps (``MarketReconnecting``, ``MarketGap``) may stand among them. The same input
    gives the same digest in any process, and the same one as a replay of it through the services.

    A strategy, risk manager or data that fails switches trading off, as it does live: ``halts`` of the result says so.

    ``close_out`` cancels all orders and closes all positions at the end, by commands that stand in the ticks. The
    summary's returns and ratios are those of ``interval``, over ``risk_free_return`` (a fraction per year of 365 days)
    and the ``capital`` by currency; without it that is what the simulated accounts start with. Equity is sampled every
    ``equity_period_ns`` of virtual time (0: never) and at fills; runs with millions of fills can do without the list of
    them (``keeps_trades``). A market event of an instrument that is not traded, or with numbers that are not finite
    Decimals, ends the run with InvalidEvent; ``checks_numbers=False`` saves looking at the numbers of a feed that was
    decoded by ``tradebus.wire``.
    """
    made = list(strategies) if strategies is not None else [load_strategy(s, started.index) for s in started.strategies]
    options = BacktestOptions(
        close_out,
        risk_free_return,
        interval,
        equity_period_ns,
        None if capital is None else dict(capital),
        keeps_trades,
        checks_numbers,
    )
    checks = load_risk(started.risk, started.index) if risk is None else risk
    return run_backtest(events, started, made, checks, options, make_user_data)
