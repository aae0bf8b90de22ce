"""Project the ticks of a run onto statistics: nothing of it is in the engine's state, nothing decides anything.

Whoever has ticks in order and the state after each (a backtest, the audit service's replica) feeds ``add``. A market
event without outputs says nothing about fills and may be left out. Before a tick later than ``next_sample_ns`` is
applied, ``sample`` marks everything to the market at that time. The same ticks and samples give the same results.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, final

from tradebus.core.engine.audit.tick import AuditTick, PositionExit
from tradebus.core.engine.event import (
    AccountEvent,
    BalanceReceived,
    FundingReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.payoff import payoff_of
from tradebus.core.engine.state.position import PositionExited, pnl_return
from tradebus.core.model.account import AssetBalance, Trade
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import ZERO
from tradebus.core.statistics.activity import Activity
from tradebus.core.statistics.capital import checked_capital, currency_of
from tradebus.core.statistics.equity import EquityCurve, EquityPoint
from tradebus.core.statistics.exposure import Exposure
from tradebus.core.statistics.interval import MINUTE_NS, TimeInterval
from tradebus.core.statistics.parts import (
    BookParts,
    InstrumentParts,
    StatisticsParts,
    activity_of,
    activity_parts,
    exposure_parts,
    restore_exposure,
)
from tradebus.core.statistics.pnl_returns import PnlReturns
from tradebus.core.statistics.portfolio import PortfolioSheet, portfolio_sheet
from tradebus.core.statistics.strategy_sheet import StrategySheet
from tradebus.core.statistics.summary import TradingSummary, TradingSummaryGenerator
from tradebus.core.statistics.trade_list import TradeRecord

NEVER: Final = 2**63 - 1


@final
class CurrencyBook:
    """What is followed of one currency: its instruments, equity, exposure and closed positions."""

    def __init__(self, capital_base: Decimal, time_start_ns: int, period_ns: int) -> None:
        self.instruments: Final[list[int]] = []
        self.curve: Final = EquityCurve(capital_base, time_start_ns, period_ns)
        self.exposure: Final = Exposure(time_start_ns)
        self.positions = PnlReturns()
        self.turnover = ZERO
        # What had been made before the statistics began, which is not theirs.
        self.pnl_before = ZERO

    def pnl(self, state: EngineState) -> Decimal:
        """Return everything made, realised or not, ever."""
        total = ZERO
        for i in self.instruments:
            instrument = state.instruments[i]
            if instrument.has_traded():
                total += _pnl(instrument)
        return total

    def equity(self, state: EngineState) -> Decimal:
        """Return capital base and everything made since."""
        return self.curve.capital_base + self.pnl(state) - self.pnl_before

    def look(self, state: EngineState, time_ns: int, *, is_sample: bool) -> None:
        """Mark everything to the market at a time; samples are kept as points of the curve."""
        equity = self.equity(state)
        if is_sample:
            self.curve.sample(time_ns, equity)
        else:
            self.curve.update(time_ns, equity)
        gross = ZERO
        net = ZERO
        for i in self.instruments:
            if state.instruments[i].position is not None:
                value = state.instruments[i].value_net()
                gross += abs(value)
                net += value
        self.exposure.update(time_ns, gross, net)


@final
class TradingStatistics:
    """The statistics of a run, from the state at ``time_start_ns`` on.

    ``capital`` is the capital base by currency. Equity is sampled every ``period_ns`` of engine time (0: never) and
    whenever a position changes. Without ``keeps_trades`` fills are counted but not listed, for runs with very many.
    """

    def __init__(
        self,
        state: EngineState,
        time_start_ns: int,
        capital: Mapping[str, Decimal],
        *,
        period_ns: int = MINUTE_NS,
        keeps_trades: bool = True,
    ) -> None:
        index: IndexedInstruments = state.index
        bases = checked_capital(index, capital)
        self._currencies: Final = [currency_of(index, instrument) for instrument in index.instruments]
        self._books: Final = {name: CurrencyBook(base, time_start_ns, period_ns) for name, base in bases.items()}
        self._generator: Final = TradingSummaryGenerator(ZERO, time_start_ns, time_start_ns, index, bases)
        self._instruments: Final = [Activity() for _ in index.instruments]
        self._strategies: Final = {strategy.setup.id: Activity() for strategy in state.strategies}
        self._pnl_before: Final = [_pnl(instrument) for instrument in state.instruments]
        self._realised: Final = [instrument.pnl_realised() for instrument in state.instruments]
        self._trade_counts: Final = [_trade_count(instrument) for instrument in state.instruments]
        self._keeps_trades: Final = keeps_trades
        self.trades: Final[list[TradeRecord]] = []
        self.next_sample_ns = NEVER
        for i, name in enumerate(self._currencies):
            self._books[name].instruments.append(i)
        for book in self._books.values():
            book.pnl_before = book.pnl(state)
            self._plan(book)

    def add(self, tick: AuditTick, state: EngineState) -> None:
        """Take in a tick, with the state after it."""
        event = tick.event
        for output in tick.outputs:
            if isinstance(output, PositionExit):
                self._add_exit(output.exited, state)
        if not isinstance(event, AccountEvent):
            return
        data = event.data
        if isinstance(data, TradeReceived):
            self._add_trade(tick, data.trade, state)
        elif isinstance(data, FundingReceived):
            self._realised[data.instrument] = state.instruments[data.instrument].pnl_realised()
            self._books[self._currencies[data.instrument]].look(state, tick.time_ns, is_sample=False)
        elif isinstance(data, BalanceReceived):
            self._add_balance(data.balance, state)
        elif isinstance(data, SnapshotReceived):
            for balance in data.snapshot.balances:
                self._add_balance(balance, state)

    def sample(self, state: EngineState) -> None:
        """Mark everything to the market at ``next_sample_ns``, and plan the next sample."""
        time_ns = self.next_sample_ns
        self.next_sample_ns = NEVER
        for book in self._books.values():
            book.look(state, time_ns, is_sample=True)
            self._plan(book)

    def summary(
        self, state: EngineState, time_end_ns: int, risk_free_return: Decimal, interval: TimeInterval
    ) -> TradingSummary:
        """Return the summary up to a time, open positions marked to the market; asking again gives the same.

        ``risk_free_return`` is a fraction per year of 365 days; returns and ratios are those of ``interval``.
        """
        for book in self._books.values():
            book.look(state, time_end_ns, is_sample=False)
        generator = self._generator
        generator.risk_free_return = risk_free_return
        generator.update_time_now(time_end_ns)
        pnl_open = [
            _pnl(instrument) - self._pnl_before[i] - generator.instruments[i].pnl_returns.pnl_raw
            for i, instrument in enumerate(state.instruments)
        ]
        instruments = generator.instrument_sheets(interval, pnl_open)
        assets = generator.asset_sheets()
        activities = {generator.instrument_names[i]: activity.sheet() for i, activity in enumerate(self._instruments)}
        strategies: dict[str, StrategySheet] = {
            name: self._strategy_sheet(name, state) for name in sorted(self._strategies)
        }
        portfolios: dict[str, PortfolioSheet] = {}
        for name, book in self._books.items():
            portfolios[name] = portfolio_sheet(
                book.curve, book.positions, book.exposure, book.turnover, risk_free_return, interval
            )
        return TradingSummary(
            generator.time_engine_start_ns,
            time_end_ns,
            risk_free_return,
            interval,
            instruments,
            assets,
            activities,
            portfolios,
            strategies,
        )

    def equity(self) -> dict[str, tuple[EquityPoint, ...]]:
        """Return the equity curves by currency: the points of the periods' ends, and the last value."""
        curves: dict[str, tuple[EquityPoint, ...]] = {}
        for name, book in self._books.items():
            points = book.curve.points
            last = book.curve.last
            curves[name] = (*points, last) if last.time_ns > points[-1].time_ns else tuple(points)
        return curves

    def parts(self) -> StatisticsParts:
        """Return all that these statistics are made of; what accumulates is shared, see ``parts``."""
        generator = self._generator
        books = [
            BookParts(
                name,
                book.curve.capital_base,
                book.curve.period_ns,
                book.curve.last,
                book.curve.points,
                book.curve.drawdown,
                exposure_parts(book.exposure),
                book.positions,
                book.turnover,
                book.pnl_before,
            )
            for name, book in self._books.items()
        ]
        instruments = [
            InstrumentParts(
                sheet.time_now_ns,
                sheet.pnl_returns,
                sheet.drawdown,
                activity_parts(self._instruments[i]),
                self._pnl_before[i],
                self._realised[i],
                self._trade_counts[i],
            )
            for i, sheet in enumerate(generator.instruments)
        ]
        strategies = [(str(name), activity_parts(activity)) for name, activity in self._strategies.items()]
        return StatisticsParts(
            generator.time_engine_start_ns,
            self.next_sample_ns,
            books,
            instruments,
            list(generator.assets),
            strategies,
        )

    def restore(self, parts: StatisticsParts) -> None:
        """Go on from these parts, which must be nobody else's; made for the same state, or for fewer instruments."""
        generator = self._generator
        for each in parts.books:
            book = self._books[each.name]
            book.curve.period_ns = each.period_ns
            book.curve.last = each.last
            book.curve.points = list(each.points)
            book.curve.drawdown = each.drawdown
            restore_exposure(book.exposure, each.exposure)
            book.positions = each.positions
            book.turnover = each.turnover
            book.pnl_before = each.pnl_before
        for i, part in enumerate(parts.instruments):
            sheet = generator.instruments[i]
            sheet.time_now_ns = part.time_now_ns
            sheet.pnl_returns = part.pnl_returns
            sheet.drawdown = part.drawdown
            self._instruments[i] = activity_of(part.activity)
            self._pnl_before[i] = part.pnl_before
            self._realised[i] = part.realised
            self._trade_counts[i] = part.trade_count
        for i, asset in enumerate(parts.assets):
            generator.assets[i] = asset
        for name, activity in parts.strategies:
            self._strategies[StrategyId(name)] = activity_of(activity)
        self.next_sample_ns = parts.next_sample_ns
        known = [each.name for each in parts.books]
        for name, book in self._books.items():
            if (
                name not in known and parts.books
            ):  # a currency of an instrument that came later: the same times as others
                twin = parts.books[0]
                book.curve.period_ns = twin.period_ns
                book.curve.points = [EquityPoint(twin.points[-1].time_ns, book.curve.capital_base)]

    def _plan(self, book: CurrencyBook) -> None:
        # All curves have the same times: they begin together, and thin out at the same number of points.
        due_ns = book.curve.next_sample_ns()
        if due_ns is not None:
            self.next_sample_ns = due_ns

    def _add_exit(self, exited: PositionExited, state: EngineState) -> None:
        i = exited.instrument
        generator = self._generator
        generator.update_from_position(i, exited)
        book = self._books[self._currencies[i]]
        base = book.curve.capital_base
        if base:
            made = exited.pnl_realised / base
        else:
            made = pnl_return(
                exited.pnl_realised,
                exited.price_entry_average,
                exited.quantity_abs_max,
                payoff=payoff_of(state.instruments[i].instrument),
            )
        book.positions.update(exited.pnl_realised, made)

    def _add_trade(self, tick: AuditTick, trade: Trade, state: EngineState) -> None:
        i = trade.instrument
        instrument = state.instruments[i]
        count = _trade_count(instrument)
        if count == self._trade_counts[i]:
            return  # a duplicate, which the engine did not take in
        self._trade_counts[i] = count
        definition = instrument.instrument
        currency = self._currencies[i]
        book = self._books[currency]
        fees_asset = currency
        if trade.fees_asset is not None:
            fees_asset = state.index.assets[trade.fees_asset].asset.name_internal
        value = payoff_of(definition).value(abs(trade.quantity), trade.price)
        book.turnover += value
        book.look(state, tick.time_ns, is_sample=False)
        self._instruments[i].add(trade, value, currency, fees_asset)
        strategy = trade.strategy if trade.strategy in self._strategies else STRATEGY_UNKNOWN
        self._strategies.setdefault(strategy, Activity()).add(trade, value, currency, fees_asset)
        before = self._realised[i]
        self._realised[i] = instrument.pnl_realised()
        if not self._keeps_trades:
            return
        self.trades.append(
            TradeRecord(
                tick.sequence,
                tick.time_ns,
                trade.time_exchange_ns,
                self._generator.instrument_names[i],
                currency,
                strategy,
                trade.id,
                trade.order_id,
                trade.cid,
                trade.side,
                trade.liquidity,
                trade.price,
                abs(trade.quantity),
                value,
                trade.fees,
                fees_asset,
                instrument.quantity_net(),
                self._realised[i] - before,
                book.curve.last.equity,
            )
        )

    def _add_balance(self, update: AssetBalance, state: EngineState) -> None:
        stored = state.assets[update.asset]
        if stored.balance == update.balance and stored.time_exchange_ns == update.time_exchange_ns:
            self._generator.update_from_balance(update.asset, update.balance, update.time_exchange_ns)

    def _strategy_sheet(self, strategy: StrategyId, state: EngineState) -> StrategySheet:
        realised: dict[str, Decimal] = {}
        unrealised: dict[str, Decimal] = {}
        for name, book in self._books.items():
            for i in book.instruments:
                instrument = state.instruments[i]
                for attributed in instrument.strategies.values():
                    if attributed.strategy == strategy:
                        open_now = instrument.strategy_pnl_unrealised(attributed.strategy)
                        realised[name] = realised.get(name, ZERO) + attributed.pnl_realised
                        unrealised[name] = unrealised.get(name, ZERO) + open_now
        return StrategySheet(self._strategies[strategy].sheet(), realised, unrealised)


def _pnl(instrument: InstrumentState) -> Decimal:
    return instrument.pnl_realised() + instrument.pnl_unrealised()


def _trade_count(instrument: InstrumentState) -> int:
    return sum([attributed.trade_count for attributed in instrument.strategies.values()])
