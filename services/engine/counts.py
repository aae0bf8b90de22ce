"""Count what the engine did, from its ticks: for status, metrics and the summary of a replay."""

from typing import Final, final

from prometheus_client import CollectorRegistry, Counter, Gauge

from tradebus.core.backtest.result import RunCounts
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.market.event import MarketEvent


@final
class EngineCounts:
    """Counts of one run; the metrics follow them when asked for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._run: Final = RunCounts()
        self.market_events = 0
        self.ticks = 0
        self._sequence: Final = Gauge("tradebus_engine_sequence", "Sequence of the last tick", registry=registry)
        self._durable: Final = Gauge("tradebus_engine_durable_sequence", "Last tick on disk", registry=registry)
        self._pending: Final = Gauge("tradebus_engine_pending_ticks", "Ticks not in a batch yet", registry=registry)
        self._ticks: Final = Counter("tradebus_engine_ticks", "Ticks made", registry=registry)
        self._orders: Final = Counter("tradebus_engine_orders", "Open requests sent", registry=registry)
        self._fills: Final = Counter("tradebus_engine_fills", "Fills processed", registry=registry)
        self._told = (0, 0, 0)

    @property
    def orders(self) -> int:
        """Return how many open requests were sent."""
        return self._run.orders

    @property
    def cancels(self) -> int:
        """Return how many cancels were sent."""
        return self._run.cancels

    @property
    def fills(self) -> int:
        """Return how many fills were processed."""
        return self._run.fills

    def add(self, tick: AuditTick) -> None:
        """Count a tick."""
        self.ticks += 1
        if isinstance(tick.event, MarketEvent):
            self.market_events += 1
            if not tick.outputs:
                return
        self._run.add(tick)

    def add_plain(self, count: int) -> None:
        """Count ticks of market events by which nothing was decided."""
        self.ticks += count
        self.market_events += count

    def publish(self, sequence: int, durable: int, pending: int) -> None:
        """Bring the metrics up to date; called now and then, not for every tick."""
        ticks, orders, fills = self._told
        self._ticks.inc(self.ticks - ticks)
        self._orders.inc(self.orders - orders)
        self._fills.inc(self.fills - fills)
        self._told = (self.ticks, self.orders, self.fills)
        self._sequence.set(sequence)
        self._durable.set(durable)
        self._pending.set(pending)
