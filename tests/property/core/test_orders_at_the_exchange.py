"""Orders of an engine and those of its simulated exchange: whatever is asked, and whatever gets lost, they agree.

Between both stands a link that loses answers: the owner of the account then tells that a request is in doubt, or
repeats under other keys, and out of order, what was told before, and at last asks the exchange what it has. By default
some histories; ``--hypothesis-profile=deep --timeout=0`` runs 1,000.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.builders import (
    ALPHA,
    ASSET_BTC,
    ASSET_USDT,
    BTC,
    book,
    engine_started,
    public_trade,
    setup_of,
    simulated_account,
)
from tests.support.scenario import Followed, Scripted
from tradebus.core.engine.audit.tick import (
    AuditTick,
    Halted,
)
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    AmendAnswered,
    CancelAnswered,
    ClockAdvanced,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    TradeReceived,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.position import signed_quantity
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, ClientOrderId, ExchangeIndex, StrategyId
from tradebus.core.model.order import (
    Open,
    OpenFailed,
    OpenInFlight,
    Order,
    OrderKey,
    OrderKind,
    OrderRequestAmend,
    OrderRequestOpen,
    RequestKind,
    TimeInForce,
    cancel_request,
    is_active,
    is_unknown,
)
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskManager
from tradebus.core.simulation.exchange import SimulatedExchange
from tradebus.core.strategy.interface import Decision

STRATEGY = StrategyId("s")
START = ((ASSET_BTC, 1_000), (ASSET_USDT, 100_000))

prices = st.integers(95, 105).map(Decimal)
amounts = st.integers(1, 8).map(Decimal)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the strategy wants of an order: a new one, or a change of the ``pick``-th that is active."""

    kind: str
    pick: int
    side: Side
    price: Decimal
    amount: Decimal
    until: TimeInForce


@dataclass(frozen=True, slots=True)
class Moment:
    """A market event, what the strategy wants then, and what becomes of the answers that are due."""

    later_ns: int
    event: EngineEvent
    wishes: tuple[Wish, ...]
    fates: tuple[str, ...]


wishes = st.builds(
    Wish,
    st.sampled_from(("open", "open", "cancel", "amend", "amend")),
    st.integers(0, 9),
    st.sampled_from(list(Side)),
    prices,
    amounts,
    st.sampled_from(list(TimeInForce)),
)
levels = st.tuples(prices, amounts)
events: st.SearchStrategy[EngineEvent] = st.one_of(
    st.builds(public_trade, prices, amounts, st.sampled_from(list(Side))),
    st.builds(book, levels, levels),
)
fates = st.sampled_from(("told", "told", "told", "lost", "twice", "late"))
histories = st.lists(
    st.builds(
        Moment,
        st.integers(1, 40),
        events,
        st.lists(wishes, max_size=2).map(tuple),
        st.lists(fates, min_size=1, max_size=5).map(tuple),
    ),
    min_size=1,
    max_size=25,
)


class Run:
    """An engine with a replica at its side, an exchange, and a link between them that cannot be trusted."""

    def __init__(self, latency_ns: int) -> None:
        setup = simulated_account(ALPHA, START, latency_ns=latency_ns)
        started = engine_started([setup_of(STRATEGY)], accounts=[setup])
        self._wishes: tuple[Wish, ...] = ()
        strategy = Scripted(self._decide)
        self.engine = Engine(started, [strategy], RiskManager())
        self.followed = Followed(self.engine, [strategy])
        self.exchange = SimulatedExchange(started.index, setup)
        self.now_ns = 0
        self.told: list[AccountData] = []
        self.late: list[AccountData] = []
        self._fold(self.followed.start())

    def _decide(self, state: EngineState, event: EngineEvent) -> Decision:
        wanted, self._wishes = self._wishes, ()
        orders = list(state.instruments[BTC].orders.values())
        cancels, amends, opens = [], [], []
        for wish in wanted:
            order = orders[wish.pick % len(orders)] if orders else None
            if wish.kind == "open" or order is None:
                key = OrderKey(ExchangeIndex(ALPHA), BTC, STRATEGY, NO_CLIENT_ORDER_ID)
                opens.append(OrderRequestOpen(key, wish.side, wish.price, wish.amount, OrderKind.LIMIT, wish.until))
            elif wish.kind == "amend":
                resting = [each for each in orders if isinstance(each.state, Open)] or orders
                key = resting[wish.pick % len(resting)].key
                amends.append(OrderRequestAmend(key, None, wish.price, wish.amount))
            else:
                cancel = cancel_request(order)
                cancels += [] if cancel is None else [cancel]
        return Decision(cancels, opens, amends=amends)

    def _fold(self, tick: AuditTick) -> None:
        assert not tick.is_terminal
        assert not any(isinstance(output, Halted) for output in tick.outputs), tick.outputs
        self.exchange.fold(tick)

    def process(self, event: EngineEvent) -> None:
        self._fold(self.followed.process(event, self.now_ns))

    def tell(self, data: AccountData) -> None:
        """Tell the engine without a key, as after a lost link: only what is told says whether it came before."""
        self.process(AccountEvent(ExchangeIndex(ALPHA), 0, 0, data))

    def moment(self, moment: Moment) -> None:
        self.now_ns += moment.later_ns
        self._wishes = moment.wishes
        self.process(moment.event)
        self.deliver(moment.fates)

    def deliver(self, fates: Sequence[str]) -> None:
        """Bring what is due at the engine, each as its fate wants."""
        self.exchange.advance(self.now_ns)
        due = [event.data for event in self.exchange.pop_due(self.now_ns)]
        for number, data in enumerate(due):
            fate = fates[number % len(fates)]
            if isinstance(data, TradeReceived) and fate == "lost":
                fate = "late"  # fills are asked for until they are there
            if fate == "lost":
                doubt = in_doubt(data)
                if doubt is not None:
                    self.tell(doubt)
            elif fate == "late":
                self.late.append(data)
            else:
                for _ in range(2 if fate == "twice" else 1):
                    self.tell(data)
            self.told.append(data)

    def settle(self) -> None:
        """Let everything arrive, late answers too, then ask the exchange of each order that the engine has."""
        for _ in range(3):
            self.now_ns += 1_000
            self.process(ClockAdvanced())
            self.deliver(("told",))
        late, self.late = self.late, []
        for data in reversed(late):
            self.tell(data)
        resting = {order.key.cid: order for order in self.exchange.orders(self.now_ns)}
        for cid, order in list(self.orders().items()):
            found = resting.get(cid)
            if found is not None:
                self.tell(OrderReceived(found))
                for kind in (RequestKind.CANCEL, RequestKind.AMEND):
                    self.tell(RequestNeverReceived(order.key, kind, "answered, or never there"))
            else:
                self.tell(end_of(order, self.told))

    def orders(self) -> dict[ClientOrderId, Order]:
        return self.engine.state.instruments[BTC].orders


def in_doubt(data: AccountData) -> AccountData | None:
    """Return what the owner tells instead of an answer that got lost, none if nobody waits for one."""
    if isinstance(data, OrderReceived):
        return RequestInDoubt(data.order.key, RequestKind.OPEN, "lost")
    if isinstance(data, CancelAnswered):
        return RequestInDoubt(data.key, RequestKind.CANCEL, "lost")
    if isinstance(data, AmendAnswered):
        return RequestInDoubt(data.key, RequestKind.AMEND, "lost")
    return None


def end_of(order: Order, told: Sequence[AccountData]) -> AccountData:
    """Return what the exchange says of an order that is over."""
    for data in reversed(told):
        if isinstance(data, OrderReceived) and data.order.key == order.key and not is_active(data.order.state):
            return data
        if isinstance(data, CancelAnswered) and data.key == order.key and data.error is None:
            return data
    raise AssertionError(f"the exchange never said how {order.key.cid} ended")


@examples(50)
@given(histories, st.sampled_from((0, 1, 50)))
def test_engine_and_exchange_agree_when_everything_is_known(history: Sequence[Moment], latency_ns: int) -> None:
    run = Run(latency_ns)
    for moment in history:
        run.moment(moment)
        covered = set(run.orders())
        for cid in run.exchange.open_orders():
            assert cid in covered, "an order that lives at the exchange is never forgotten"
    run.settle()
    run.followed.assert_ticks_unchanged()
    theirs = {order.key.cid: order for order in run.exchange.orders(run.now_ns)}
    ours = run.orders()
    assert set(ours) == set(theirs)
    for cid, order in ours.items():
        assert not is_unknown(order.state)
        assert not isinstance(order.state, OpenInFlight | OpenFailed)
        assert order.amendment is None
        assert (order.price, order.quantity) == (theirs[cid].price, theirs[cid].quantity)
        assert order.quantity_remaining() == theirs[cid].quantity_remaining()
    trades = [data.trade for data in run.told if isinstance(data, TradeReceived)]
    signs = {Side.BUY: 1, Side.SELL: -1}
    held = sum((signs[trade.side] * trade.quantity for trade in trades), Decimal(0))
    assert signed_quantity(run.engine.state.instruments[BTC].position) == held, "each fill counts once"
