"""Run a backtest in one process and say what came of it."""

from collections.abc import Iterable
from decimal import Decimal, setcontext
from typing import ClassVar, Final, final

from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.state_hash import RunDigest, StateHash
from tradebus.core.engine.audit.tick import AuditTick, Halted, RequestsDecided
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.data_faults import data_faults
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent, EngineStarted, TradeReceived
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.user_setup import UserDataFactory, no_user_data
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.number import ZERO, check_decimal, enter_engine_context
from tradebus.core.model.record import Record
from tradebus.core.risk.interface import RiskManager
from tradebus.core.statistics.capital import capital_of
from tradebus.core.statistics.equity import EquityPoint
from tradebus.core.statistics.interval import ANNUAL_365, MINUTE_NS, TimeInterval
from tradebus.core.statistics.plain import to_json
from tradebus.core.statistics.projection import NEVER, TradingStatistics
from tradebus.core.statistics.summary import TradingSummary
from tradebus.core.statistics.trade_list import TradeRecord
from tradebus.core.strategy.interface import Strategy


@final
class RunHalt(Record):
    """A strategy, the risk manager or user-defined data failed in a tick, which switched trading off."""

    FIELDS: ClassVar[tuple[str, ...]] = ("sequence", "time_ns", "strategy", "reason")

    def __init__(self, sequence: int, time_ns: int, strategy: str, reason: str) -> None:
        self.sequence: Final = sequence
        self.time_ns: Final = time_ns
        self.strategy: Final = strategy
        self.reason: Final = reason


@final
class RunCounts:
    """Count what the ticks of a run say: orders sent, cancels sent, fills; and keep what failed."""

    def __init__(self) -> None:
        self.halts: list[RunHalt] = []
        self.orders = 0
        self.cancels = 0
        self.fills = 0

    def add(self, tick: AuditTick) -> None:
        """Add the next tick."""
        event = tick.event
        if isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived):
            self.fills += 1
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                self.orders += len(output.opens_sent)
                self.cancels += len(output.cancels_sent)
            elif isinstance(output, Halted):
                self.halts.append(RunHalt(tick.sequence, tick.time_ns, output.strategy, output.reason))


@final
class BacktestOptions(Record):
    """How a backtest ends and is measured.

    ``close_out``: at the end all orders are cancelled and all positions closed, by commands in the ticks.
    ``risk_free_return`` is a fraction per year of 365 days; the summary's returns and ratios are those of ``interval``.
    Equity is sampled every ``equity_period_ns`` of virtual time (0: never), and whenever a position changes.
    ``capital`` is the capital base by currency; none: what the simulated accounts start with of it. Without
    ``keeps_trades`` fills are counted but not listed. ``checks_numbers`` refuses trades and best prices whose numbers
    are not finite Decimals; a feed that was decoded by ``tradebus.wire`` does not need it.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "close_out",
        "risk_free_return",
        "interval",
        "equity_period_ns",
        "capital",
        "keeps_trades",
        "checks_numbers",
    )

    def __init__(
        self,
        close_out: bool = False,
        risk_free_return: Decimal = ZERO,
        interval: TimeInterval = ANNUAL_365,
        equity_period_ns: int = MINUTE_NS,
        capital: dict[str, Decimal] | None = None,
        keeps_trades: bool = True,
        checks_numbers: bool = True,
    ) -> None:
        self.close_out: Final = close_out
        self.risk_free_return: Final = check_decimal(risk_free_return)
        self.interval: Final = interval
        self.equity_period_ns: Final = equity_period_ns
        self.capital: Final = capital
        self.keeps_trades: Final = keeps_trades
        self.checks_numbers: Final = checks_numbers


@final
class BacktestResult(Record):
    """What a backtest gave.

    ``pnl_realised`` by currency, summed over exchanges. ``trades`` are our fills in order, ``equity`` the points of the
    equity curve by currency (the value after each fill stands with the fill). ``halts`` says what failed, in order; a
    run in which nothing did has none. ``digest`` is that of the ticks, ``state`` the last one and ``hash`` its hash.
    The same input gives an equal result and the same JSON.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "events",
        "ticks",
        "orders",
        "cancels",
        "fills",
        "pnl_realised",
        "digest",
        "hash",
        "summary",
        "equity",
        "trades",
        "halts",
        "state",
    )

    def __init__(
        self,
        events: int,
        ticks: int,
        orders: int,
        cancels: int,
        fills: int,
        pnl_realised: dict[str, Decimal],
        digest: str,
        hash: StateHash,  # noqa: A002 - the field's term
        summary: TradingSummary,
        equity: dict[str, tuple[EquityPoint, ...]],
        trades: tuple[TradeRecord, ...],
        halts: tuple[RunHalt, ...],
        state: EngineState,
    ) -> None:
        self.events: Final = events
        self.ticks: Final = ticks
        self.orders: Final = orders
        self.cancels: Final = cancels
        self.fills: Final = fills
        self.pnl_realised: Final = pnl_realised
        self.digest: Final = digest
        self.hash: Final = hash
        self.summary: Final = summary
        self.equity: Final = equity
        self.trades: Final = trades
        self.halts: Final = halts
        self.state: Final = state

    def to_json(self, indent: int | None = None) -> str:
        """Return everything but the state as JSON: numbers as decimal text, times as integers in nanoseconds."""
        parts = {name: getattr(self, name) for name in self.FIELDS if name != "state"}
        return to_json(parts, indent)


def pnl_by_quote(state: EngineState) -> dict[str, Decimal]:
    """Return the realised PnL by the quote asset's internal name, names in order."""
    totals: dict[str, Decimal] = {}
    for asset, amount in state.pnl_realised().items():
        name = state.index.assets[asset].asset.name_internal
        totals[name] = totals[name] + amount if name in totals else amount
    return dict(sorted(totals.items()))


@final
class Recorder:
    """Takes the ticks of a run: digest, counts, and statistics from the start record on."""

    def __init__(self, engine: Engine, started: EngineStarted, options: BacktestOptions) -> None:
        self._engine: Final = engine
        self._options: Final = options
        capital = options.capital
        self._capital: Final = capital_of(started.index, started.accounts) if capital is None else capital
        self.digest: Final = RunDigest()
        self.counts: Final = RunCounts()
        self.statistics: TradingStatistics | None = None

    def take(self, tick: AuditTick) -> None:
        """Take in the next tick, just after the engine made it."""
        self.digest.add(tick)
        event = tick.event
        if isinstance(event, MarketEvent) and not tick.outputs:
            return
        self.counts.add(tick)
        if self.statistics is None:
            options = self._options
            self.statistics = TradingStatistics(
                self._engine.state,
                tick.time_ns,
                self._capital,
                period_ns=options.equity_period_ns,
                keeps_trades=options.keeps_trades,
            )
        self.statistics.add(tick, self._engine.state)


def run_backtest(
    events: Iterable[EngineEvent],
    started: EngineStarted,
    strategies: list[Strategy],
    risk: RiskManager,
    options: BacktestOptions | None = None,
    make_user_data: UserDataFactory = no_user_data,
) -> BacktestResult:
    """Run an engine with its simulated exchanges over market events, lost links and gaps, in virtual time.

    Market events come in the order of their receive time; the others happen at that of the event before them. The same
    input gives the same result, in any process, compiled or not. The caller's decimal context is restored. Raises
    InvalidEvent for an event that cannot be of this engine.
    """
    before = enter_engine_context()
    try:
        options = options or BacktestOptions()
        engine = Engine(started, strategies, risk, make_user_data=make_user_data, checks_numbers=options.checks_numbers)
        recorder = Recorder(engine, started, options)
        loop = VirtualTimeLoop(engine, simulated_exchanges(started), recorder.take)
        wake_ns = -1
        early: list[EngineEvent] = []
        try:
            for event in events:
                if not isinstance(event, MarketEvent):
                    _tell(event, loop, recorder, early)
                    continue
                time_ns = event.time_received_ns or event.time_exchange_ns
                if time_ns > wake_ns:
                    if recorder.statistics is None:
                        loop.start(time_ns)
                        for told in early:
                            loop.tell(told)
                    wake_ns = _sample_until(time_ns, loop, recorder)
                loop.feed(event)
        except InvalidEvent as error:
            raise InvalidEvent(f"event {loop.events + 1} of the feed: {error}") from error

        def before_time(time_ns: int) -> None:
            _sample_until(time_ns, loop, recorder)

        loop.finish(close_out=options.close_out, before=before_time)
        statistics = recorder.statistics
        assert statistics is not None, "a run begins with its start record"
        while statistics.next_sample_ns <= engine.time_ns:
            statistics.sample(engine.state)  # the end of the last period, where the run ends with it
        counts = recorder.counts
        for fault in data_faults(engine.state):
            counts.halts.append(RunHalt(engine.sequence - 1, engine.time_ns, fault.strategy, fault.reason))
        return BacktestResult(
            loop.events,
            recorder.digest.count,
            counts.orders,
            counts.cancels,
            counts.fills,
            pnl_by_quote(engine.state),
            recorder.digest.hexdigest(),
            engine.hash(),
            statistics.summary(engine.state, engine.time_ns, options.risk_free_return, options.interval),
            statistics.equity(),
            tuple(statistics.trades),
            tuple(counts.halts),
            engine.state,
        )
    finally:
        setcontext(before)


def _tell(event: EngineEvent, loop: VirtualTimeLoop, recorder: Recorder, early: list[EngineEvent]) -> None:
    """Process a lost link or a gap; what comes before the first market event waits for it, and its time."""
    if not isinstance(event, (MarketReconnecting, MarketGap)):
        expected = "expected a MarketEvent, MarketReconnecting or MarketGap"
        raise InvalidEvent(f"{expected}, found {type(event).__name__}")
    if recorder.statistics is None:
        early.append(event)
    else:
        loop.tell(event)


def _sample_until(time_ns: int, loop: VirtualTimeLoop, recorder: Recorder) -> int:
    """Sample equity at every end of a period before a time, what is due by then first; return the next such end."""
    statistics = recorder.statistics
    if statistics is None:
        return NEVER
    while statistics.next_sample_ns < time_ns:
        loop.advance(statistics.next_sample_ns)
        statistics.sample(loop.engine.state)
    return statistics.next_sample_ns
