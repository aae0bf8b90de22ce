"""Turn what user code answered into outputs: checked, named, judged, handed over or refused, and applied."""

from typing import Final, final

from tradebus.core.engine.action.send import (
    send_amends,
    send_cancels,
    send_opens,
)
from tradebus.core.engine.amending import check_amends, judge_amends
from tradebus.core.engine.answers import DecisionChangedState, failure
from tradebus.core.engine.apply import apply_output
from tradebus.core.engine.apply_user import has_user_data, unreported_failures
from tradebus.core.engine.audit.plain import copy_plain
from tradebus.core.engine.audit.state_hash import StateHash, hash_state
from tradebus.core.engine.audit.tick import (
    DataPatched,
    Halted,
    Origin,
    Output,
    RefusedAmend,
    RefusedOpen,
    RequestsDecided,
    RiskOverridden,
    TimerCleared,
    TimerSet,
)
from tradebus.core.engine.check import (
    INDEX_COUNT_MAX,
    CheckedRequests,
    check_requests,
    check_side_effects,
)
from tradebus.core.engine.error import EngineError
from tradebus.core.engine.judging import judge
from tradebus.core.engine.naming import OrderNames
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import RISK_MANAGER, StrategyId
from tradebus.core.model.number import context_is_intact, restore_engine_context
from tradebus.core.model.order import (
    OrderRequestAmend,
    OrderRequestCancel,
)
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Decision

_OPERATORS: Final = (Origin.COMMAND_OPEN_ORDERS, Origin.COMMAND_CANCEL_ORDERS, Origin.COMMAND_AMEND_ORDERS)


@final
class Question:
    """What is decided: at which step, what for, and by whom (``unknown`` for an operator's command).

    ``override_risk`` says that what the risk manager refuses leaves all the same.
    """

    def __init__(self, sequence: int, origin: Origin, strategy: StrategyId, override_risk: bool = False) -> None:
        self.sequence: Final = sequence
        self.origin: Final = origin
        self.strategy: Final = strategy
        self.override_risk: Final = override_risk


@final
class Decider:
    """Makes the outputs of a step, applying each as it is made, and collects the errors that end the engine.

    Failures of user code become outputs too: trading goes off, events are still processed. ``switched_off`` tells that
    one of them did that in this step.
    """

    def __init__(self, state: EngineState, risk: RiskManager, names: OrderNames, *, is_debug: bool) -> None:
        self.state: Final = state
        self.outputs: list[Output] = []
        self.errors: list[EngineError] = []
        self.switched_off = False
        self.risk = risk
        self._names: Final = names
        self._is_debug: Final = is_debug
        self._has_user_data: Final = has_user_data(state)

    def emit(self, output: Output) -> None:
        """Make an output: the state takes it in, the tick will say it."""
        if isinstance(output, Halted) and self.state.trading is TradingState.ENABLED:
            self.switched_off = True
        apply_output(self.state, output)
        self.outputs.append(output)

    def hash_in_debug(self) -> StateHash | None:
        """Return the state's hash before user code is asked; none but in debug mode."""
        return hash_state(self.state) if self._is_debug else None

    def report_failures(self) -> None:
        """Say which strategies' and which user-defined data have failed, each once."""
        state = self.state
        for strategy in state.strategies:
            if strategy.failure and not strategy.is_halted:
                self.emit(Halted(strategy.setup.id, strategy.failure))
        if self._has_user_data:
            for halted in unreported_failures(state):
                self.emit(halted)

    def answered(self, question: Question, answer: Decision | None, reason: str, before: StateHash | None) -> None:
        """Take what a strategy answered, or the reason why there is no answer; raises DecisionChangedState."""
        if before is not None and before != hash_state(self.state):
            raise DecisionChangedState(
                f"strategy {question.strategy!r} changed the state while deciding ({question.origin.name.lower()})"
            )
        if not context_is_intact():
            restore_engine_context()
            reason = reason or "changed the decimal context"
        if reason:
            self.emit(Halted(question.strategy, reason))
        elif answer is not None:
            self.decide(question, answer)
        elif question.origin is not Origin.ALGO:
            self.decide(question, Decision())

    def decide(self, question: Question, decision: Decision) -> None:
        """Carry a decision out; one that makes no sense halts its strategy and nothing of it happens."""
        state = self.state
        exchanges = len(state.connectivity)
        if question.origin in _OPERATORS:
            exchanges = INDEX_COUNT_MAX
        try:
            check_side_effects(state, decision)
            checked = check_requests(state, decision.cancels, decision.opens, exchanges)
            amends, amends_refused = check_amends(state, decision.amends, exchanges)
        except Exception as error:  # noqa: BLE001 - user code may answer anything; it stands in the tick
            restore_engine_context()
            self.emit(Halted(question.strategy, failure("the decision", error)))
            return
        checked = self._names.name(state, checked, question.sequence)
        risk_failure = ""
        if checked.opens or (checked.cancels and question.origin is Origin.ALGO):
            judged, risk_failure = self._judge(question, checked, exchanges)
            checked = self._names.name(state, judged, question.sequence)
        if amends:
            amends, refused, amends_failure = self._judge_amends(question, amends, exchanges)
            amends_refused = (*amends_refused, *refused)
            risk_failure = risk_failure or amends_failure
        self._hand_over(question, checked, amends, amends_refused)
        self._take_side_effects(question.strategy, decision)
        if risk_failure:
            self.emit(Halted(RISK_MANAGER, risk_failure))
        self.report_failures()

    def _judge(self, question: Question, checked: CheckedRequests, exchanges: int) -> tuple[CheckedRequests, str]:
        """Return what the risk manager lets pass, and how it failed (empty if it did not).

        It is asked about everything that algorithms decide, and about the orders of commands and hooks: their cancels
        always pass. Where it fails no order passes.
        """
        kept: tuple[OrderRequestCancel, ...] = ()
        asked = checked
        if question.origin is not Origin.ALGO:
            kept = checked.cancels
            asked = CheckedRequests((), checked.opens, checked.cancels_refused, checked.opens_refused)
        reason = ""
        try:
            judged = judge(self.state, self.risk, asked, exchanges, is_debug=self._is_debug)
        except DecisionChangedState:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            restore_engine_context()
            reason = failure("the risk manager", error)
            judged = _refuse_opens(asked, reason)
        if question.override_risk:
            overridden = judged.opens_refused[len(checked.opens_refused) :]
            if overridden:
                self.emit(RiskOverridden(overridden))
            return checked, reason
        if kept:
            cancels = (*kept, *judged.cancels)
            judged = CheckedRequests(cancels, judged.opens, judged.cancels_refused, judged.opens_refused)
        return judged, reason

    def _judge_amends(
        self, question: Question, amends: tuple[OrderRequestAmend, ...], exchanges: int
    ) -> tuple[tuple[OrderRequestAmend, ...], tuple[RefusedAmend, ...], str]:
        """Return the amends that the risk manager lets pass, those it refuses, and how it failed; then none passes."""
        reason = ""
        try:
            passed, refused = judge_amends(self.state, self.risk, amends, exchanges, is_debug=self._is_debug)
        except DecisionChangedState:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            restore_engine_context()
            reason = failure("the risk manager", error)
            passed, refused = (), tuple([RefusedAmend(request, reason) for request in amends])
        if question.override_risk:
            if refused:
                self.emit(RiskOverridden((), refused))
            return amends, (), reason
        return passed, refused, reason

    def _hand_over(
        self,
        question: Question,
        checked: CheckedRequests,
        amends: tuple[OrderRequestAmend, ...],
        amends_refused: tuple[RefusedAmend, ...],
    ) -> None:
        cancels_sent, cancels_failed = send_cancels(self.state, checked.cancels)
        amends_sent, amends_failed = send_amends(self.state, amends)
        opens_sent, opens_failed = send_opens(self.state, checked.opens)
        decided = RequestsDecided(
            question.origin,
            question.strategy,
            cancels_sent,
            opens_sent,
            cancels_failed,
            opens_failed,
            checked.cancels_refused,
            checked.opens_refused,
            amends_sent,
            amends_failed,
            amends_refused,
        )
        if question.origin is not Origin.ALGO or not _is_empty(decided):
            self.emit(decided)
        for cancel_failed in cancels_failed:
            if not cancel_failed.error.is_recoverable:
                self.errors.append(cancel_failed.error)
        for amend_failed in amends_failed:
            if not amend_failed.error.is_recoverable:
                self.errors.append(amend_failed.error)
        for open_failed in opens_failed:
            if not open_failed.error.is_recoverable:
                self.errors.append(open_failed.error)

    def _take_side_effects(self, strategy: StrategyId, decision: Decision) -> None:
        for id_, due_ns in decision.timers_set:
            self.emit(TimerSet(strategy, id_, due_ns))
        for id_ in decision.timers_cleared:
            self.emit(TimerCleared(strategy, id_))
        for key, value in decision.patches:
            self.emit(DataPatched(strategy, key, copy_plain(value)))


def _refuse_opens(checked: CheckedRequests, reason: str) -> CheckedRequests:
    refused = tuple([RefusedOpen(request, reason) for request in checked.opens])
    return CheckedRequests(checked.cancels, (), checked.cancels_refused, (*checked.opens_refused, *refused))


def _is_empty(decided: RequestsDecided) -> bool:
    return not (
        decided.cancels_sent
        or decided.opens_sent
        or decided.cancels_failed
        or decided.opens_failed
        or decided.cancels_refused
        or decided.opens_refused
        or decided.amends_sent
        or decided.amends_failed
        or decided.amends_refused
    )
