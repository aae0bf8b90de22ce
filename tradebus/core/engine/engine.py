"""Process one event at a time: take it in, ask strategies and risk manager, record everything in a tick.

A plain function of state, event and time. Nothing is sent, logged or read from outside: the shell journals the tick and
then hands over the requests that stand in it.

Source: barter 0.12.5 ``engine/mod.rs``; the order of steps is the reference's.
"""

from typing import Final, NoReturn, final

from tradebus.core.engine.action.cancel_orders import cancel_requests
from tradebus.core.engine.action.close_positions import close_positions
from tradebus.core.engine.answers import checked_answer, failure
from tradebus.core.engine.apply import apply_event, apply_market_event
from tradebus.core.engine.apply_resumed import apply_resumed
from tradebus.core.engine.apply_user import is_reserved, unknown_user_data
from tradebus.core.engine.audit.state_hash import StateHash, StateHasher
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick, Halted, Origin, PositionExit
from tradebus.core.engine.check import check_event, check_market_event, check_market_numbers
from tradebus.core.engine.command import (
    CancelOrders,
    ClosePositions,
    Command,
    SendAmendRequests,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.configuring import Makers, RiskFactory, StrategyFactory
from tradebus.core.engine.data_faults import data_faults
from tradebus.core.engine.deciding import Decider, Question
from tradebus.core.engine.event import (
    AccountReconnecting,
    EngineStarted,
    FeedEnded,
    Shutdown,
    StrategySetup,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.naming import OrderNames
from tradebus.core.engine.resume import check_resumable, check_resumed
from tradebus.core.engine.resumed import CodeChanged, EngineResumed
from tradebus.core.engine.state.engine_state import EngineState, initial_state
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.engine.state.user_setup import UserDataFactory, no_user_data
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import RISK_MANAGER, STRATEGY_UNKNOWN, ExchangeIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import context_is_intact, enter_engine_context, restore_engine_context
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Decision, Strategy

# Looked up once: reading a member of an enum costs more than all else that an event does here.
_ENABLED: Final = TradingState.ENABLED


@final
class Engine:
    """The engine: the single writer of a trading state.

    ``start`` gives the record that begins it; ``process`` gives a tick for each event. ``sequence`` is that of the
    first tick (0 in an empty journal), ``epoch`` the journal's number of the start record; both are part of the ids of
    orders. With ``is_debug`` the state is hashed before and after each decision, and a decision that changed it raises.
    In debug mode, and with ``checks_numbers``, the numbers of market events are checked too: for feeds that did not
    come over the wire, where decoding does it. ``make_strategy`` and ``make_risk`` make new ones when a
    ``ConfigChanged`` brings new parameters.
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
        make_strategy: StrategyFactory | None = None,
        make_risk: RiskFactory | None = None,
        state: EngineState | None = None,
        time_ns: int = 0,
        checks_numbers: bool = False,
        make_user_data: UserDataFactory = no_user_data,
        is_new_run: bool = False,
    ) -> None:
        enter_engine_context()
        ids = [strategy.id for strategy in strategies]
        if ids != [setup.id for setup in started.strategies]:
            raise ValueError(f"expected strategies {[setup.id for setup in started.strategies]}, found {ids}")
        for name in ids:
            if ids.count(name) > 1:
                raise ValueError(f"expected a strategy {name!r} once, found it {ids.count(name)} times")
            if name == RISK_MANAGER or is_reserved(name):
                raise ValueError(f"expected another id for a strategy than {name!r}")
        self.started: Final = started
        if state is None:
            state = initial_state(started, [strategy.initial_data() for strategy in strategies], make_user_data)
            unknown = unknown_user_data(state)
            if unknown:
                raise ValueError(f"expected a class for each user-defined data, found none for {unknown}")
            for fault in data_faults(state):
                raise ValueError(f"{fault.strategy}: what is remembered at first cannot be kept: {fault.reason}")
            self._first: int | None = sequence
        elif is_new_run:
            check_resumed(state, started)
            self._first = sequence
        else:
            check_resumable(state, started)
            self._first = None
        self._is_resuming: Final = is_new_run
        self._make_user_data: Final = make_user_data
        self.state: Final[EngineState] = state
        self.sequence = sequence
        if time_ns > state.time_ns:
            state.time_ns = time_ns
        self.epoch: Final = epoch
        self._strategies: Final = list(strategies)
        self._makers: Final = Makers(make_strategy, make_risk)
        self._hasher: Final = StateHasher()
        self._checks_numbers: Final = checks_numbers or is_debug
        self._is_debug: Final = is_debug
        self._data_faults: list[Halted] = []
        names = OrderNames(started.engine_id, epoch)
        self._decider: Final = Decider(self.state, risk, names, is_debug=is_debug)

    @staticmethod
    def resume(
        started: EngineStarted,
        strategies: list[Strategy],
        risk: RiskManager,
        state: EngineState,
        *,
        sequence: int,
        time_ns: int,
        epoch: int = 1,
        is_debug: bool = False,
        make_strategy: StrategyFactory | None = None,
        make_risk: RiskFactory | None = None,
    ) -> "Engine":
        """Return an engine that goes on from a state, such as a snapshot's, and makes the ticks that would have come.

        ``sequence`` and ``time_ns`` are those of the last tick in the state. The journal has its start record, so
        ``start`` is not called. Strategies and risk manager are made from the setups in the state, whose parameters may
        have changed. Raises CannotResume for a state of other strategies, or without what they remember.
        """
        return Engine(
            started,
            strategies,
            risk,
            sequence=sequence + 1,
            epoch=epoch,
            is_debug=is_debug,
            make_strategy=make_strategy,
            make_risk=make_risk,
            state=state,
            time_ns=time_ns,
        )

    @staticmethod
    def restart(
        started: EngineStarted,
        strategies: list[Strategy],
        risk: RiskManager,
        state: EngineState,
        *,
        sequence: int,
        time_ns: int,
        epoch: int,
        is_debug: bool = False,
        make_strategy: StrategyFactory | None = None,
        make_risk: RiskFactory | None = None,
        make_user_data: UserDataFactory = no_user_data,
    ) -> "Engine":
        """Return an engine of a new run that goes on from the state at the end of a journal; ``start`` it first.

        Its start record may have more instruments, other strategies, risk checks and parameters than the state.
        ``sequence`` and ``time_ns`` are those of the last tick in the state. Raises CannotResume.
        """
        return Engine(
            started,
            strategies,
            risk,
            sequence=sequence + 1,
            epoch=epoch,
            is_debug=is_debug,
            make_strategy=make_strategy,
            make_risk=make_risk,
            state=state,
            time_ns=time_ns,
            make_user_data=make_user_data,
            is_new_run=True,
        )

    def start(self, now_ns: int) -> AuditTick:
        """Return the record that begins the journal, or this run in it; must be the first tick.

        Raises what a user's class raises that cannot be made, and then nothing has changed.
        """
        if self._first is None:
            raise ValueError(f"expected to go on at sequence {self.sequence}: a resumed engine has its start record")
        if self.sequence != self._first:
            raise ValueError(f"expected to start at sequence {self._first}, found {self.sequence}")
        if not self._is_resuming:
            return self._tick(self.started, now_ns)
        apply_resumed(self.state, self.started, self._first_data, self._make_user_data)
        return self._tick(EngineResumed(self.started), now_ns)

    @property
    def time_ns(self) -> int:
        """Return engine time: the latest that any step was made at."""
        return self.state.time_ns

    def hash(self) -> StateHash:
        """Return the hash of the state; data that cannot be hashed fails in the next tick."""
        found = self._hasher.hash(self.state)
        if not found.user:
            self._data_faults = data_faults(self.state)
        return found

    def __reduce__(self) -> NoReturn:
        """Refuse copy and pickle: two engines of one journal would be two writers."""
        raise TypeError("Engine: take a snapshot of its state and resume from it instead of copying the engine")

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
        if isinstance(event, MarketEvent):
            check_market_event(state, event)
            if self._checks_numbers:
                check_market_numbers(event)
            if now_ns > state.time_ns:
                state.time_ns = now_ns
            apply_market_event(state, event)
        else:
            check_event(state, event)
            if isinstance(event, ConfigChanged):
                self._remake(event)
            if now_ns > state.time_ns:
                state.time_ns = now_ns
            if isinstance(event, (Shutdown, FeedEnded)):
                apply_event(state, event)
                return self._tick(event, now_ns)
            self._process_other(event)
            if self._decider.errors:
                return self._tick(event, now_ns)
        if self._is_debug:
            self._data_faults = data_faults(state)
        if self._data_faults:
            for fault in self._data_faults:
                self._decider.emit(fault)
            self._data_faults = []
        self._decider.report_failures()
        if state.trading is _ENABLED:
            self._generate_algo_orders(event)
        return self._tick(event, now_ns)

    def _tick(self, event: EngineEvent, now_ns: int) -> AuditTick:
        state = self.state
        if now_ns > state.time_ns:
            state.time_ns = now_ns
        decider = self._decider
        outputs = NO_OUTPUTS
        errors = NO_ERRORS
        if decider.outputs:
            if decider.switched_off:
                self._tell_switched_off()
            outputs = tuple(decider.outputs)
            decider.outputs = []
            if decider.errors:
                errors = tuple(decider.errors)
                decider.errors = []
        tick = AuditTick(self.sequence, state.time_ns, event, outputs, errors)
        self.sequence += 1
        return tick

    def _process_other(self, event: EngineEvent) -> None:
        if isinstance(event, Command):
            apply_event(self.state, event)
            self._process_command(event)
            return
        before = self.state.trading
        exited = apply_event(self.state, event)
        if exited is not None:
            self._decider.emit(PositionExit(exited))
        if isinstance(event, TradingStateUpdate):
            if before is TradingState.ENABLED and event.state is TradingState.DISABLED:
                self._call_hooks(Origin.TRADING_DISABLED, None)
        elif isinstance(event, CodeChanged):
            if before is TradingState.ENABLED and event.state_differs:
                self._call_hooks(Origin.TRADING_DISABLED, None)
        elif isinstance(event, MarketReconnecting):
            self._call_hooks(Origin.MARKET_DISCONNECT, event.exchange)
        elif isinstance(event, AccountReconnecting):
            self._call_hooks(Origin.ACCOUNT_DISCONNECT, event.exchange)

    def _first_data(self, setup: StrategySetup, index: IndexedInstruments) -> StrategyData | None:  # noqa: ARG002 - as every factory
        for strategy in self._strategies:
            if strategy.id == setup.id:
                return strategy.initial_data()
        raise ValueError(f"expected one of the strategies {[s.id for s in self._strategies]}, found {setup.id!r}")

    def _remake(self, event: ConfigChanged) -> None:
        """Make anew what gets other parameters: all of it or, with InvalidEvent, nothing."""
        strategies = self._makers.strategies(self.state, event)
        risk = self._makers.risk(self.state, event)
        for place, strategy in strategies:
            self._strategies[place] = strategy
        if risk is not None:
            self._decider.risk = risk

    def _process_command(self, command: Command) -> None:
        action = command.action
        if isinstance(action, SendOpenRequests):
            question = Question(self.sequence, Origin.COMMAND_OPEN_ORDERS, STRATEGY_UNKNOWN, action.override_risk)
            self._decider.decide(question, Decision((), action.requests))
        elif isinstance(action, SendAmendRequests):
            question = Question(self.sequence, Origin.COMMAND_AMEND_ORDERS, STRATEGY_UNKNOWN, action.override_risk)
            self._decider.decide(question, Decision(amends=action.requests))
        elif isinstance(action, ClosePositions):
            close_positions(self._decider, self._strategies, action, self.sequence)
        else:
            question = Question(self.sequence, Origin.COMMAND_CANCEL_ORDERS, STRATEGY_UNKNOWN)
            if isinstance(action, SendCancelRequests):
                self._decider.decide(question, Decision(action.requests))
            elif isinstance(action, CancelOrders):
                self._decider.decide(question, Decision(cancel_requests(self.state, action.filter)))

    def _tell_switched_off(self) -> None:
        """Tell the strategies that did not fail that one, or the risk manager, has just switched trading off.

        Once: whatever fails while they are told finds trading off already.
        """
        self._decider.switched_off = False
        self._call_hooks(Origin.TRADING_DISABLED, None)

    def _call_hooks(self, origin: Origin, exchange: ExchangeIndex | None) -> None:
        for i, strategy in enumerate(self._strategies):
            if self.state.strategies[i].failure:
                continue
            before = self._decider.hash_in_debug()
            answer: Decision | None = None
            reason = ""
            try:
                if exchange is None:
                    answer = checked_answer(strategy.on_trading_disabled(self.state))
                else:
                    answer = checked_answer(strategy.on_disconnect(self.state, exchange))
            except Exception as error:  # noqa: BLE001 - as above
                reason = failure(f"the hook for {origin.name.lower()}", error)
            # Not the strategy's own `id`: that is user code, and may fail or change.
            name = self.state.strategies[i].setup.id
            self._decider.answered(Question(self.sequence, origin, name), answer, reason, before)

    def _generate_algo_orders(self, event: EngineEvent) -> None:
        state = self.state
        decider = self._decider
        for i, strategy in enumerate(self._strategies):
            if not state.strategies[i].failure:
                before = decider.hash_in_debug()
                answer: Decision | None = None
                reason = ""
                try:
                    answer = checked_answer(strategy.generate_algo_orders(state, event))
                except Exception as error:  # noqa: BLE001 - as above
                    reason = failure("generate_algo_orders", error)
                if answer is not None or reason or before is not None or not context_is_intact():
                    question = Question(self.sequence, Origin.ALGO, state.strategies[i].setup.id)
                    decider.answered(question, answer, reason, before)
                    if state.trading is not _ENABLED:
                        return  # one strategy's failure has just switched trading off for all
