"""A simulated account creates and loses nothing, whatever is asked of it and whatever the market does."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.builders import (
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BTC,
    ETH,
    amend_of,
    book,
    cancel_of,
    open_request,
    public_trade,
)
from tests.support.simulated_account import Account
from tradebus.core.engine.event import (
    AccountEvent,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    ClockAdvanced,
    OrderReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.account import Balance, Liquidity
from tradebus.core.model.identifiers import InstrumentIndex
from tradebus.core.model.order import (
    Cancelled,
    FullyFilled,
    Open,
    OpenFailed,
    OrderKind,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.core.simulation.transit import Request

instruments = st.sampled_from((BTC, ETH))
sides = st.sampled_from(list(Side))
prices = st.integers(90, 110).map(Decimal)
amounts = st.integers(1, 60).map(lambda tenths: Decimal(tenths) / 10)
levels = st.one_of(st.none(), st.tuples(prices, amounts))
market_events = st.one_of(
    st.builds(lambda p, a, s, i: public_trade(p, a, s, instrument=i), prices, amounts, sides, instruments),
    st.builds(lambda bid, ask, i: book(bid, ask, instrument=i), levels, levels, instruments),
)
opens = st.builds(
    lambda number, side, price, amount, kind, until, instrument: open_request(
        f"o{number}", side, price, amount, kind=kind, time_in_force=until, instrument=instrument
    ),
    st.integers(0, 20),
    sides,
    prices,
    amounts,
    st.sampled_from((OrderKind.MARKET, OrderKind.LIMIT, OrderKind.LIMIT)),
    st.sampled_from(list(TimeInForce)),
    instruments,
)
amends = st.builds(
    lambda number, price, amount, i: amend_of(f"o{number}", price, amount, instrument=i),
    st.integers(0, 20),
    st.none() | prices,
    st.none() | amounts,
    instruments,
)
cancels = st.builds(lambda number, i: cancel_of(f"o{number}", instrument=i), st.integers(0, 20), instruments)


@dataclass(frozen=True, slots=True)
class Moment:
    """What comes with one tick."""

    later_ns: int
    event: MarketEvent | None
    requests: tuple[Request, ...]


moments = st.lists(
    st.builds(
        Moment,
        st.integers(0, 40),
        st.one_of(st.none(), market_events, market_events),
        st.lists(st.one_of(opens, opens, amends, cancels), max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=30,
)
fees = st.sampled_from(("0", "0.001", "-0.0005", "0.01"))
latencies = st.sampled_from((0, 1, 50))

BASES = {BTC: ASSET_BTC, ETH: ASSET_ETH}


class Book:
    """Keeps its own account from fills, and what is open from orders and cancels."""

    def __init__(self) -> None:
        self.totals: dict[int, Decimal] = {}
        self.told: dict[int, Balance] = {}
        self.open: dict[str, Decimal] = {}
        self.filled: dict[str, Decimal] = {}
        self.asked: dict[str, Decimal] = {}
        self.trades: set[str] = set()

    def take(self, event: AccountEvent) -> None:
        data = event.data
        if isinstance(data, SnapshotReceived):
            for item in data.snapshot.balances:
                self.told[item.asset] = item.balance
                self.totals[item.asset] = item.balance.total
        elif isinstance(data, BalanceReceived):
            self.told[data.balance.asset] = data.balance.balance
            assert 0 <= data.balance.balance.free <= data.balance.balance.total
        elif isinstance(data, TradeReceived):
            trade = data.trade
            assert trade.id not in self.trades
            self.trades.add(trade.id)
            sign = 1 if trade.side is Side.BUY else -1
            self._add(BASES[InstrumentIndex(trade.instrument)], sign * trade.quantity)
            self._add(ASSET_USDT, -sign * trade.price * trade.quantity - trade.fees)
            self.filled[trade.order_id] = self.filled.get(trade.order_id, Decimal(0)) + trade.quantity
            assert trade.quantity > 0
        elif isinstance(data, OrderReceived):
            self._take_order(data)
        elif isinstance(data, AmendAnswered) and data.error is None:
            assert data.quantity is not None
            filled = self.filled.get(str(data.id), Decimal(0))
            assert data.quantity > filled
            self.open[data.key.cid] = data.quantity - filled
        elif isinstance(data, CancelAnswered) and data.error is None:
            del self.open[data.key.cid]

    def _take_order(self, data: OrderReceived) -> None:
        state, cid = data.order.state, data.order.key.cid
        if isinstance(state, Open):
            assert 0 <= state.filled_quantity < data.order.quantity
            self.open[cid] = data.order.quantity - state.filled_quantity
        elif isinstance(state, FullyFilled | Cancelled):
            self.open.pop(cid, None)
        else:
            assert isinstance(state, OpenFailed)

    def _add(self, asset: int, amount: Decimal) -> None:
        self.totals[asset] = self.totals.get(asset, Decimal(0)) + amount


def play(account: Account, history: Sequence[Moment]) -> None:
    """Run a history, then cancel everything that is open and wait for the last answer."""
    for moment in history:
        account.now_ns += moment.later_ns
        if moment.event is not None:
            account.tick(moment.event)
        if moment.requests:
            account.send(*moment.requests)
    account.tick(ClockAdvanced(), now_ns=account.now_ns + 1000)
    account.send(*(cancel_of(cid) for cid in account.exchange.open_orders()))
    account.tick(ClockAdvanced(), now_ns=account.now_ns + 1000)


@examples(200)
@given(moments, fees, fees, latencies)
def test_nothing_is_created_or_lost(history: Sequence[Moment], maker: str, taker: str, latency_ns: int) -> None:
    balances = ((ASSET_BTC, 20), (ASSET_ETH, 3), (ASSET_USDT, 1500))
    account = Account(latency_ns=latency_ns, fee_maker=maker, fee_taker=taker, balances=balances)
    play(account, history)
    kept = Book()
    for event in account.events:
        kept.take(event)
    assert account.exchange.open_orders() == []
    assert kept.open == {}
    for asset, balance in kept.told.items():
        assert balance.total == kept.totals[asset], "assets moved are fills and fees, and nothing else"
        assert balance.free == balance.total, "without open orders everything is free"
    for trade in account.fills():
        rate = Decimal(maker if trade.liquidity is Liquidity.MAKER else taker)
        assert trade.fees == trade.price * trade.quantity * rate


@examples(100)
@given(moments, latencies)
def test_fills_keep_to_the_orders(history: Sequence[Moment], latency_ns: int) -> None:
    account = Account(latency_ns=latency_ns, balances=((ASSET_BTC, 10**6), (ASSET_ETH, 10**6), (ASSET_USDT, 10**9)))
    play(account, history)
    amended = {answer.key.cid for answer in account.amends() if answer.error is None}
    for event in account.events:
        if not isinstance(event.data, OrderReceived) or event.data.order.key.cid in amended:
            continue  # what was amended had several prices
        order = event.data.order
        trades = [trade for trade in account.fills(order.key.cid) if trade.side is order.side]
        if order.kind is OrderKind.LIMIT and order.time_in_force is not TimeInForce.IMMEDIATE_OR_CANCEL:
            for trade in trades:
                if trade.order_id == getattr(order.state, "id", None):
                    better = trade.price <= order.price if order.side is Side.BUY else trade.price >= order.price
                    assert better, "a limit order never fills beyond its price"
        if order.time_in_force is TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY:
            own = [trade for trade in trades if trade.order_id == getattr(order.state, "id", None)]
            assert all(trade.liquidity is Liquidity.MAKER for trade in own)


@examples(60)
@given(moments, latencies)
def test_two_accounts_given_the_same_tell_the_same_under_keys_that_grow(
    history: Sequence[Moment], latency_ns: int
) -> None:
    one, other = Account(latency_ns=latency_ns), Account(latency_ns=latency_ns)
    play(one, history)
    play(other, history)
    assert one.events == other.events
    keys = [(event.cause, event.ordinal) for event in one.events]
    assert keys == sorted(set(keys))
    times = [getattr(getattr(event.data, "trade", None), "time_exchange_ns", None) for event in one.events]
    told = [time for time in times if time is not None]
    assert told == sorted(told)
