"""Run a backtest in one process and say what came of it."""

from collections.abc import Iterable
from decimal import Decimal, setcontext
from typing import ClassVar, Final, final

from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.state_hash import RunDigest, StateHash
from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import AccountEvent, EngineStarted, TradeReceived
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.number import enter_engine_context
from tradebus.core.model.record import Record
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy


@final
class RunCounts:
    """Count what the ticks of a run say: orders sent, cancels sent, fills."""

    def __init__(self) -> None:
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


@final
class BacktestResult(Record):
    """What a backtest gave: ``pnl_realised`` by quote asset name, summed over exchanges; ``state`` is the last one."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "events",
        "ticks",
        "orders",
        "cancels",
        "fills",
        "pnl_realised",
        "digest",
        "hash",
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
        self.state: Final = state


def pnl_by_quote(state: EngineState) -> dict[str, Decimal]:
    """Return the realised PnL by the quote asset's internal name, names in order."""
    totals: dict[str, Decimal] = {}
    for asset, amount in state.pnl_realised().items():
        name = state.index.assets[asset].asset.name_internal
        totals[name] = totals[name] + amount if name in totals else amount
    return dict(sorted(totals.items()))


def run_backtest(
    events: Iterable[MarketEvent], started: EngineStarted, strategies: list[Strategy], risk: RiskManager
) -> BacktestResult:
    """Run an engine with its simulated exchanges over market events, in virtual time.

    Events come in the order of their receive time. The same input gives the same result, in any process, compiled or
    not. The caller's decimal context is restored.
    """
    before = enter_engine_context()
    try:
        digest = RunDigest()
        counts = RunCounts()

        def sink(tick: AuditTick) -> None:
            digest.add(tick)
            counts.add(tick)

        engine = Engine(started, strategies, risk)
        loop = VirtualTimeLoop(engine, simulated_exchanges(started), sink)
        for event in events:
            loop.feed(event)
        loop.finish()
        return BacktestResult(
            loop.events,
            digest.count,
            counts.orders,
            counts.cancels,
            counts.fills,
            pnl_by_quote(engine.state),
            digest.hexdigest(),
            engine.hash(),
            engine.state,
        )
    finally:
        setcontext(before)
