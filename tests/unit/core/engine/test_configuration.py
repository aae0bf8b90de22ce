"""New parameters while the engine runs: state, an event, applied by every replica; or refused and nothing changes."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.builders import (
    check_of,
    command_of,
    engine_of,
    engine_started,
    open_request,
    public_trade,
    setup_of,
)
from tests.support.scenario import Followed, Memory, Scripted, decided, follow, halted
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import SendOpenRequests
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.strategy_data import KeptData, StrategyState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.number import context_is_intact
from tradebus.core.strategy.interface import Decision, Strategy

S = StrategyId("s")
MS = 1_000_000


class Tuned(Memory):
    """Data that remembers the parameter it was told last; refuses 13."""

    def __init__(self) -> None:
        super().__init__()
        self.size = ""

    def configure(self, params: dict[str, str]) -> None:
        if params["size"] == "13":
            raise KeyError("unlucky")
        self.size = params["size"]


def make(setup: StrategySetup, _index: IndexedInstruments) -> Strategy:
    """Make a strategy that orders as much as its parameter says."""
    size = dict(setup.params)["size"]
    if size == "0":
        raise ValueError("size: expected more than 0")
    return Scripted(
        lambda _state, _event: Decision((), [open_request("", quantity=size, strategy=setup.id)]),
        strategy_id=setup.id if size != "99" else "another",
        data=Tuned,
    )


def changed(size: str = "2", *risk: RiskCheckSetup, origin: str = "operator") -> ConfigChanged:
    return ConfigChanged(origin, (setup_of(S, size=size),), risk)


def tuned(*risk: RiskCheckSetup, make_strategy: Callable[..., Any] | None = make) -> Followed:
    """An engine with one strategy of size 1."""
    setup = setup_of(S, size="1")
    strategy = make(setup, engine_started().index)
    engine = engine_of(strategy, started=engine_started([setup], risk=risk), make_strategy=make_strategy)
    followed = Followed(engine, [strategy])
    followed.start()
    return followed


def test_a_strategy_gets_new_parameters_and_keeps_what_it_remembers() -> None:
    followed = tuned()
    followed.process(public_trade())
    tick = followed.process(changed())
    assert [request.quantity for request in decided(tick).opens_sent] == [2], "asked at once, as after any event"
    (state,) = followed.engine.state.strategies
    assert dict(state.setup.params) == {"size": "2"}
    assert isinstance(state.data, Tuned)
    assert (state.data.seen, state.data.size) == (1, "2")


def test_data_that_fails_to_take_new_parameters_halts_its_strategy() -> None:
    followed = tuned()
    assert halted(followed.process(changed("13"))).reason == "data.configure raised KeyError"
    assert followed.engine.state.trading is TradingState.DISABLED


def test_risk_checks_get_new_limits_at_once() -> None:
    followed = follow(started=engine_started(risk=[check_of("max_order_quantity", default="1")]))
    order = command_of(SendOpenRequests((open_request("", quantity=2),)))
    assert decided(followed.process(order)).opens_sent == ()
    assert followed.process(ConfigChanged("op", (), (check_of("max_order_quantity", default="2"),))).outputs == ()
    assert len(decided(followed.process(order)).opens_sent) == 1
    assert dict(followed.engine.state.risk.checks[0].setup.params) == {"default": "2"}


def test_a_window_keeps_what_was_sent_as_far_as_it_has_room() -> None:
    followed = follow(started=engine_started(risk=[check_of("order_rate", orders_max="3", window_ms="10")]))
    for time in (1, 2, 3):
        followed.process(command_of(SendOpenRequests((open_request(f"c{time}"),))), time * MS)
    followed.process(ConfigChanged("op", (), (check_of("order_rate", orders_max="2", window_ms="20"),)), 4 * MS)
    assert followed.engine.state.risk.checks[0].sent == [[2 * MS, 3 * MS]]
    assert decided(followed.process(command_of(SendOpenRequests((open_request("d"),))), 21 * MS)).opens_sent == ()
    assert decided(followed.process(command_of(SendOpenRequests((open_request("e"),))), 22 * MS)).opens_sent


RATE = check_of("order_rate", orders_max="3", window_ms="10")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (changed("0"), "making strategy 's' raised ValueError: size: expected more than 0"),
        (changed("99"), "expected a strategy 's', made was 'another'"),
        (ConfigChanged("op", (setup_of(S),), ()), "making strategy 's' raised KeyError"),
        (
            ConfigChanged("op", (setup_of(StrategyId("x"), size="1"),), ()),
            "expected one of the strategies ['s'], found",
        ),
        (
            ConfigChanged("op", (setup_of(S, "tests:Other", size="1"),), ()),
            "expected the class 'tests:Strategy', found",
        ),
        (
            ConfigChanged("op", (StrategySetup(S, "tests:Strategy", (("b", "1"), ("a", "1"))),), ()),
            "expected each para",
        ),
        (ConfigChanged("op", (StrategySetup(S, "tests:Strategy", (("a", "\ud800"),)),), ()), "expected Unicode text"),
        (ConfigChanged("op", (StrategySetup(S, "tests:Strategy", (("", "1"),)),), ()), "parameter: expected a text"),
        (ConfigChanged("op", (), (check_of("self_cross"),)), "expected one of the risk checks ['order_rate'], found"),
        (changed("2", check_of("order_rate", orders_max="0", window_ms="10")), "whether it has a window"),
        (
            changed("2", check_of("order_rate", orders_max="1", window_ms="10", per="exchange")),
            "risk check 'order_rate': whether it has a window, and of what, cannot be changed",
        ),
        (
            changed("2", check_of("order_rate", orders_max="1", window_ms="10", by="x")),
            "making the risk manager raised",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(event: ConfigChanged, said: str) -> None:
    followed = tuned(RATE)
    before = (followed.engine.hash(), followed.engine.sequence, followed.engine.time_ns)
    with pytest.raises(InvalidEvent) as caught:
        followed.engine.process(event, 50)
    assert said in str(caught.value)
    assert (followed.engine.hash(), followed.engine.sequence, followed.engine.time_ns) == before
    assert context_is_intact()
    assert [request.quantity for request in decided(followed.process(public_trade())).opens_sent] == [1]


def test_without_makers_parameters_stay() -> None:
    followed = tuned(make_strategy=None)
    with pytest.raises(InvalidEvent, match="this engine cannot make strategies anew"):
        followed.engine.process(changed(), 0)


def test_kept_data_of_a_missing_class_is_outdated_by_new_parameters() -> None:
    state = StrategyState(setup_of(S, size="1"), KeptData({"size": "1"}), "", is_halted=False)
    assert state.plain() == {"size": "1"}
    state.configure(setup_of(S, size="2"))
    assert state.plain() is None
