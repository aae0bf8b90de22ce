"""The risk manager: what it approves goes out, what it refuses stands in the tick, and its answer is checked too."""

from collections.abc import Callable
from decimal import Decimal, getcontext
from typing import Any

import pytest

from tests.support.builders import BTC, cancel_of, open_request, public_trade
from tests.support.scenario import Memory, Scripted, answer_once, decided, follow, halted, opens_sent
from tradebus.core.engine.answers import DecisionChangedState
from tradebus.core.engine.audit.tick import Origin, RefusedCancel, RefusedOpen, RequestsDecided
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.number import context_is_intact
from tradebus.core.model.order import OrderRequestCancel, OrderRequestOpen
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.interface import Decision

Cancels = tuple[OrderRequestCancel, ...]
Opens = tuple[OrderRequestOpen, ...]


class Judge(RiskManager):
    """Judges as a function says."""

    def __init__(self, judge: Callable[[EngineState, Cancels, Opens], Any]) -> None:
        self._judge = judge
        self.asked: list[tuple[Cancels, Opens]] = []

    def check(self, state: EngineState, cancels: Cancels, opens: Opens) -> RiskDecision:
        self.asked.append((cancels, opens))
        decision: RiskDecision = self._judge(state, cancels, opens)
        return decision


DECISION = Decision([cancel_of("x")], [open_request("a"), open_request("")])


def approve(_state: EngineState, cancels: Cancels, opens: Opens) -> RiskDecision:
    return RiskDecision(cancels, opens, (), ())


def test_the_base_approves_everything() -> None:
    output = decided(follow(Scripted(answer_once(DECISION))).process(public_trade()))
    assert (len(output.cancels_sent), len(output.opens_sent), output.opens_refused) == (1, 2, ())


def test_it_is_asked_about_requests_with_their_ids_and_only_when_there_are_some() -> None:
    judge = Judge(approve)
    followed = follow(Scripted(answer_once(DECISION)), risk=judge)
    followed.process(public_trade())
    followed.process(public_trade())
    ((cancels, opens),) = judge.asked
    assert [request.key.cid for request in cancels] == ["x"]
    assert [request.key.cid for request in opens] == ["a", "teste1s1n0"]


def test_it_is_not_asked_about_what_is_refused_anyway() -> None:
    judge = Judge(approve)
    followed = follow(Scripted(answer_once(Decision((), [open_request(price=0)]))), risk=judge)
    assert len(decided(followed.process(public_trade())).opens_refused) == 1
    assert judge.asked == []


def test_what_it_refuses_stands_in_the_tick_with_the_reason_after_what_was_refused_before() -> None:
    def refuse(_state: EngineState, cancels: Cancels, opens: Opens) -> RiskDecision:
        refused = (RefusedCancel(cancels[0], "keep it"),)
        return RiskDecision((), opens[1:], refused, (RefusedOpen(opens[0], "too much"),))

    decision = Decision([cancel_of("x")], [open_request(quantity=0), open_request("a"), open_request("b")])
    followed = follow(Scripted(answer_once(decision)), risk=Judge(refuse))
    output = decided(followed.process(public_trade()))
    assert [request.key.cid for request in output.opens_sent] == ["b"]
    assert [refused.reason for refused in output.cancels_refused] == ["keep it"]
    assert [refused.reason for refused in output.opens_refused] == [
        "quantity: expected more than 0, found 0",
        "too much",
    ]


def test_everything_refused_is_still_a_decision() -> None:
    refuse = Judge(lambda _s, _c, opens: RiskDecision((), (), (), tuple(RefusedOpen(each, "no") for each in opens)))
    output = decided(follow(Scripted(answer_once(Decision((), [open_request()]))), risk=refuse).process(public_trade()))
    assert (output.opens_sent, len(output.opens_refused)) == ((), 1)


def test_it_may_alter_requests_and_add_some_which_get_ids() -> None:
    def halve(_state: EngineState, cancels: Cancels, opens: Opens) -> RiskDecision:
        first = opens[0]
        half = OrderRequestOpen(first.key, first.side, first.price, first.quantity / 2, first.kind, first.time_in_force)
        return RiskDecision(cancels, (half, open_request("", quantity="0.25")), (), ())

    followed = follow(Scripted(answer_once(Decision((), [open_request("a")]))), risk=Judge(halve))
    sent = decided(followed.process(public_trade())).opens_sent
    assert [(request.key.cid, request.quantity) for request in sent] == [
        ("a", Decimal("0.5")),
        ("teste1s1n0", Decimal("0.25")),
    ]


def test_what_it_approves_is_checked_again() -> None:
    spoil = Judge(lambda _s, cancels, opens: RiskDecision(cancels, (*opens, opens[0]), (), ()))
    followed = follow(Scripted(answer_once(Decision((), [open_request("a")]))), risk=spoil)
    output = decided(followed.process(public_trade()))
    assert [refused.reason for refused in output.opens_refused] == ["client order id a is used twice in one decision"]


def test_it_cannot_both_approve_and_refuse() -> None:
    both = Judge(lambda _s, cancels, opens: RiskDecision(cancels, opens, (), (RefusedOpen(opens[0], "no"),)))
    tick = follow(Scripted(answer_once(Decision((), [open_request("a")]))), risk=both).process(public_trade())
    assert opens_sent([tick]) == []
    assert halted(tick).reason.endswith("the risk manager both approved and refused the order a")


def raising(*_: object) -> RiskDecision:
    raise RuntimeError("no idea")


def changing_precision(*args: Any) -> RiskDecision:
    getcontext().prec = 2
    return approve(*args)


@pytest.mark.parametrize(
    "judge",
    [
        raising,
        changing_precision,
        lambda *_: None,
        lambda *_: Decision(),
        lambda *_: RiskDecision((), (open_request(price=Decimal("NaN")),), (), ()),
        lambda *_: RiskDecision((), ("buy",), (), ()),  # type: ignore[arg-type]
        lambda *_: RiskDecision(("x",), (), (), ()),  # type: ignore[arg-type]
        lambda *_: RiskDecision((), (), ("x",), ()),  # type: ignore[arg-type]
        lambda *_: RiskDecision((), (), (), (open_request(),)),  # type: ignore[arg-type]
        lambda *_: RiskDecision((), (), (), (RefusedOpen(open_request(instrument=3), "no"),)),
        lambda *_: RiskDecision((), (), (RefusedCancel(cancel_of(instrument=3), "no"),), ()),
        lambda *_: RiskDecision((), (), (), (RefusedOpen(open_request(), "\ud800"),)),
        lambda *_: RiskDecision((), (), (RefusedCancel(cancel_of(), "\ud800"),), ()),
    ],
)
def test_a_risk_manager_that_fails_switches_trading_off_and_opens_nothing(judge: Callable[..., Any]) -> None:
    decision = Decision(DECISION.cancels, DECISION.opens, [("t", 5)], patches=[("note", 1)])
    followed = follow(Scripted(answer_once(decision)), risk=Judge(judge))
    tick = followed.process(public_trade())
    sent, *_, halt, told = tick.outputs
    assert isinstance(sent, RequestsDecided)
    assert [request.key.cid for request in sent.cancels_sent] == ["x"], "cancels only take risk away"
    assert sent.opens_sent == ()
    assert sent.opens_refused == tuple(
        RefusedOpen(refused.request, halted(tick).reason) for refused in sent.opens_refused
    )
    assert len(sent.opens_refused) == 2
    assert (halt, halted(tick).strategy) == (halted(tick), "risk manager")
    assert getattr(told, "origin", None) is Origin.TRADING_DISABLED
    state = followed.engine.state
    assert state.trading is TradingState.DISABLED
    assert state.strategies[0].failure == "", "it is not the strategy that failed"
    assert [timer.id for timer in state.timers] == ["t"]
    assert not state.instruments[BTC].orders
    assert context_is_intact()


def test_no_strategy_is_called_like_the_risk_manager() -> None:
    with pytest.raises(ValueError, match="expected another id for a strategy than 'risk manager'"):
        follow(Scripted(strategy_id="risk manager"))


def test_what_it_says_nothing_about_is_refused() -> None:
    silent = Judge(lambda _s, _c, opens: RiskDecision((), opens[1:], (), ()))
    output = decided(follow(Scripted(answer_once(DECISION)), risk=silent).process(public_trade()))
    assert [refused.request.key.cid for refused in output.opens_refused] == ["a"]
    assert [refused.request.key.cid for refused in output.cancels_refused] == ["x"]
    assert output.opens_refused[0].reason == "the risk manager gave no verdict"
    assert output.cancels_refused[0].reason == "the risk manager gave no verdict"


def mutate_state(state: EngineState, *_: object) -> None:
    state.instruments[BTC].data.price_last = Decimal(5)


def mutate_data(state: EngineState, *_: object) -> None:
    data = state.strategies[0].data
    assert isinstance(data, Memory)
    data.note = "changed"


@pytest.mark.parametrize("mutate", [mutate_state, mutate_data])
def test_debug_mode_catches_a_decision_that_changes_state(mutate: Callable[..., None]) -> None:
    followed = follow(Scripted(lambda state, _event: mutate(state)))
    with pytest.raises(DecisionChangedState, match=r"strategy 's' changed the state while deciding \(algo\)"):
        followed.engine.process(public_trade(), 0)


@pytest.mark.parametrize("mutate", [mutate_state, mutate_data])
def test_debug_mode_catches_a_risk_manager_that_changes_state(mutate: Callable[..., None]) -> None:
    def judge(state: EngineState, cancels: Cancels, opens: Opens) -> RiskDecision:
        mutate(state)
        return approve(state, cancels, opens)

    followed = follow(Scripted(answer_once(DECISION)), risk=Judge(judge))
    with pytest.raises(DecisionChangedState, match="the risk manager changed the state"):
        followed.engine.process(public_trade(), 0)


def test_without_debug_mode_nothing_is_hashed_on_the_way() -> None:
    followed = follow(Scripted(lambda state, _event: mutate_state(state)), is_debug=False)
    tick = followed.engine.process(public_trade(7), 0)
    assert tick.outputs == ()
    assert followed.engine.state.instruments[BTC].data.price_last == 5
    followed.replica.apply(tick)
    assert followed.replica.hash() != followed.engine.hash(), "which is what the replica is for"
