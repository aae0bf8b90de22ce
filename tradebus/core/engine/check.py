"""Check what comes in before anything changes: events from outside, and everything that user code answers."""

from decimal import Decimal
from typing import ClassVar, Final, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.audit.plain import check_plain
from tradebus.core.engine.audit.tick import RefusedCancel, RefusedOpen
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    BalanceReceived,
    CancelAnswered,
    OrderReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.number import NumberError, check_decimal
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestCancel, OrderRequestOpen, TimeInForce
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision


@mypyc_attr(native_class=False)
class InvalidEvent(ValueError):
    """An event that cannot belong to this engine; nothing was changed."""


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class InvalidDecision(TypeError):
    """An answer of user code that is not a decision at all."""


def _check_exchange(state: EngineState, exchange: ExchangeIndex) -> None:
    if not 0 <= exchange < len(state.connectivity):
        raise InvalidEvent(f"expected an exchange index of 0 to {len(state.connectivity) - 1}, found {exchange}")


def _check_instrument(state: EngineState, instrument: InstrumentIndex, exchange: ExchangeIndex) -> None:
    if not 0 <= instrument < len(state.instruments):
        raise InvalidEvent(f"expected an instrument index of 0 to {len(state.instruments) - 1}, found {instrument}")
    definition = state.instruments[instrument].instrument
    if definition.exchange != exchange:
        raise InvalidEvent(f"{definition.name} is on exchange {definition.exchange}, the event says {exchange}")


def check_market_event(state: EngineState, event: MarketEvent) -> None:
    """Refuse a market event of an instrument that is not in the index or on another exchange; raises InvalidEvent."""
    _check_instrument(state, event.instrument, event.exchange)


def _check_trade(state: EngineState, trade: Trade, exchange: ExchangeIndex) -> None:
    _check_instrument(state, trade.instrument, exchange)
    if trade.quantity <= 0 or trade.price < 0:
        raise InvalidEvent(f"fill {trade.id}: expected a quantity above 0, found {trade.quantity} at {trade.price}")


def _check_key(state: EngineState, key: OrderKey, exchange: ExchangeIndex) -> None:
    _check_instrument(state, key.instrument, exchange)
    if key.exchange != exchange:
        raise InvalidEvent(f"order {key.cid} is on exchange {key.exchange}, the event says {exchange}")


def _check_account_event(state: EngineState, event: AccountEvent) -> None:
    _check_exchange(state, event.exchange)
    data = event.data
    assets = len(state.assets)
    if isinstance(data, TradeReceived):
        _check_trade(state, data.trade, event.exchange)
    elif isinstance(data, BalanceReceived):
        if not 0 <= data.balance.asset < assets:
            raise InvalidEvent(f"expected an asset index of 0 to {assets - 1}, found {data.balance.asset}")
    elif isinstance(data, OrderReceived):
        _check_key(state, data.order.key, event.exchange)
    elif isinstance(data, CancelAnswered):
        _check_key(state, data.key, event.exchange)
    elif isinstance(data, SnapshotReceived):
        for balance in data.snapshot.balances:
            if not 0 <= balance.asset < assets:
                raise InvalidEvent(f"expected an asset index of 0 to {assets - 1}, found {balance.asset}")
        for order in data.snapshot.orders:
            _check_key(state, order.key, event.exchange)


def check_event(state: EngineState, event: EngineEvent) -> None:
    """Refuse an event whose indices do not fit this engine; raises InvalidEvent saying what was expected and found."""
    if isinstance(event, MarketEvent):
        check_market_event(state, event)
    elif isinstance(event, AccountEvent):
        _check_account_event(state, event)
    elif isinstance(event, MarketGap):
        _check_instrument(state, event.instrument, event.exchange)
    elif isinstance(event, MarketReconnecting | AccountReconnecting | AccountLinkChanged):
        _check_exchange(state, event.exchange)


@final
class CheckedRequests(Record):
    """Requests of user code that make sense, and those that do not, with the reason."""

    FIELDS: ClassVar[tuple[str, ...]] = ("cancels", "opens", "cancels_refused", "opens_refused")

    def __init__(
        self,
        cancels: tuple[OrderRequestCancel, ...],
        opens: tuple[OrderRequestOpen, ...],
        cancels_refused: tuple[RefusedCancel, ...],
        opens_refused: tuple[RefusedOpen, ...],
    ) -> None:
        self.cancels: Final = cancels
        self.opens: Final = opens
        self.cancels_refused: Final = cancels_refused
        self.opens_refused: Final = opens_refused


def _key_problem(state: EngineState, key: object) -> str:
    if not isinstance(key, OrderKey):
        return f"expected an OrderKey, found {type(key).__name__}"
    if type(key.instrument) is not int or not 0 <= key.instrument < len(state.instruments):
        return f"expected an instrument index of 0 to {len(state.instruments) - 1}, found {key.instrument!r}"
    if type(key.cid) is not str or type(key.strategy) is not str:
        return "expected texts as client order id and strategy"
    definition = state.instruments[key.instrument].instrument
    if key.exchange != definition.exchange:
        # A wrong exchange that is not in the index at all is found out when the request is handed over.
        if 0 <= key.exchange < len(state.connectivity):
            return f"{definition.name} is on exchange {definition.exchange}, the request says {key.exchange}"
        return ""
    return ""


def _number_problem(name: str, value: object, *, positive: bool) -> str:
    if not isinstance(value, Decimal):
        return f"{name}: expected a Decimal, found {type(value).__name__} {value!r}"
    try:
        check_decimal(value)
    except NumberError as error:
        return f"{name}: {error}"
    if positive and value <= 0:
        return f"{name}: expected more than 0, found {value}"
    return ""


def _kind_problem(name: str, value: object, kind: type) -> str:
    return "" if isinstance(value, kind) else f"{name}: expected a {kind.__name__}, found {value!r}"


def open_problem(state: EngineState, request: OrderRequestOpen) -> str:
    """Return why an open request makes no sense, empty if it does."""
    problem = _key_problem(state, request.key)
    if problem:
        return problem
    problem = _kind_problem("side", request.side, Side)
    if not problem:
        problem = _kind_problem("kind", request.kind, OrderKind)
    if not problem:
        problem = _kind_problem("time_in_force", request.time_in_force, TimeInForce)
    if not problem:
        problem = _number_problem("quantity", request.quantity, positive=True)
    if not problem:
        problem = _number_problem("price", request.price, positive=True)
    if not problem and request.key.cid in state.instruments[request.key.instrument].orders:
        problem = f"client order id {request.key.cid} is in use by an active order"
    return problem


def check_requests(state: EngineState, cancels: object, opens: object) -> CheckedRequests:
    """Sort requests into those that make sense and those that do not, keeping their order.

    Raises InvalidDecision if something is not a request at all.
    """
    if not isinstance(cancels, list | tuple) or not isinstance(opens, list | tuple):
        raise InvalidDecision(f"expected lists of requests, found {type(cancels).__name__} and {type(opens).__name__}")
    good_cancels: list[OrderRequestCancel] = []
    good_opens: list[OrderRequestOpen] = []
    bad_cancels: list[RefusedCancel] = []
    bad_opens: list[RefusedOpen] = []
    for cancel in cancels:
        if not isinstance(cancel, OrderRequestCancel):
            raise InvalidDecision(f"expected an OrderRequestCancel, found {type(cancel).__name__}")
        problem = _key_problem(state, cancel.key)
        if problem:
            bad_cancels.append(RefusedCancel(cancel, problem))
        else:
            good_cancels.append(cancel)
    seen: set[str] = set()
    for request in opens:
        if not isinstance(request, OrderRequestOpen):
            raise InvalidDecision(f"expected an OrderRequestOpen, found {type(request).__name__}")
        problem = open_problem(state, request)
        if not problem and request.key.cid and request.key.cid in seen:
            problem = f"client order id {request.key.cid} is used twice in one decision"
        if problem:
            bad_opens.append(RefusedOpen(request, problem))
        else:
            seen.add(request.key.cid)
            good_opens.append(request)
    return CheckedRequests(tuple(good_cancels), tuple(good_opens), tuple(bad_cancels), tuple(bad_opens))


def check_side_effects(decision: Decision) -> None:
    """Refuse timers and patches of a decision that are not what they should be; raises InvalidDecision."""
    for timer in decision.timers_set:
        id_, due_ns = _pair("timers_set", "(id, due time in ns)", timer)
        if type(id_) is not str or type(due_ns) is not int:
            raise InvalidDecision(f"timers_set: expected (id, due time in ns), found {timer!r}")
    for name in decision.timers_cleared:
        if type(name) is not str:
            raise InvalidDecision(f"timers_cleared: expected a timer's id, found {name!r}")
    for patch in decision.patches:
        key, value = _pair("patches", "(key, value)", patch)
        if type(key) is not str:
            raise InvalidDecision(f"patches: expected (key, value), found {patch!r}")
        check_plain(value, key)


def _pair(name: str, expected: str, value: object) -> tuple[object, object]:
    if not isinstance(value, tuple) or len(value) != 2:
        raise InvalidDecision(f"{name}: expected {expected}, found {value!r}")
    return value[0], value[1]
