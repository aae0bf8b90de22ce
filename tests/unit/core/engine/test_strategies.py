"""What strategies may do: decide, remember, set timers, patch what they remember, and share an engine."""

from collections.abc import Callable
from copy import copy, deepcopy
from decimal import Decimal
from pickle import dumps

import pytest

from tests.support.builders import (
    ASSET_USDT,
    BTC,
    asset_balance,
    balance_told,
    cancel_of,
    fill,
    filled,
    open_request,
    public_trade,
)
from tests.support.scenario import Followed, Memory, Scripted, answer_once, decided, follow
from tradebus.core.engine.audit.tick import DataPatched, Origin, RequestsDecided, TimerCleared, TimerSet
from tradebus.core.engine.event import AccountReconnecting, ClockAdvanced, TimerFired, TradingStateUpdate
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketReconnecting
from tradebus.core.model.identifiers import ExchangeIndex, StrategyId
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Decision, Strategy


def memory(followed: Followed, i: int = 0) -> Memory:
    data = followed.engine.state.strategies[i].data
    assert isinstance(data, Memory)
    return data


def test_the_base_trades_nothing_and_remembers_nothing() -> None:
    followed = follow(Strategy())
    assert followed.process(public_trade()).outputs == ()
    for event in (MarketReconnecting(ExchangeIndex(0), ""), TradingStateUpdate(TradingState.DISABLED, "operator")):
        output = decided(followed.process(event))
        assert (output.strategy, output.opens_sent, output.cancels_sent) == ("unknown", (), ())
    data = followed.engine.state.strategies[0].data
    assert data is not None
    assert data.to_plain() == {}


@pytest.mark.parametrize("answer", [None, Decision()])
def test_wanting_nothing_leaves_no_trace(answer: Decision | None) -> None:
    assert follow(Scripted(lambda _state, _event: answer)).process(public_trade()).outputs == ()


def test_orders_get_ids_from_engine_epoch_sequence_and_ordinal() -> None:
    requests = [open_request(""), open_request("own"), open_request("", instrument=1)]
    followed = follow(
        Scripted(answer_once(Decision((), requests))),
        Scripted(answer_once(Decision((), requests[:1])), strategy_id="t"),
    )
    outputs = followed.process(public_trade()).outputs
    sent = [
        [request.key.cid for request in output.opens_sent] for output in outputs if isinstance(output, RequestsDecided)
    ]
    assert sent == [["teste1s1n0", "own", "teste1s1n1"], ["teste1s1n2"]]


def test_a_derived_id_passes_over_one_that_is_in_use() -> None:
    followed = follow(
        Scripted(answer_once(Decision((), [open_request(""), open_request("teste1s1n0"), open_request("")])))
    )
    sent = decided(followed.process(public_trade())).opens_sent
    assert [request.key.cid for request in sent] == ["teste1s1n1", "teste1s1n0", "teste1s1n2"]
    followed = follow(
        Scripted(answer_once(Decision((), [open_request("teste1s2n0")]))),
        Scripted(
            lambda _s, e: Decision((), [open_request("")]) if isinstance(e, ClockAdvanced) else None, strategy_id="t"
        ),
    )
    followed.process(public_trade())
    assert [request.key.cid for request in decided(followed.process(ClockAdvanced())).opens_sent] == ["teste1s2n1"]


def test_cancels_go_out_before_orders_and_both_in_the_order_given() -> None:
    decision = Decision([cancel_of("b"), cancel_of("a")], [open_request("d"), open_request("c")])
    output = decided(follow(Scripted(answer_once(decision))).process(public_trade()))
    assert output.origin is Origin.ALGO
    assert [request.key.cid for request in output.cancels_sent] == ["b", "a"]
    assert [request.key.cid for request in output.opens_sent] == ["d", "c"]


def test_each_strategy_sees_what_the_ones_before_it_did() -> None:
    seen: list[list[str]] = []
    followed = follow(
        Scripted(answer_once(Decision((), [open_request("first")])), strategy_id="a"),
        Scripted(lambda state, _event: seen.append(list(state.instruments[BTC].orders)), strategy_id="b"),
    )
    followed.process(public_trade())
    assert seen == [["first"]]


def test_data_sees_market_and_account_events_after_the_state_took_them_in() -> None:
    class Watch(StrategyData):
        def __init__(self) -> None:
            self.prices: list[object] = []

        def process(self, state: object, event: object) -> None:
            self.prices.append(state.instruments[BTC].data.price())  # type: ignore[attr-defined]

    followed = follow(Scripted(data=Watch))
    for event in (
        public_trade(100),
        balance_told(asset_balance(ASSET_USDT)),
        ClockAdvanced(),
        MarketReconnecting(ExchangeIndex(0), ""),
        AccountReconnecting(ExchangeIndex(0), ""),
        TimerFired(StrategyId("s"), "t", 0),
        public_trade(101),
    ):
        followed.process(event)
    data = followed.engine.state.strategies[0].data
    assert data is not None
    assert data.to_plain() == {"prices": [Decimal(100), Decimal(100), Decimal(101)]}


def timers(followed: Followed) -> list[tuple[str, str, int]]:
    return [(timer.strategy, timer.id, timer.due_ns) for timer in followed.engine.state.timers]


def test_timers_are_set_moved_cleared_and_fire_in_order_of_time() -> None:
    answers = [
        Decision(timers_set=[("b", 20), ("a", 20), ("c", 10)]),
        Decision(timers_set=[("a", 5)], timers_cleared=["c", "never set"]),
        None,
    ]
    followed = follow(Scripted(lambda _state, _event: answers.pop(0)))
    tick = followed.process(public_trade())
    assert [type(output) for output in tick.outputs] == [TimerSet] * 3
    assert timers(followed) == [("s", "c", 10), ("s", "a", 20), ("s", "b", 20)]
    assert followed.engine.next_timer_due_ns() == 10
    tick = followed.process(public_trade())
    assert [type(output) for output in tick.outputs] == [TimerSet, TimerCleared, TimerCleared]
    assert timers(followed) == [("s", "a", 5), ("s", "b", 20)]
    followed.process(TimerFired(StrategyId("s"), "a", 5))
    assert timers(followed) == [("s", "b", 20)]


def test_a_timer_set_and_cleared_in_one_decision_is_cleared() -> None:
    followed = follow(Scripted(answer_once(Decision(timers_set=[("a", 1)], timers_cleared=["a"]))))
    followed.process(public_trade())
    assert timers(followed) == []
    assert followed.engine.next_timer_due_ns() is None


def test_strategies_have_timers_of_their_own() -> None:
    both = [Scripted(answer_once(Decision(timers_set=[("t", 7)])), strategy_id=name) for name in ("b", "a")]
    followed = follow(*both)
    followed.process(public_trade())
    assert timers(followed) == [("a", "t", 7), ("b", "t", 7)]
    followed.process(TimerFired(StrategyId("b"), "t", 7))
    assert timers(followed) == [("a", "t", 7)]


VALUES: list[object] = [
    None,
    True,
    7,
    -(10**30),
    Decimal("1.50"),
    "text",
    b"\x00\xff",
    [1, [2]],
    (1, (2,)),
    {"a": {"b": []}},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_patch_changes_what_is_remembered(value: object) -> None:
    followed = follow(Scripted(answer_once(Decision(patches=[("note", value), ("other", value)]))))
    tick = followed.process(public_trade())
    assert [type(output) for output in tick.outputs] == [DataPatched] * 2
    assert memory(followed).note == value
    assert type(memory(followed).note) is type(value)
    assert memory(followed).to_plain()["other"] == value


def test_a_patch_in_a_tick_never_changes_whatever_becomes_of_the_value() -> None:
    given: list[object] = []
    followed = follow(Scripted(answer_once(Decision(patches=[("items", given)]))))
    followed.process(public_trade())
    followed.process(public_trade())  # the data appends to its list
    given.append("the strategy appends to its own")
    assert memory(followed).items == [2]
    followed.assert_ticks_unchanged()


def test_a_patch_goes_to_the_strategy_that_decided_it() -> None:
    followed = follow(
        Scripted(answer_once(Decision(patches=[("note", "a")])), strategy_id="a"),
        Scripted(answer_once(Decision(patches=[("note", "b")])), strategy_id="b"),
    )
    followed.process(public_trade())
    assert [memory(followed, i).note for i in (0, 1)] == ["a", "b"]


def test_data_is_equal_by_class_and_content_and_cannot_be_hashed() -> None:
    one, other = Memory(), Memory()
    assert one == other
    other.note = 1
    assert one != other

    class Same(Memory):
        pass

    assert Memory() != Same()
    assert one != 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


@pytest.mark.parametrize("duplicate", [copy, deepcopy, dumps], ids=lambda function: function.__name__)
@pytest.mark.parametrize("made", [Scripted, Memory, RiskManager], ids=lambda kind: kind.__name__)
def test_what_users_derive_from_cannot_be_copied_in_silence(
    made: Callable[[], object], duplicate: Callable[[object], object]
) -> None:
    with pytest.raises(TypeError, match=made().__class__.__name__):
        duplicate(made())


def test_data_goes_to_plain_values_and_back() -> None:
    one, other = Memory(), Memory()
    one.note, one.seen = Decimal("1.5"), 3
    other.from_plain(one.to_plain())
    assert one == other


def test_a_strategy_is_told_of_each_event_even_of_its_own_fills() -> None:
    strategy = Scripted()
    event = filled(fill())
    follow(strategy).process(event)
    assert strategy.asked == [event]
