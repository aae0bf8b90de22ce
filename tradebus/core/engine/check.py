"""Check what comes in before anything changes: events from outside, and everything that user code answers."""

from decimal import Decimal
from typing import ClassVar, Final, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.apply import is_duplicate
from tradebus.core.engine.audit.plain import check_plain, id_problem, plain_size
from tradebus.core.engine.audit.tick import RefusedCancel, RefusedOpen
from tradebus.core.engine.check_numbers import account_fault, market_fault
from tradebus.core.engine.command import (
    ByExchanges,
    ByInstruments,
    ByUnderlyings,
    CancelOrders,
    ClosePositions,
    Command,
    CommandRejected,
    InstrumentFilter,
    SendAmendRequests,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    ClockAdvanced,
    FeedEnded,
    FundingReceived,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    Shutdown,
    SnapshotReceived,
    StrategySetup,
    TimerFired,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.resumed import CodeChanged
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.payoff import payoff_of
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.check import data_fault
from tradebus.core.market.event import BookL1, MarketEvent, MarketGap, MarketReconnecting, PublicTrade
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import AssetIndex, ExchangeIndex, InstrumentIndex
from tradebus.core.model.number import EXPONENT_MAX, NumberError, check_computed, check_decimal
from tradebus.core.model.order import (
    OrderKey,
    OrderKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
)
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side
from tradebus.core.model.trading_rules import spec_problem
from tradebus.core.strategy.interface import Decision

INDEX_COUNT_MAX: Final = 2**32
AMOUNT_EXPONENT_MIN: Final = -100
_SHOWN: Final[tuple[type, ...]] = (type(None), bool, int, str, Decimal, float)
TIMERS_MAX: Final = 1_000
ALL_TIMERS_MAX: Final = 10_000
PATCHES_SIZE_MAX: Final = 100_000
"""A tick of 900 KiB is the largest that a journal takes."""
REASON_LENGTH_MAX: Final = 500
TIME_NS_MIN: Final = -(2**63)
TIME_NS_MAX: Final = 2**63 - 1


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


def check_market_numbers(event: MarketEvent) -> None:
    """Refuse a trade or a best bid and ask whose numbers are none; raises InvalidEvent.

    For events that did not come over the wire, whose codec has checked them.
    """
    fault = market_fault(event)
    if fault:
        raise InvalidEvent(f"{type(event.data).__name__}: {fault}")


def check_market_event(state: EngineState, event: MarketEvent) -> None:
    """Refuse a market event of an instrument that is not in the index or on another exchange; raises InvalidEvent."""
    _check_instrument(state, event.instrument, event.exchange)
    data = event.data
    if not isinstance(data, BookL1) and not isinstance(data, PublicTrade):
        fault = data_fault(data)
        if fault:
            raise InvalidEvent(f"{state.instruments[event.instrument].instrument.name}: {fault}")


def _check_amount(what: str, value: Decimal) -> None:
    """Refuse a number that arithmetic on it could not keep: none at all, not finite, or absurdly large or small."""
    try:
        check_computed(value)
    except NumberError as error:
        raise InvalidEvent(f"{what}: {error}") from None
    if value and not AMOUNT_EXPONENT_MIN <= value.adjusted() <= EXPONENT_MAX:
        raise InvalidEvent(f"{what}: expected an amount of 1e{AMOUNT_EXPONENT_MIN} to 1e{EXPONENT_MAX}, found {value}")


def _check_asset(state: EngineState, asset: AssetIndex, exchange: ExchangeIndex) -> None:
    if not 0 <= asset < len(state.assets):
        raise InvalidEvent(f"expected an asset index of 0 to {len(state.assets) - 1}, found {asset}")
    definition = state.assets[asset].asset
    if definition.exchange != state.index.exchanges[exchange]:
        name = definition.asset.name_internal
        raise InvalidEvent(
            f"asset {asset} is {name} on {definition.exchange.value}, the event says exchange {exchange}"
        )


def _check_trade(state: EngineState, trade: Trade, exchange: ExchangeIndex) -> None:
    _check_instrument(state, trade.instrument, exchange)
    for name, value in (("price", trade.price), ("quantity", trade.quantity), ("fees", trade.fees)):
        _check_amount(f"fill {trade.id}: {name}", value)
    if trade.quantity <= 0 or trade.price < 0:
        raise InvalidEvent(f"fill {trade.id}: expected a quantity above 0, found {trade.quantity} at {trade.price}")
    if not trade.price and payoff_of(state.instruments[trade.instrument].instrument).is_inverse:
        raise InvalidEvent(f"fill {trade.id}: expected a price above 0 for an inverse contract, found {trade.price}")
    if trade.fees_asset is not None:
        _check_asset(state, trade.fees_asset, exchange)


def _check_side(state: EngineState, event: AccountEvent, trade: Trade) -> None:
    """Refuse a fill of the other side than its order's; one that is told again changes nothing and passes."""
    order = state.instruments[trade.instrument].orders.get(trade.cid)
    if order is not None and order.side is not trade.side and not is_duplicate(state, event):
        raise InvalidEvent(f"fill {trade.id}: order {trade.cid} is a {order.side.name}, the fill a {trade.side.name}")


def _check_key(state: EngineState, key: OrderKey, exchange: ExchangeIndex) -> None:
    _check_instrument(state, key.instrument, exchange)
    if key.exchange != exchange:
        raise InvalidEvent(f"order {key.cid} is on exchange {key.exchange}, the event says {exchange}")


def _check_account_event(state: EngineState, event: AccountEvent) -> None:
    _check_exchange(state, event.exchange)
    data = event.data
    fault = account_fault(data)
    if fault:
        raise InvalidEvent(f"{type(data).__name__}: {fault}")
    if isinstance(data, TradeReceived):
        _check_trade(state, data.trade, event.exchange)
        _check_side(state, event, data.trade)
    elif isinstance(data, BalanceReceived):
        _check_asset(state, data.balance.asset, event.exchange)
    elif isinstance(data, OrderReceived):
        _check_key(state, data.order.key, event.exchange)
    elif isinstance(data, (CancelAnswered, AmendAnswered, RequestInDoubt, RequestNeverReceived)):
        _check_key(state, data.key, event.exchange)
    elif isinstance(data, SnapshotReceived):
        for balance in data.snapshot.balances:
            _check_asset(state, balance.asset, event.exchange)
        for order in data.snapshot.orders:
            _check_key(state, order.key, event.exchange)
    elif isinstance(data, FundingReceived):
        _check_instrument(state, data.instrument, event.exchange)
        _check_asset(state, data.asset, event.exchange)
        _check_amount(f"funding {data.id}", data.amount)


def _check_command(state: EngineState, command: Command) -> None:
    action = command.action
    fault = ""
    if isinstance(action, SendOpenRequests):
        for request in action.requests:
            fault = fault or open_fault(request, INDEX_COUNT_MAX, len(state.instruments))
    elif isinstance(action, SendCancelRequests):
        for cancel in action.requests:
            fault = fault or cancel_fault(cancel, INDEX_COUNT_MAX, len(state.instruments))
    elif isinstance(action, SendAmendRequests):
        for amend in action.requests:
            fault = fault or amend_fault(amend, INDEX_COUNT_MAX, len(state.instruments))
    elif isinstance(action, (CancelOrders, ClosePositions)):
        fault = _filter_fault(action.filter)
    else:
        fault = f"expected what a command can ask for, found {type(action).__name__}"
    if fault:
        raise InvalidEvent(f"command {command.id}: {fault}")


def _filter_fault(selection: object) -> str:
    """Return why a filter selects nothing that can be told, empty if it does."""
    wanted: object = ()
    if isinstance(selection, ByExchanges):
        wanted = selection.exchanges
    elif isinstance(selection, ByInstruments):
        wanted = selection.instruments
    elif isinstance(selection, ByUnderlyings):
        wanted = selection.underlyings
    elif not isinstance(selection, InstrumentFilter):
        return f"filter: expected a filter of instruments, found {type(selection).__name__}"
    return "" if isinstance(wanted, tuple) else f"filter: expected a tuple, found {type(wanted).__name__}"


def _check_configuration(event: ConfigChanged) -> None:
    for name, setups, kind in (("strategies", event.strategies, StrategySetup), ("risk", event.risk, RiskCheckSetup)):
        found: object = setups
        if not isinstance(found, tuple):
            raise InvalidEvent(f"{name}: expected a tuple, found {type(found).__name__}")
        ids: list[str] = []
        for setup in found:
            if not isinstance(setup, kind):
                raise InvalidEvent(f"{name}: expected a {kind.__name__}, found {type(setup).__name__}")
            if setup.id in ids:
                raise InvalidEvent(f"{name}: {setup.id} stands there twice")
            ids.append(setup.id)


def check_event(state: EngineState, event: EngineEvent) -> None:
    """Refuse an event whose indices do not fit this engine; raises InvalidEvent saying what was expected and found."""
    if isinstance(event, MarketEvent):
        check_market_event(state, event)
    elif isinstance(event, AccountEvent):
        _check_account_event(state, event)
    elif isinstance(event, MarketGap):
        _check_instrument(state, event.instrument, event.exchange)
    elif isinstance(event, (MarketReconnecting, AccountReconnecting, AccountLinkChanged)):
        _check_exchange(state, event.exchange)
    elif isinstance(event, Command):
        _check_command(state, event)
    elif isinstance(event, ConfigChanged):
        _check_configuration(event)
    elif isinstance(event, TradingStateUpdate):
        if not isinstance(event.state, TradingState):
            raise InvalidEvent(f"state: expected a TradingState, found {type(event.state).__name__}")
    elif not isinstance(event, (ClockAdvanced, TimerFired, CodeChanged, CommandRejected, Shutdown, FeedEnded)):
        raise InvalidEvent(f"expected an event that an engine processes, found {type(event).__name__}")


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


def told(value: object) -> str:
    """Return what is said of a value of user code, the same in every process: no address, and no order of a set."""
    kind = type(value)
    if kind in _SHOWN:
        return f"{value!r:.80}"
    if isinstance(value, tuple) and kind is tuple and all(type(item) in _SHOWN for item in value):
        return f"{value!r:.80}"
    return f"a {kind.__name__}"


def _index_fault(name: str, value: object, count: int) -> str:
    # Asked before anything is known of it: compiled, what is known to be an int is one, and True has become 1.
    kind = type(value)
    if not isinstance(value, int) or kind is not int or not 0 <= value < count:
        return f"expected an {name} index of 0 to {count - 1}, found {told(value)}"
    return ""


def _key_fault(key: object, exchanges: int, instruments: int) -> str:
    if not isinstance(key, OrderKey):
        return f"expected an OrderKey, found {type(key).__name__}"
    fault = _index_fault("instrument", key.instrument, instruments)
    if not fault:
        fault = _index_fault("exchange", key.exchange, exchanges)
    if not fault:
        fault = id_problem("strategy", key.strategy)
    return fault or id_problem("client order id", key.cid, may_be_empty=True)


def _number_fault(name: str, value: object) -> str:
    try:
        check_computed(value)
    except NumberError as error:
        return f"{name}: {error}"
    return ""


def _kind_fault(name: str, value: object, kind: type) -> str:
    return "" if isinstance(value, kind) else f"{name}: expected a {kind.__name__}, found {told(value)}"


def open_fault(request: object, exchanges: int, instruments: int) -> str:
    """Return why an open request cannot even stand in a tick, empty if it can.

    Wrong types, indices that nobody could look up, numbers that cannot be written. ``exchanges`` and ``instruments``
    are how many there are.
    """
    if not isinstance(request, OrderRequestOpen):
        return f"expected an OrderRequestOpen, found {type(request).__name__}"
    fault = _key_fault(request.key, exchanges, instruments)
    if not fault:
        fault = _kind_fault("side", request.side, Side)
    if not fault:
        fault = _kind_fault("kind", request.kind, OrderKind)
    if not fault:
        fault = _kind_fault("time_in_force", request.time_in_force, TimeInForce)
    if not fault:
        fault = _number_fault("quantity", request.quantity)
    return fault or _number_fault("price", request.price)


def cancel_fault(request: object, exchanges: int, instruments: int) -> str:
    """Return why a cancel request cannot even stand in a tick, empty if it can."""
    if not isinstance(request, OrderRequestCancel):
        return f"expected an OrderRequestCancel, found {type(request).__name__}"
    fault = _key_fault(request.key, exchanges, instruments)
    if not fault and request.id is not None:
        fault = id_problem("order id", request.id)
    return fault


def amend_fault(request: object, exchanges: int, instruments: int) -> str:
    """Return why an amend request cannot even stand in a tick, empty if it can."""
    if not isinstance(request, OrderRequestAmend):
        return f"expected an OrderRequestAmend, found {type(request).__name__}"
    fault = _key_fault(request.key, exchanges, instruments)
    if not fault and request.id is not None:
        fault = id_problem("order id", request.id)
    if not fault and request.price is not None:
        fault = _number_fault("price", request.price)
    if not fault and request.quantity is not None:
        fault = _number_fault("quantity", request.quantity)
    return fault


def exchange_problem(state: EngineState, key: OrderKey) -> str:
    """Return why a key's exchange does not fit its instrument, empty if it does."""
    definition = state.instruments[key.instrument].instrument
    # An operator's exchange that is not in the index at all is found out when the request is handed over.
    if key.exchange != definition.exchange and key.exchange < len(state.connectivity):
        return f"{definition.name} is on exchange {definition.exchange}, the request says {key.exchange}"
    return ""


def amount_problem(name: str, value: Decimal) -> str:
    """Return why a price or quantity must not be sent, empty if it may."""
    try:
        check_decimal(value)
    except NumberError as error:
        return f"{name}: {error}"
    return "" if value > 0 else f"{name}: expected more than 0, found {value}"


def open_problem(state: EngineState, request: OrderRequestOpen) -> str:
    """Return why an open request must not be sent, empty if it may."""
    problem = exchange_problem(state, request.key)
    definition = state.instruments[request.key.instrument].instrument.definition
    if not problem:
        problem = amount_problem("quantity", request.quantity)
    if not problem:
        problem = amount_problem("price", request.price)
    if not problem and definition.spec is not None:
        problem = spec_problem(definition, request)
    if not problem and request.key.cid in state.instruments[request.key.instrument].orders:
        problem = f"client order id {request.key.cid} is in use by an active order"
    if not problem and state.numbering.is_past(request.key.cid):
        problem = f"client order id {request.key.cid} was used before"
    return problem


def check_requests(state: EngineState, cancels: object, opens: object, exchanges: int) -> CheckedRequests:
    """Sort requests into those that may be sent and those that may not, keeping their order.

    ``exchanges`` is how many indices of exchanges are taken. Raises InvalidDecision if something is no request at all,
    or one that cannot stand in a tick.
    """
    good_cancels: list[OrderRequestCancel] = []
    good_opens: list[OrderRequestOpen] = []
    bad_cancels: list[RefusedCancel] = []
    bad_opens: list[RefusedOpen] = []
    for cancel in items("cancels", cancels):
        fault = cancel_fault(cancel, exchanges, len(state.instruments))
        if fault or not isinstance(cancel, OrderRequestCancel):
            raise InvalidDecision(fault)
        problem = exchange_problem(state, cancel.key)
        if problem:
            bad_cancels.append(RefusedCancel(cancel, problem))
        else:
            good_cancels.append(cancel)
    seen: set[str] = set()
    for request in items("opens", opens):
        fault = open_fault(request, exchanges, len(state.instruments))
        if fault or not isinstance(request, OrderRequestOpen):
            raise InvalidDecision(fault)
        problem = open_problem(state, request)
        if not problem and request.key.cid and request.key.cid in seen:
            problem = f"client order id {request.key.cid} is used twice in one decision"
        if problem:
            bad_opens.append(RefusedOpen(request, problem))
        else:
            seen.add(request.key.cid)
            good_opens.append(request)
    return CheckedRequests(tuple(good_cancels), tuple(good_opens), tuple(bad_cancels), tuple(bad_opens))


def check_refusals(state: EngineState, cancels: object, opens: object, exchanges: int) -> None:
    """Refuse refusals of a risk manager that cannot stand in a tick; raises InvalidDecision."""
    for cancel in items("cancels_refused", cancels):
        if not isinstance(cancel, RefusedCancel):
            raise InvalidDecision(f"cancels_refused: expected a RefusedCancel, found {type(cancel).__name__}")
        fault = cancel_fault(cancel.request, exchanges, len(state.instruments))
        if fault:
            raise InvalidDecision(fault)
        _check_reason(cancel.reason)
    for request in items("opens_refused", opens):
        if not isinstance(request, RefusedOpen):
            raise InvalidDecision(f"opens_refused: expected a RefusedOpen, found {type(request).__name__}")
        fault = open_fault(request.request, exchanges, len(state.instruments))
        if fault:
            raise InvalidDecision(fault)
        _check_reason(request.reason)


def _check_reason(reason: object) -> None:
    problem = id_problem("reason", reason, may_be_empty=True, length_max=REASON_LENGTH_MAX)
    if problem:
        raise InvalidDecision(problem)


def check_side_effects(state: EngineState, decision: Decision) -> None:
    """Refuse timers and patches of a decision that are not what they should be, or more than a tick can hold.

    Raises InvalidDecision, or PlainError and NumberError for a value that data may not hold.
    """
    timers = items("timers_set", decision.timers_set)
    if len(timers) > TIMERS_MAX:
        raise InvalidDecision(f"timers_set: expected at most {TIMERS_MAX} in one decision, found {len(timers)}")
    if len(timers) + len(state.timers) > ALL_TIMERS_MAX:
        raise InvalidDecision(f"timers_set: expected at most {ALL_TIMERS_MAX} timers in all, found {len(state.timers)}")
    for timer in timers:
        id_, due_ns = _pair("timers_set", "(id, due time in ns)", timer)
        _check_id("timers_set", id_)
        kind = type(due_ns)  # as in _index_fault
        if not isinstance(due_ns, int) or kind is not int or not TIME_NS_MIN <= due_ns <= TIME_NS_MAX:
            raise InvalidDecision(f"timers_set: expected (id, due time in ns), found {told(timer)}")
    for name in items("timers_cleared", decision.timers_cleared):
        _check_id("timers_cleared", name)
    room = PATCHES_SIZE_MAX
    for patch in items("patches", decision.patches):
        key, value = _pair("patches", "(key, value)", patch)
        _check_id("patches", key)
        check_plain(value, str(key))
        room -= plain_size(value)
        if room < 0:
            raise InvalidDecision(f"patches: expected at most {PATCHES_SIZE_MAX} characters in one decision")


def _check_id(name: str, value: object) -> None:
    problem = id_problem(name, value)
    if problem:
        raise InvalidDecision(problem)


def items(name: str, value: object) -> tuple[object, ...]:
    """Return a list or tuple that user code gave; raises InvalidDecision for anything else."""
    kind = type(value)
    if isinstance(value, tuple) and kind is tuple:
        return value
    if isinstance(value, list) and kind is list:
        return tuple(value)  # what is checked must be what is used
    raise InvalidDecision(f"{name}: expected a list or tuple, found {kind.__name__}")


def _pair(name: str, expected: str, value: object) -> tuple[object, object]:
    if not isinstance(value, tuple) or type(value) is not tuple or len(value) != 2:
        raise InvalidDecision(f"{name}: expected {expected}, found {told(value)}")
    return value[0], value[1]
