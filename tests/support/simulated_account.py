"""Feed a simulated exchange with ticks, and keep what it tells."""

from decimal import Decimal

from tests.support.builders import ALPHA, ASSET_BTC, ASSET_USDT, Number, engine_started, simulated_account, usual_index
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick, Origin, RequestsDecided
from tradebus.core.engine.event import (
    AccountEvent,
    AccountSetup,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    ClockAdvanced,
    EngineStarted,
    OrderReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.account import Balance, Trade
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, AssetIndex
from tradebus.core.model.instrument import InstrumentSpec
from tradebus.core.model.order import (
    OpenFailed,
    Order,
    OrderErrorKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
)
from tradebus.core.simulation.exchange import SimulatedExchange
from tradebus.core.simulation.transit import Request

USUAL = ((ASSET_BTC, 10), (ASSET_USDT, 10_000))


class Account:
    """A simulated account. Requests are sent at a time; ``events`` holds everything it told so far, in order."""

    def __init__(
        self,
        *,
        latency_ns: int = 0,
        fee_maker: Number = 0,
        fee_taker: Number = 0,
        balances: tuple[tuple[AssetIndex, Number], ...] = USUAL,
        spec: InstrumentSpec | None = None,
    ) -> None:
        self.setup: AccountSetup = simulated_account(
            ALPHA, balances, latency_ns=latency_ns, fee_maker=fee_maker, fee_taker=fee_taker
        )
        self.started: EngineStarted = engine_started(accounts=[self.setup], index=usual_index(spec))
        self.exchange = SimulatedExchange(self.started.index, self.setup)
        self.events: list[AccountEvent] = []
        self.now_ns = 0
        self._sequence = -1
        self.tick(self.started)

    def tick(self, event: EngineEvent, *outputs: RequestsDecided, now_ns: int | None = None) -> list[AccountEvent]:
        """Fold the next tick and return what falls due with it."""
        self._sequence += 1
        if now_ns is not None:
            self.now_ns = now_ns
        self.exchange.fold(AuditTick(self._sequence, self.now_ns, event, outputs or NO_OUTPUTS, NO_ERRORS))
        due = self.exchange.pop_due(self.now_ns)
        self.events += due
        return due

    def send(self, *requests: Request, now_ns: int | None = None) -> list[AccountEvent]:
        """Send requests in one tick."""
        cancels = tuple(request for request in requests if isinstance(request, OrderRequestCancel))
        opens = tuple(request for request in requests if isinstance(request, OrderRequestOpen))
        amends = tuple(request for request in requests if isinstance(request, OrderRequestAmend))
        decided = RequestsDecided(Origin.ALGO, STRATEGY_UNKNOWN, cancels, opens, (), (), (), (), amends)
        return self.tick(ClockAdvanced(), decided, now_ns=now_ns)

    def orders(self, cid: str = "c1") -> list[Order]:
        """Return what was told of an order, in order."""
        told = [event.data.order for event in self.events if isinstance(event.data, OrderReceived)]
        return [order for order in told if order.key.cid == cid]

    def states(self, cid: str = "c1") -> list[str]:
        """Return the names of the states told of an order."""
        return [type(order.state).__name__ for order in self.orders(cid)]

    def refusal(self, cid: str = "c1") -> tuple[OrderErrorKind, str]:
        """Return why an order was refused."""
        (order,) = self.orders(cid)
        assert isinstance(order.state, OpenFailed), order.state
        return order.state.error.kind, order.state.error.message

    def fills(self, cid: str | None = None) -> list[Trade]:
        """Return the fills told, of one order or of all."""
        told = [event.data.trade for event in self.events if isinstance(event.data, TradeReceived)]
        return [trade for trade in told if cid in {None, trade.cid}]

    def cancels(self) -> list[CancelAnswered]:
        """Return the answers to cancels."""
        return [event.data for event in self.events if isinstance(event.data, CancelAnswered)]

    def amends(self) -> list[AmendAnswered]:
        """Return the answers to amends."""
        return [event.data for event in self.events if isinstance(event.data, AmendAnswered)]

    def balance(self, asset: int) -> Balance:
        """Return the balance last told of an asset."""
        found = Balance(Decimal(0), Decimal(0))
        for event in self.events:
            data = event.data
            told = data.snapshot.balances if isinstance(data, SnapshotReceived) else ()
            for item in (data.balance,) if isinstance(data, BalanceReceived) else told:
                if item.asset == asset:
                    found = item.balance
        return found


def kinds(events: list[AccountEvent]) -> list[str]:
    """Return the kinds of events, in order."""
    return [type(event.data).__name__ for event in events]
