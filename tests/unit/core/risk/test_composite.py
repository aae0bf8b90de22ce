"""Checks put together: the first refusal wins, and checks in ordinary Python work like those of the library."""

import copy
import pickle
from collections.abc import Callable, Sequence
from decimal import Decimal, getcontext
from typing import Any

import pytest

from tests.support.builders import BTC, check_of, engine_started, open_request, public_trade, setup_of, usual_index
from tests.support.scenario import Scripted, answer_once, decided, follow, halted
from tradebus.core.engine.audit.tick import RequestsDecided
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.number import context_is_intact
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.composite import RiskChecks
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Decision
from tradebus.strategies.checks import RiskCheckNotFound, load_check, load_risk

THREE = Decision((), [open_request("a"), open_request("b", quantity=3), open_request("c")])


class Odd(RiskCheck):
    """A check as a user writes it: refuses what a function finds something to say about."""

    def __init__(self, find: Callable[..., Any], name: str = "odd") -> None:
        self._find = find
        self._name = name
        self.asked: list[tuple[str, list[str]]] = []

    @property
    def id(self) -> str:
        return self._name

    def problem(self, state: EngineState, request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        self.asked.append((request.key.cid, [other.key.cid for other in earlier]))
        found: str = self._find(state, request, earlier)
        return found


class Configured(RiskCheck):
    """A check as a configuration makes it."""

    def __init__(self, id: str, params: dict[str, str], index: object) -> None:
        self._id = id
        self._limit = Decimal(params["limit"])

    @property
    def id(self) -> str:
        return self._id

    def problem(self, state: EngineState, request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        return f"expected at most {self._limit}" if request.quantity > self._limit else ""


class Renamed(Configured):
    @property
    def id(self) -> str:
        return "another"


def test_the_first_refusal_wins_and_later_checks_are_not_asked() -> None:
    first = Odd(lambda _s, request, _e: "too much" if request.quantity > 2 else "", "first")
    second = Odd(lambda _s, request, _e: "not c" if request.key.cid == "c" else "", "second")
    output = decided(follow(Scripted(answer_once(THREE)), risk=RiskChecks([first, second])).process(public_trade()))
    assert [request.key.cid for request in output.opens_sent] == ["a"]
    assert [(refused.request.key.cid, refused.reason) for refused in output.opens_refused] == [
        ("b", "first: too much"),
        ("c", "second: not c"),
    ]
    assert first.asked == [("a", []), ("b", ["a"]), ("c", ["a"])], "what was refused does not count"
    assert second.asked == [("a", []), ("c", ["a"])]


def test_orders_of_strategies_asked_before_are_in_the_state() -> None:
    strategies = [
        Scripted(answer_once(Decision((), [open_request(name, strategy=name)])), strategy_id=name) for name in "ab"
    ]
    found: list[list[str]] = []

    def look(state: EngineState, *_: object) -> str:
        found.append(list(state.instruments[BTC].orders))
        return ""

    check = Odd(look)
    follow(*strategies, risk=RiskChecks([check])).process(public_trade())
    assert found == [[], ["a"]]


def test_ids_must_differ() -> None:
    with pytest.raises(ValueError, match="expected risk checks with different ids, found"):
        RiskChecks([Odd(lambda *_: ""), Odd(lambda *_: "")])


def raising(*_: object) -> str:
    raise KeyError("limit")


def changing_precision(*_: object) -> str:
    getcontext().prec = 3
    return ""


@pytest.mark.parametrize("find", [raising, changing_precision, lambda *_: None, lambda *_: 5, lambda *_: "\ud800"])
def test_a_check_that_fails_opens_nothing_and_switches_trading_off(find: Callable[..., Any]) -> None:
    followed = follow(Scripted(answer_once(THREE)), risk=RiskChecks([Odd(find)]))
    tick = followed.process(public_trade())
    output = tick.outputs[0]
    assert isinstance(output, RequestsDecided)
    assert (output.opens_sent, len(output.opens_refused)) == ((), 3)
    assert halted(tick).strategy == "risk manager"
    assert followed.engine.state.trading is TradingState.DISABLED
    assert context_is_intact()


def test_the_base_passes_everything_under_its_class_name() -> None:
    check = RiskCheck()
    assert (check.id, check.problem(follow().engine.state, open_request(), [])) == ("RiskCheck", "")


def test_checks_are_made_anew_and_never_copied() -> None:
    for check in (RiskCheck(), Odd(lambda *_: "")):
        with pytest.raises(TypeError, match="instead of copying them"):
            copy.copy(check)
        with pytest.raises(TypeError, match="instead of copying them"):
            pickle.dumps(check)


HERE = "tests.unit.core.risk.test_composite"


def test_checks_of_users_are_made_by_class_path() -> None:
    setup = RiskCheckSetup("mine", f"{HERE}:Configured", (("limit", "2"),))
    strategy = Scripted(answer_once(THREE))
    started = engine_started([setup_of(strategy.id)], risk=[setup, check_of("self_cross")])
    output = decided(follow(strategy, started=started).process(public_trade()))
    assert [refused.reason for refused in output.opens_refused] == ["mine: expected at most 2"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "expected 'package.module:Class', found 'nowhere'"),
        (":Class", "expected 'package.module:Class'"),
        ("nowhere.at_all:Check", "no module 'nowhere'"),
        (f"{HERE}:Nothing", f"{HERE} has no risk check class 'Nothing'"),
        (f"{HERE}:Decision", f"{HERE} has no risk check class 'Decision'"),
        (f"{HERE}:Renamed", "made was one that calls itself 'another'"),
    ],
)
def test_class_paths_that_lead_nowhere_say_so(path: str, said: str) -> None:
    with pytest.raises(RiskCheckNotFound) as caught:
        load_check(RiskCheckSetup("mine", path, (("limit", "2"),)), usual_index())
    assert str(caught.value).startswith("risk check mine: ")
    assert said in str(caught.value)


def test_without_checks_everything_passes() -> None:
    manager = load_risk([], usual_index())
    assert type(manager) is RiskManager
    decision = manager.check(follow().engine.state, (), (open_request(strategy=StrategyId("s")),))
    assert len(decision.opens) == 1
