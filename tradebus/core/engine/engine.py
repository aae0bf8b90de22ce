"""Process one event at a time: take it in, ask strategies and risk manager, record everything in a tick.

A plain function of state, event and time. Nothing is sent, logged or read from outside: the shell journals the tick and
then hands over the requests that stand in it.

Source: barter 0.12.5 ``engine/mod.rs``; the order of steps is the reference's.
"""

from typing import Final, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.action.cancel_orders import cancel_requests
from tradebus.core.engine.action.send import send_cancels, send_opens
from tradebus.core.engine.apply import apply_event, apply_market_event, apply_output
from tradebus.core.engine.audit.plain import copy_plain
from tradebus.core.engine.audit.state_hash import StateHash, hash_state
from tradebus.core.engine.audit.tick import (
    NO_ERRORS,
    NO_OUTPUTS,
    AuditTick,
    DataPatched,
    Halted,
    Origin,
    Output,
    PositionExit,
    RequestsDecided,
    TimerCleared,
    TimerSet,
)
from tradebus.core.engine.check import (
    INDEX_COUNT_MAX,
    CheckedRequests,
    InvalidDecision,
    check_event,
    check_market_event,
    check_refusals,
    check_requests,
    check_side_effects,
)
from tradebus.core.engine.command import CancelOrders, ClosePositions, Command, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.error import EngineError
from tradebus.core.engine.event import (
    AccountReconnecting,
    EngineStarted,
    FeedEnded,
    Shutdown,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState, initial_state
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN, ClientOrderId, ExchangeIndex, StrategyId, client_order_id
from tradebus.core.model.number import context_is_intact, enter_engine_context, restore_engine_context
from tradebus.core.model.order import OrderKey, OrderRequestOpen
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.interface import Decision, Strategy

# Looked up once: reading a member of an enum costs more than all else that an event does here.
_ENABLED: Final = TradingState.ENABLED


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class DecisionChangedState(RuntimeError):
    """A decision mutated the state, which only data may; found in debug mode by the state hash."""


@final
class Engine:
    """The engine: the single writer of a trading state.

    ``start`` gives the record that begins it; ``process`` gives a tick for each event. ``sequence`` is that of the
    first tick (0 in an empty journal), ``epoch`` the journal's number of the start record; both are part of the ids of
    orders. With ``is_debug`` the state is hashed before and after each decision, and a decision that changed it raises.
    """

    def __init__(
        self,
        started: EngineStarted,
        strategies: list[Strategy],
        risk: RiskManager,
        *,
        sequence: int = 0,
        epoch: int = 1,
        is_debug: bool = False,
    ) -> None:
        enter_engine_context()
        if [strategy.id for strategy in strategies] != [setup.id for setup in started.strategies]:
            raise ValueError(
                f"expected strategies {[setup.id for setup in started.strategies]}, "
                f"found {[strategy.id for strategy in strategies]}"
            )
        self.started: Final = started
        self.state: Final[EngineState] = initial_state(started, [strategy.initial_data() for strategy in strategies])
        self.sequence = sequence
        self.time_ns = 0
        self.epoch: Final = epoch
        self._first: Final = sequence
        self._strategies: Final = strategies
        self._risk: Final = risk
        self._is_debug: Final = is_debug
        self._outputs: list[Output] = []
        self._errors: list[EngineError] = []
        self._ordinal = 0

    def start(self, now_ns: int) -> AuditTick:
        """Return the record that begins the journal; must be the first tick."""
        if self.sequence != self._first:
            raise ValueError(f"expected to start at sequence {self._first}, found {self.sequence}")
        return self._tick(self.started, now_ns)

    def hash(self) -> StateHash:
        """Return the hash of the state."""
        return hash_state(self.state)

    def next_timer_due_ns(self) -> int | None:
        """Return when the first timer is due, none if none is set."""
        timers = self.state.timers
        return timers[0].due_ns if timers else None

    def process(self, event: EngineEvent, now_ns: int) -> AuditTick:
        """Take in an event at a time and return the tick of it.

        Engine time never goes backwards: an earlier ``now_ns`` counts as the last one. Raises InvalidEvent, changing
        nothing, for an event whose indices do not fit.
        """
        if not context_is_intact():
            restore_engine_context()
        state = self.state
        self._ordinal = 0
        if isinstance(event, MarketEvent):
            check_market_event(state, event)
            if now_ns > self.time_ns:
                self.time_ns = now_ns
            apply_market_event(state, event)
        else:
            check_event(state, event)
            if now_ns > self.time_ns:
                self.time_ns = now_ns
            if isinstance(event, Shutdown | FeedEnded):
                return self._tick(event, now_ns)
            self._process_other(event)
        if not self._errors:
            self._report_failures()
            if state.trading is _ENABLED:
                self._generate_algo_orders(event)
        return self._tick(event, now_ns)

    def _tick(self, event: EngineEvent, now_ns: int) -> AuditTick:
        if now_ns > self.time_ns:
            self.time_ns = now_ns
        outputs = NO_OUTPUTS
        errors = NO_ERRORS
        if self._outputs:
            outputs = tuple(self._outputs)
            self._outputs = []
        if self._errors:
            errors = tuple(self._errors)
            self._errors = []
        tick = AuditTick(self.sequence, self.time_ns, event, outputs, errors)
        self.sequence += 1
        return tick

    def _emit(self, output: Output) -> None:
        apply_output(self.state, output)
        self._outputs.append(output)

    def _process_other(self, event: EngineEvent) -> None:
        if isinstance(event, Command):
            self._process_command(event)
            return
        before = self.state.trading
        exited = apply_event(self.state, event)
        if exited is not None:
            self._emit(PositionExit(exited))
        if isinstance(event, TradingStateUpdate):
            if before is TradingState.ENABLED and event.state is TradingState.DISABLED:
                self._call_hooks(Origin.TRADING_DISABLED, None)
        elif isinstance(event, MarketReconnecting):
            self._call_hooks(Origin.MARKET_DISCONNECT, event.exchange)
        elif isinstance(event, AccountReconnecting):
            self._call_hooks(Origin.ACCOUNT_DISCONNECT, event.exchange)

    def _process_command(self, command: Command) -> None:
        action = command.action
        if isinstance(action, SendOpenRequests):
            self._handle(Origin.COMMAND_OPEN_ORDERS, STRATEGY_UNKNOWN, Decision((), action.requests))
        elif isinstance(action, SendCancelRequests):
            self._handle(Origin.COMMAND_CANCEL_ORDERS, STRATEGY_UNKNOWN, Decision(action.requests))
        elif isinstance(action, CancelOrders):
            decision = Decision(cancel_requests(self.state, action.filter))
            self._handle(Origin.COMMAND_CANCEL_ORDERS, STRATEGY_UNKNOWN, decision)
        elif isinstance(action, ClosePositions):
            # Positions are net over all strategies, so one of them closes: the first.
            strategy = self._strategies[0] if self._strategies else Strategy()
            before = self._hash_in_debug()
            answer: Decision | None = None
            reason = ""
            try:
                answer = _checked_answer(strategy.close_positions_requests(self.state, action.filter))
            except Exception as error:  # noqa: BLE001 - user code may raise anything; it stands in the tick
                reason = _failure("close_positions_requests", error)
            self._finish(Origin.COMMAND_CLOSE_POSITIONS, strategy.id, answer, reason, before)

    def _call_hooks(self, origin: Origin, exchange: ExchangeIndex | None) -> None:
        for i, strategy in enumerate(self._strategies):
            if self.state.strategies[i].failure:
                continue
            before = self._hash_in_debug()
            answer: Decision | None = None
            reason = ""
            try:
                if exchange is None:
                    answer = _checked_answer(strategy.on_trading_disabled(self.state))
                else:
                    answer = _checked_answer(strategy.on_disconnect(self.state, exchange))
            except Exception as error:  # noqa: BLE001 - as above
                reason = _failure(f"the hook for {origin.name.lower()}", error)
            self._finish(origin, strategy.id, answer, reason, before)

    def _generate_algo_orders(self, event: EngineEvent) -> None:
        state = self.state
        for i, strategy in enumerate(self._strategies):
            if not state.strategies[i].failure:
                before = self._hash_in_debug()
                answer: Decision | None = None
                reason = ""
                try:
                    answer = _checked_answer(strategy.generate_algo_orders(state, event))
                except Exception as error:  # noqa: BLE001 - as above
                    reason = _failure("generate_algo_orders", error)
                if answer is not None or reason or before is not None or not context_is_intact():
                    self._finish(Origin.ALGO, strategy.id, answer, reason, before)
                    if state.trading is not _ENABLED:
                        return  # one strategy's failure has just switched trading off for all

    def _finish(
        self, origin: Origin, strategy: StrategyId, answer: Decision | None, reason: str, before: StateHash | None
    ) -> None:
        if before is not None and before != hash_state(self.state):
            raise DecisionChangedState(
                f"strategy {strategy!r} changed the state while deciding ({origin.name.lower()})"
            )
        if not context_is_intact():
            restore_engine_context()
            reason = reason or "changed the decimal context"
        if reason:
            self._emit(Halted(strategy, reason))
            return
        if answer is not None:
            self._handle(origin, strategy, answer)
        elif origin is not Origin.ALGO:
            self._handle(origin, strategy, Decision())

    def _handle(self, origin: Origin, strategy: StrategyId, decision: Decision) -> None:
        state = self.state
        exchanges = len(state.connectivity)
        if origin is Origin.COMMAND_OPEN_ORDERS or origin is Origin.COMMAND_CANCEL_ORDERS:
            exchanges = INDEX_COUNT_MAX
        try:
            check_side_effects(decision)
            checked = check_requests(state, decision.cancels, decision.opens, exchanges)
            checked = self._with_ids(checked)
            if origin is Origin.ALGO and (checked.cancels or checked.opens):
                checked = self._with_ids(self._judge(checked, exchanges))
        except DecisionChangedState:
            raise
        except Exception as error:  # noqa: BLE001 - user code may answer or raise anything; it stands in the tick
            restore_engine_context()
            self._emit(Halted(strategy, _failure("the decision", error)))
            return
        cancels_sent, cancels_failed = send_cancels(state, checked.cancels)
        opens_sent, opens_failed = send_opens(state, checked.opens)
        decided = RequestsDecided(
            origin,
            strategy,
            cancels_sent,
            opens_sent,
            cancels_failed,
            opens_failed,
            checked.cancels_refused,
            checked.opens_refused,
        )
        if origin is not Origin.ALGO or not _is_empty(decided):
            self._emit(decided)
        for cancel_failed in cancels_failed:
            if not cancel_failed.error.is_recoverable:
                self._errors.append(cancel_failed.error)
        for open_failed in opens_failed:
            if not open_failed.error.is_recoverable:
                self._errors.append(open_failed.error)
        for id_, due_ns in decision.timers_set:
            self._emit(TimerSet(strategy, id_, due_ns))
        for id_ in decision.timers_cleared:
            self._emit(TimerCleared(strategy, id_))
        for key, value in decision.patches:
            self._emit(DataPatched(strategy, key, copy_plain(value)))
        self._report_failures()

    def _judge(self, checked: CheckedRequests, exchanges: int) -> CheckedRequests:
        """Ask the risk manager; what it answers is checked like a decision."""
        state = self.state
        before = self._hash_in_debug()
        judged = self._risk.check(state, checked.cancels, checked.opens)
        if before is not None and before != hash_state(state):
            raise DecisionChangedState("the risk manager changed the state while judging")
        if not context_is_intact():
            restore_engine_context()
            raise InvalidDecision("the risk manager changed the decimal context")
        if not isinstance(judged, RiskDecision):
            raise InvalidDecision(f"expected a RiskDecision, found {type(judged).__name__}")
        if (
            judged.cancels is checked.cancels
            and judged.opens is checked.opens
            and not (judged.cancels_refused or judged.opens_refused)
        ):
            return checked
        check_refusals(state, judged.cancels_refused, judged.opens_refused, exchanges)
        again = check_requests(state, judged.cancels, judged.opens, exchanges)
        return CheckedRequests(
            again.cancels,
            again.opens,
            (*checked.cancels_refused, *judged.cancels_refused, *again.cancels_refused),
            (*checked.opens_refused, *judged.opens_refused, *again.opens_refused),
        )

    def _with_ids(self, checked: CheckedRequests) -> CheckedRequests:
        """Give the requests without a client order id theirs, passing over ids that are in use."""
        named: list[OrderRequestOpen] = []
        chosen = {request.key.cid for request in checked.opens}
        for request in checked.opens:
            key = request.key
            if key.cid:
                named.append(request)
                continue
            cid = self._next_id()
            while cid in chosen or cid in self.state.instruments[key.instrument].orders:
                cid = self._next_id()
            named.append(
                OrderRequestOpen(
                    OrderKey(key.exchange, key.instrument, key.strategy, cid),
                    request.side,
                    request.price,
                    request.quantity,
                    request.kind,
                    request.time_in_force,
                )
            )
        return CheckedRequests(checked.cancels, tuple(named), checked.cancels_refused, checked.opens_refused)

    def _next_id(self) -> ClientOrderId:
        cid = client_order_id(self.started.engine_id, self.epoch, self.sequence, self._ordinal)
        self._ordinal += 1
        return cid

    def _report_failures(self) -> None:
        for strategy in self.state.strategies:
            if strategy.failure and not strategy.is_halted:
                self._emit(Halted(strategy.setup.id, strategy.failure))

    def _hash_in_debug(self) -> StateHash | None:
        return hash_state(self.state) if self._is_debug else None


def _checked_answer(answer: object) -> Decision | None:
    """Return what a strategy answered; raises TypeError for anything but a decision or none.

    The compiled core raises the same at the call itself, in these words.
    """
    if answer is None or isinstance(answer, Decision):
        return answer
    raise TypeError(f"tradebus.core.strategy.interface.Decision or None object expected; got {type(answer).__name__}")


def _failure(where: str, error: Exception) -> str:
    try:
        text = str(error).encode(errors="backslashreplace").decode()
    except Exception:  # noqa: BLE001 - an error of user code need not even have a text
        text = "(it has no text)"
    return f"{where} raised {type(error).__name__}: {text}"[:500]


def _is_empty(decided: RequestsDecided) -> bool:
    return not (
        decided.cancels_sent
        or decided.opens_sent
        or decided.cancels_failed
        or decided.opens_failed
        or decided.cancels_refused
        or decided.opens_refused
    )
