"""Generate histories of an engine: events of every kind, and what several strategies answer to each.

An event is generated without looking at the engine (so that hypothesis can shrink it) and made real when it is its
turn: a pick becomes one of the orders that are then active, a key one that is new or was seen before.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, getcontext
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.builders import (
    ALPHA,
    BETA,
    BETA_BTC,
    BTC,
    ETH,
    account_event,
    asset_balance,
    book,
    book_snapshot,
    book_update,
    cancel_of,
    check_of,
    command_of,
    engine_of,
    fill,
    market_data,
    open_request,
    opened,
    order_error,
    order_in,
    order_key,
    public_trade,
    setup_of,
)
from tests.support.scenario import Memory, Scripted
from tests.support.user_data import Diary, Doubled, factory, started_with_data
from tradebus.core.engine.command import (
    ALL_INSTRUMENTS,
    ByExchanges,
    ByInstruments,
    ByUnderlyings,
    CancelOrders,
    ClosePositions,
    SendAmendRequests,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    ClockAdvanced,
    FundingReceived,
    OrderReceived,
    OwnerChanged,
    RequestInDoubt,
    RequestNeverReceived,
    SnapshotReceived,
    StrategySetup,
    TimerFired,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.engine.state.user_setup import UserDataFactory
from tradebus.core.market.event import Candle, Liquidation, MarketGap, MarketReconnecting
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
)
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    OPEN_IN_FLIGHT,
    OPEN_UNKNOWN,
    CancelInFlight,
    Cancelled,
    CancelUnknown,
    OpenFailed,
    Order,
    OrderErrorKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderState,
    RequestKind,
)
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision

STRATEGIES = ("a", "b", "c")
INSTRUMENTS = (BTC, ETH, BETA_BTC)
CIDS = ("x", "y", "z")

instruments = st.sampled_from(INSTRUMENTS)
exchanges = st.sampled_from((ALPHA, BETA))
sides = st.sampled_from(list(Side))
picks = st.integers(0, 7)
times = st.integers(0, 12)
# Few digits, so that sums stay exact.
prices = st.integers(1, 400).map(lambda cents: Decimal(cents) / 4)
amounts = st.integers(1, 40).map(lambda tenths: Decimal(tenths) / 10)
fees = st.integers(-5, 20).map(lambda hundredths: Decimal(hundredths) / 100)

plain_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**6), max_value=10**6),
    st.text(max_size=5),
    st.binary(max_size=4),
)
plain_values: SearchStrategy[Any] = st.recursive(
    plain_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=6,
)

# What strategies answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What one strategy does at one event: decides, or misbehaves in the way that ``nonsense`` names."""

    opens: tuple[tuple[InstrumentIndex, Side, Decimal, Decimal, str], ...] = ()
    cancels: tuple[int, ...] = ()
    timers: tuple[tuple[str, int], ...] = ()
    cleared: tuple[str, ...] = ()
    patches: tuple[tuple[str, Any], ...] = ()
    nonsense: str = ""


def tuples_of(items: SearchStrategy[Any], size: int = 2) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=size).map(tuple)


timer_ids = st.sampled_from(("t", "u"))
requests = st.tuples(instruments, sides, prices, amounts, st.sampled_from(("", "", *CIDS)))
sound_answers = st.builds(
    Answer,
    tuples_of(requests),
    tuples_of(picks),
    tuples_of(st.tuples(timer_ids, st.integers(-5, 30))),
    tuples_of(timer_ids, 1),
    tuples_of(st.tuples(st.sampled_from(("note", "items", "seen2")), plain_values)),
)
odd_answers = st.builds(
    Answer, nonsense=st.sampled_from(("raise", "text", "index", "nan", "precision", "float", "key"))
)
answers = st.one_of(st.none(), st.none(), st.none(), sound_answers, sound_answers, odd_answers)


def decision_of(answer: Answer, state: EngineState, now_ns: int, strategy: str) -> Any:
    """Return what a strategy answers, as far as it can be returned."""
    if answer.nonsense:
        return _nonsense(answer.nonsense)
    active = active_orders(state)
    cancels = [
        OrderRequestCancel(active[pick % len(active)].key, None) if active else cancel_of("ghost")
        for pick in answer.cancels
    ]
    opens = [
        open_request(cid, side, price, amount, instrument=instrument, strategy=strategy)
        for instrument, side, price, amount, cid in answer.opens
    ]
    return Decision(
        cancels, opens, [(name, now_ns + delta) for name, delta in answer.timers], answer.cleared, answer.patches
    )


def _nonsense(kind: str) -> Any:
    if kind == "raise":
        raise ValueError("a strategy's mistake")
    if kind == "precision":
        getcontext().prec = 4
        return None
    if kind == "text":
        return "buy"
    if kind == "index":
        return Decision((), [open_request(instrument=17)])
    if kind == "nan":
        return Decision((), [open_request(price=Decimal("NaN"))])
    if kind == "float":
        return Decision(patches=[("note", 1.5)])
    return Decision(patches=[("note", {1: 2})])


def active_orders(state: EngineState) -> list[Order]:
    """Return the active orders of all instruments, in order."""
    return [order for instrument in state.instruments for order in instrument.orders.values()]


# Events


Make = Callable[["History"], EngineEvent]


def told(data: AccountData, exchange: ExchangeIndex, key: str) -> Make:
    return lambda history: history.account_event(data, exchange, key)


keys = st.sampled_from(("none", "new", "new", "seen", "skip"))
links = st.sampled_from((AccountLink.HEALTHY, AccountLink.HEALTHY, AccountLink.UNHEALTHY))
# Of the usual index; those of the other exchange can never be converted.
fees_assets = st.sampled_from((None, None, *range(5)))
fill_specs = st.tuples(instruments, sides, prices, amounts, fees, fees_assets, times, keys, picks)
funding_specs = st.tuples(instruments, fees, st.integers(0, 4), times, keys, picks)
states = st.sampled_from(
    (
        *("flight", "open", "full", "cancel", "cancel bare", "cancelled", "filled", "failed", "expired"),
        *("timeout", "unknown", "cancel unknown"),
    )
)
snapshot_specs = st.tuples(picks, st.sampled_from(CIDS), states, times, amounts, keys, st.booleans(), instruments)
selections = st.sampled_from(
    (
        ALL_INSTRUMENTS,
        ByExchanges((ALPHA,)),
        ByInstruments((ETH, BETA_BTC)),
        ByUnderlyings(((AssetIndex(0), AssetIndex(2)),)),
    )
)


def _asset_at(instrument: int, number: int) -> AssetIndex:
    """Return one of the assets of the exchange of an instrument."""
    return AssetIndex(3 + number % 2 if instrument == BETA_BTC else number % 3)


def _fill(spec: Any) -> Make:
    instrument, side, price, amount, fee, fees_asset, time, key, pick = spec

    def make(history: "History") -> EngineEvent:
        order = history.pick(pick)
        cid = order.key.cid if order is not None else "ghost"
        strategy = (*STRATEGIES, "nobody")[pick % 4]
        # A fill of the other side than its order's is refused.
        own = history.engine.state.instruments[instrument].orders.get(ClientOrderId(cid))
        trade = fill(
            f"t{pick}",
            side if own is None else own.side,
            price,
            amount,
            fee,
            instrument=instrument,
            cid=cid,
            strategy=strategy,
            time_ns=time,
            fees_asset=None if fees_asset is None else _asset_at(instrument, fees_asset),
        )
        return history.account_event(TradeReceived(trade), BETA if instrument == BETA_BTC else ALPHA, key)

    return make


def _funding(spec: Any) -> Make:
    instrument, amount, asset, time, key, pick = spec
    data = FundingReceived(instrument, amount, _asset_at(instrument, asset), time, f"f{pick}")
    return told(data, BETA if instrument == BETA_BTC else ALPHA, key)


def _state(kind: str, time: int, filled: Decimal, quantity: Decimal) -> OrderState:
    part = opened(time, min(filled, quantity), f"v{time}")
    made: dict[str, OrderState] = {
        "flight": OPEN_IN_FLIGHT,
        "open": part,
        "full": opened(time, quantity + filled - filled),
        "cancel": CancelInFlight(part),
        "cancel bare": CancelInFlight(None),
        "cancelled": Cancelled(OrderId("v"), time),
        "filled": FULLY_FILLED,
        "failed": OpenFailed(order_error(OrderErrorKind.RATE_LIMIT)),
        "timeout": OpenFailed(order_error(OrderErrorKind.TIMEOUT)),
        "unknown": OPEN_UNKNOWN,
        "cancel unknown": CancelUnknown(part),
        "expired": EXPIRED,
    }
    return made[kind]


def _snapshot(spec: Any) -> Make:
    pick, cid, kind, time, amount, key, known, instrument = spec

    def make(history: "History") -> EngineEvent:
        order = history.pick(pick) if known else None
        if order is None:
            order = order_in(cid=cid, quantity=amount, instrument=instrument)
        told_order = order.with_state(_state(kind, time, amount, order.quantity))
        return history.account_event(OrderReceived(told_order), order.key.exchange, key)

    return make


def _cancel_answer(spec: Any) -> Make:
    pick, accepted, key, time, error = spec

    def make(history: "History") -> EngineEvent:
        order = history.pick(pick)
        order_key_ = order_key("ghost") if order is None else order.key
        answer = (
            CancelAnswered(order_key_, OrderId("v"), time, None)
            if accepted
            else CancelAnswered(order_key_, None, None, order_error(error))
        )
        return history.account_event(answer, order_key_.exchange, key)

    return make


def _amend_answer(spec: Any) -> Make:
    pick, accepted, key, time, error, price, amount = spec

    def make(history: "History") -> EngineEvent:
        order = history.pick(pick)
        order_key_ = order_key("ghost") if order is None else order.key
        answer = (
            AmendAnswered(order_key_, OrderId("v"), time, price, amount, None)
            if accepted
            else AmendAnswered(order_key_, None, None, None, None, order_error(error))
        )
        return history.account_event(answer, order_key_.exchange, key)

    return make


def _command_amend(spec: Any) -> Make:
    pick, price, amount = spec

    def make(history: "History") -> EngineEvent:
        order = history.pick(pick)
        amend = OrderRequestAmend(order_key("ghost") if order is None else order.key, None, price, amount)
        return command_of(SendAmendRequests((amend,)))

    return make


def _fate(spec: Any) -> Make:
    pick, in_doubt, asked, key = spec

    def make(history: "History") -> EngineEvent:
        order = history.pick(pick)
        order_key_ = order_key("ghost") if order is None else order.key
        kind = RequestInDoubt if in_doubt else RequestNeverReceived
        return history.account_event(kind(order_key_, asked, "nobody answered"), order_key_.exchange, key)

    return make


def _account_snapshot(spec: Any) -> Make:
    pick, time, total, key, kind = spec

    def make(history: "History") -> EngineEvent:
        order = history.pick(pick) or order_in(cid="found")
        changed = order.with_state(_state(kind, time, total, order.quantity))
        is_alpha = order.key.exchange == ALPHA
        balances = tuple(asset_balance(asset, total, time_ns=time) for asset in ((0, 2) if is_alpha else (3, 4)))
        return history.account_event(SnapshotReceived(AccountSnapshot(balances, (changed,))), order.key.exchange, key)

    return make


def _command_cancel(chosen: tuple[int, ...]) -> Make:
    def make(history: "History") -> EngineEvent:
        orders = [history.pick(pick) for pick in chosen]
        cancels = [cancel_of("ghost") if order is None else OrderRequestCancel(order.key, None) for order in orders]
        return command_of(SendCancelRequests(tuple(cancels)))

    return make


def _timer(spec: tuple[int, bool]) -> Make:
    pick, real = spec

    def make(history: "History") -> EngineEvent:
        timers = history.engine.state.timers
        if real and timers:
            timer = timers[pick % len(timers)]
            return TimerFired(timer.strategy, timer.id, timer.due_ns)
        return TimerFired(StrategyId("nobody"), "t", pick)

    return make


def _just(event: EngineEvent) -> Make:
    return lambda _history: event


def _again(pick: int) -> Make:
    return lambda history: history.events[pick % len(history.events)] if history.events else ClockAdvanced()


levels = st.one_of(st.none(), st.tuples(prices, amounts))
some_levels = st.lists(st.tuples(prices, st.just(Decimal(0)) | amounts), max_size=3)
rare_data = st.one_of(
    st.builds(book_snapshot, some_levels, some_levels),
    st.builds(book_update, some_levels, some_levels),
    st.builds(Candle, times, prices, prices, prices, prices, amounts, times),
    st.builds(Liquidation, sides, prices, amounts),
)

makers: SearchStrategy[Make] = st.one_of(
    st.builds(
        lambda p, a, s, i, t: _just(public_trade(p, a, s, instrument=i, time_ns=t)),
        prices,
        amounts,
        sides,
        instruments,
        times,
    ),
    st.builds(
        lambda bid, ask, i, t: _just(book(bid, ask, instrument=i, time_ns=t)), levels, levels, instruments, times
    ),
    st.builds(lambda data, i, t: _just(market_data(data, instrument=i, time_ns=t)), rare_data, instruments, times),
    st.builds(_fill, fill_specs),
    st.builds(_fill, fill_specs),
    st.builds(_funding, funding_specs),
    st.builds(_snapshot, snapshot_specs),
    st.builds(_snapshot, snapshot_specs),
    st.builds(_cancel_answer, st.tuples(picks, st.booleans(), keys, times, st.sampled_from(list(OrderErrorKind)))),
    st.builds(
        _amend_answer,
        st.tuples(picks, st.booleans(), keys, times, st.sampled_from(list(OrderErrorKind)), prices, amounts),
    ),
    st.builds(_command_amend, st.tuples(picks, st.none() | prices, st.none() | amounts)),
    st.builds(_fate, st.tuples(picks, st.booleans(), st.sampled_from(list(RequestKind)), keys)),
    st.builds(
        lambda asset, total, time, key: told(
            BalanceReceived(asset_balance(asset, total, time_ns=time)),
            BETA if asset > 2 else ALPHA,
            key,
        ),
        st.integers(0, 4),
        amounts,
        times,
        keys,
    ),
    st.builds(_account_snapshot, st.tuples(picks, times, amounts, keys, states)),
    st.builds(lambda exchange, key: told(OwnerChanged("o", 1), exchange, key), exchanges, keys),
    st.builds(
        lambda i, first, more: _just(MarketGap(BETA if i == BETA_BTC else ALPHA, i, first, first + more)),
        instruments,
        picks,
        picks,
    ),
    st.builds(lambda exchange: _just(MarketReconnecting(exchange, "lost")), exchanges),
    st.builds(lambda exchange: _just(AccountReconnecting(exchange, "lost")), exchanges),
    st.builds(lambda exchange, link: _just(AccountLinkChanged(exchange, link)), exchanges, links),
    st.builds(
        lambda state: _just(TradingStateUpdate(state, "operator")),
        st.sampled_from((TradingState.ENABLED, TradingState.ENABLED, TradingState.DISABLED)),
    ),
    st.just(_just(ClockAdvanced())),
    st.builds(_timer, st.tuples(picks, st.booleans())),
    st.builds(
        lambda specs, override: _just(
            command_of(
                SendOpenRequests(tuple(open_request(c, s, p, a, instrument=i) for i, s, p, a, c in specs), override)
            )
        ),
        tuples_of(requests, 3),
        st.booleans(),
    ),
    st.builds(_command_cancel, tuples_of(picks, 3)),
    st.builds(lambda selection: _just(command_of(CancelOrders(selection))), selections),
    st.builds(
        lambda selection, override: _just(command_of(ClosePositions(selection, override))), selections, st.booleans()
    ),
    st.builds(
        lambda name, size, limits: _just(ConfigChanged("operator", (setup_of(name, size=size),), checks(*limits))),
        st.sampled_from([StrategyId(name) for name in STRATEGIES]),
        st.sampled_from("12"),
        st.sampled_from([("40", "100"), ("2", "100"), ("40", "3")]),
    ),
    st.builds(_again, picks),
)


def checks(orders_max: str, position_max: str) -> tuple[RiskCheckSetup, ...]:
    """Risk checks with limits that are wide enough, or not."""
    return (
        check_of("max_position", default=position_max),
        check_of("order_rate", orders_max=orders_max, window_ms="1", per="exchange"),
        check_of("max_open_orders", default="12"),
        check_of("self_cross"),
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One event, when it comes (may be earlier than the last), and what each strategy answers to it, hooks included."""

    make: Make
    later_ns: int
    answers: tuple[Answer | None, ...]
    hooks: tuple[Answer | None, ...]


steps = st.builds(
    Step,
    makers,
    st.integers(-3, 10),
    st.tuples(*(answers for _ in STRATEGIES)),
    st.tuples(*(answers for _ in STRATEGIES)),
)
# Short ones find simple mistakes and shrink well, long ones reach what takes a while.
histories = st.one_of(st.lists(steps, min_size=1, max_size=8), st.lists(steps, min_size=15, max_size=30))


class Forgetful(Memory):
    """Data that fails when it has seen enough."""

    def process(self, state: EngineState, event: EngineEvent) -> None:
        super().process(state, event)
        if self.seen == 9:
            raise RuntimeError("enough")


class ForgetfulDiary(Doubled):
    """Data of an instrument that gives prices of its own and fails when it has seen enough."""

    def note(self, *what: object) -> None:
        super().note(*what)
        if self.seen == 7:
            raise RuntimeError("enough")


@dataclass(slots=True)
class History:
    """An engine on its way through a history, with data that its user defined."""

    engine: Engine = field(init=False)
    strategies: list[Scripted] = field(init=False)
    events: list[EngineEvent] = field(default_factory=list)
    now_ns: int = 0
    make_user_data: UserDataFactory = field(default_factory=lambda: factory(Diary, ForgetfulDiary))
    step: Step | None = None
    _keys: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.strategies = [
            Scripted(
                lambda state, _event, i=i: self._answer(state, i, is_hook=False),  # type: ignore[misc]
                strategy_id=name,
                disconnected=lambda state, _exchange, i=i: self._answer(state, i, is_hook=True),  # type: ignore[misc]
                disabled=lambda state, i=i: self._answer(state, i, is_hook=True),  # type: ignore[misc]
                data=Forgetful if name == "c" else Memory,
            )
            for i, name in enumerate(STRATEGIES)
        ]
        started = started_with_data(*self.strategies, risk=checks("40", "100"))
        self.engine = engine_of(
            *self.strategies, started=started, make_strategy=self.make_strategy, make_user_data=self.make_user_data
        )

    def make_strategy(self, setup: StrategySetup, _index: IndexedInstruments) -> Scripted:
        """Return the strategy of a setup: there is one of each, whatever its parameters are."""
        return next(strategy for strategy in self.strategies if strategy.id == setup.id)

    def _answer(self, state: EngineState, i: int, *, is_hook: bool) -> Any:
        assert self.step is not None
        answer = (self.step.hooks if is_hook else self.step.answers)[i]
        return None if answer is None else decision_of(answer, state, self.now_ns, STRATEGIES[i])

    def pick(self, pick: int) -> Order | None:
        """Return one of the active orders, none if there are none."""
        active = active_orders(self.engine.state)
        return active[pick % len(active)] if active else None

    def account_event(self, data: AccountData, exchange: ExchangeIndex, key: str) -> AccountEvent:
        """Return an account event with a key that is new, skips some, was seen before, or is none."""
        cause, ordinal = self._keys.get(exchange, (0, 0))
        if key == "none":
            return account_event(data, exchange)
        if key == "seen" and (cause, ordinal) != (0, 0):
            return account_event(data, exchange, cause, ordinal)
        fresh = (self.engine.sequence, 1) if self.engine.sequence > cause else (cause, ordinal + 1)
        if key == "skip":
            fresh = (fresh[0], fresh[1] + 3)
        self._keys[exchange] = fresh
        return account_event(data, exchange, *fresh)

    def next_event(self, step: Step) -> EngineEvent:
        """Make the event of the next step."""
        self.step = step
        self.now_ns += step.later_ns
        event = step.make(self)
        self.events.append(event)
        return event
