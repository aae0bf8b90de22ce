"""User code that fails or answers nonsense: the strategy is halted with the reason, everything else goes on."""

from collections.abc import Callable
from decimal import ROUND_UP, Context, Decimal, FloatOperation, getcontext, setcontext
from typing import Any

import pytest

from tests.support.builders import (
    ALPHA,
    BTC,
    cancel_of,
    command_of,
    engine_of,
    engine_started,
    fill,
    filled,
    open_request,
    order_key,
    public_trade,
    setup_of,
)
from tests.support.scenario import Memory, Scripted, answer_once, decided, follow, halted
from tradebus.core.engine.answers import failure
from tradebus.core.engine.audit.tick import AuditTick, Halted, Origin, RequestsDecided
from tradebus.core.engine.command import ALL_INSTRUMENTS, ClosePositions
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketReconnecting
from tradebus.core.model.identifiers import ExchangeIndex, StrategyId
from tradebus.core.model.number import context_is_intact
from tradebus.core.model.order import OrderKey, OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.record import field_values
from tradebus.core.strategy.interface import Decision

ON = TradingStateUpdate(TradingState.ENABLED, "operator")


class Odd(Exception):
    def __str__(self) -> str:
        raise ValueError("not even a text")


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


def remake(request: OrderRequestOpen, **changed: Any) -> OrderRequestOpen:
    """Make a request with other fields, of types that it should not have (compiled: refused at once)."""
    names = OrderRequestOpen.FIELDS
    values = [changed.get(name, value) for name, value in zip(names, field_values(request), strict=True)]
    return OrderRequestOpen(*values)


def bad_key(**changed: Any) -> OrderKey:
    key = order_key()
    values = [changed.get(name, value) for name, value in zip(OrderKey.FIELDS, field_values(key), strict=True)]
    return OrderKey(*values)


def opening(make: Callable[[], object]) -> Callable[..., Any]:
    return lambda *_: Decision((), [make()])  # type: ignore[list-item]


def answering(*args: Any) -> Callable[..., Any]:
    return lambda *_: Decision(*args)


NOT_A_NUMBER = (Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("1E+600"))

NONSENSE: dict[str, Callable[..., Any]] = {
    "an exception": raising(RuntimeError("oops")),
    "an exception without a text": raising(Odd()),
    "an exception with half a character": raising(RuntimeError("\ud800")),
    "a text": lambda *_: "buy",
    "a number": lambda *_: 1,
    "a tuple of lists": lambda *_: ([], []),
    "the class": lambda *_: Decision,
    "cancels that are no list": answering(5),
    "opens that are no list": answering((), "ab"),
    "opens that are a generator": lambda *_: Decision((), (open_request(f"{i}") for i in range(2))),  # type: ignore[arg-type]
    "timers that are no list": answering((), (), 5),
    "timers to clear that are no list": answering((), (), (), "t"),
    "patches that are no list": answering((), (), (), (), {"a": 1}),
    "a request that is none": opening(lambda: "buy"),
    "a cancel among the opens": opening(cancel_of),
    "an open among the cancels": answering((open_request(),)),
    "none among the requests": opening(lambda: None),
    "a key that is none": opening(lambda: remake(open_request(), key="c1")),
    "an instrument that there is not": opening(lambda: open_request(instrument=3)),
    "a negative instrument": opening(lambda: open_request(instrument=-1)),
    "a huge instrument": opening(lambda: open_request(instrument=2**70)),
    "an instrument that is a text": opening(lambda: remake(open_request(), key=bad_key(instrument="0"))),
    "an instrument that is a float": opening(lambda: remake(open_request(), key=bad_key(instrument=0.0))),
    "an exchange that there is not": opening(lambda: open_request(exchange=2)),
    "a negative exchange": opening(lambda: open_request(exchange=-1)),
    "an exchange that is a float": opening(lambda: remake(open_request(), key=bad_key(exchange=0.0))),
    "no strategy": opening(lambda: open_request(strategy="")),
    "an id that is a number": opening(lambda: remake(open_request(), key=bad_key(cid=1))),
    "an id with half a character": opening(lambda: open_request("\ud800")),
    "an endless id": opening(lambda: open_request("c" * 257)),
    "a price that is a float": opening(lambda: remake(open_request(), price=1.5)),
    "a price that is an int": opening(lambda: remake(open_request(), price=1)),
    "a quantity that is a float": opening(lambda: remake(open_request(), quantity=1.5)),
    "a side that is a text": opening(lambda: remake(open_request(), side="buy")),
    "a kind that is a number": opening(lambda: remake(open_request(), kind=1)),
    "a time in force that is none": opening(lambda: remake(open_request(), time_in_force=None)),
    "a cancel of an instrument that there is not": answering((cancel_of(instrument=3),)),
    "a cancel with an empty order id": answering((cancel_of("c", ""),)),
    "a cancel that is a text": answering(("c1",)),
    "a cancel on an exchange that there is not": answering((OrderRequestCancel(order_key(exchange=2), None),)),
    "a timer without a time": answering((), (), ["t"]),
    "a timer with a float": answering((), (), [("t", 1.5)]),
    "a timer with a bool": answering((), (), [("t", True)]),
    "patches without end": answering((), (), (), (), [(f"k{i}", "x" * 1_000) for i in range(101)]),
    "a huge patch": answering((), (), (), (), [("note", ["x" * 50_000, {"y": b"x" * 50_000}])]),
    "timers without end": answering((), (), [(f"t{i}", 10**9) for i in range(1_001)]),
    "a timer in a list": answering((), (), [["t", 1]]),
    "a timer beyond all times": answering((), (), [("t", 2**63)]),
    "a timer without an id": answering((), (), [("", 1)]),
    "a timer with a number as id": answering((), (), [(1, 1)]),
    "a timer to clear that is a number": answering((), (), (), [1]),
    "a patch without a value": answering((), (), (), (), ["note"]),
    "a patch of three": answering((), (), (), (), [("note", 1, 2)]),
    "a patch without a key": answering((), (), (), (), [("", 1)]),
    "a patch with a number as key": answering((), (), (), (), [(1, 1)]),
    "a patch with a float": answering((), (), (), (), [("note", 1.5)]),
    "a patch with a set": answering((), (), (), (), [("note", {1})]),
    "a patch with a float deep inside": answering((), (), (), (), [("note", {"a": [1, (2.5,)]})]),
    "a patch with a number as a key": answering((), (), (), (), [("note", {1: 2})]),
    "a patch with half a character": answering((), (), (), (), [("note", ["\ud800"])]),
    "a patch with a record": answering((), (), (), (), [("note", open_request())]),
    "a patch with an endless integer": answering((), (), (), (), [("note", 1 << 9000)]),
    **{
        f"a price of {number}": opening(lambda number=number: open_request(price=number))  # type: ignore[misc]
        for number in NOT_A_NUMBER
    },
    **{
        f"a quantity of {number}": opening(lambda number=number: open_request(quantity=number))  # type: ignore[misc]
        for number in NOT_A_NUMBER
    },
    **{f"a patch with {number}": answering((), (), (), (), [("note", number)]) for number in NOT_A_NUMBER},
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_halts_the_strategy_and_nothing_else_of_it_happens(answer: Callable[..., Any]) -> None:
    strategy = Scripted(answer)
    followed = follow(strategy)
    tick = followed.process(public_trade())
    halt = halted(tick)
    assert tick.outputs == (halt,), "of a decision that makes no sense nothing is done"
    assert not tick.is_terminal
    state = followed.engine.state
    assert state.trading is TradingState.DISABLED
    assert (state.strategies[0].failure, state.strategies[0].is_halted) == (halt.reason, True)
    assert len(halt.reason) <= 500
    assert not state.instruments[BTC].orders
    assert state.timers == []
    assert context_is_intact()


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_from_a_hook_or_a_close_halts_too(answer: Callable[..., Any]) -> None:
    followed = follow(Scripted(disconnected=answer))
    assert halted(followed.process(MarketReconnecting(ALPHA, ""))).strategy == "s"
    followed = follow(Scripted(disabled=answer))
    assert halted(followed.process(TradingStateUpdate(TradingState.DISABLED, ""))).strategy == "s"
    followed = follow(Scripted(close=answer))
    assert halted(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))).strategy == "s"


def test_reasons_are_the_same_compiled_and_not() -> None:
    reasons = [
        halted(follow(Scripted(NONSENSE[name])).process(public_trade())).reason for name in ("a text", "an exception")
    ]
    expected = "tradebus.core.strategy.interface.Decision or None object expected"
    assert reasons == [
        f"generate_algo_orders raised TypeError: {expected}; got str",
        "generate_algo_orders raised RuntimeError: oops",
    ]


def test_a_halted_strategy_is_never_asked_again_and_the_others_are() -> None:
    failing, sound = Scripted(raising(ValueError("no")), strategy_id="a"), Scripted(strategy_id="b")
    followed = follow(failing, sound)
    tick = followed.process(public_trade())
    assert halted(tick).strategy == "a"
    assert sound.asked == [], "trading went off in the middle of the step"
    followed.process(public_trade())
    assert (len(failing.asked), sound.asked) == (1, [])
    followed.process(ON)
    followed.process(public_trade())
    assert (len(failing.asked), len(sound.asked)) == (1, 2)


def test_what_others_decided_before_the_failure_stands() -> None:
    sound = Scripted(lambda _s, _e: Decision((), [open_request("a")]), strategy_id="a")
    followed = follow(sound, Scripted(raising(ValueError("no")), strategy_id="b"))
    first, second, told = followed.process(public_trade()).outputs
    assert isinstance(first, RequestsDecided)
    assert isinstance(second, Halted)
    assert (getattr(told, "origin", None), getattr(told, "strategy", None)) == (Origin.TRADING_DISABLED, "a")
    assert list(followed.engine.state.instruments[BTC].orders) == ["a"]


def test_hooks_of_a_halted_strategy_are_not_called_and_others_are() -> None:
    called: list[ExchangeIndex] = []
    failing = Scripted(raising(ValueError("no")), strategy_id="a", disconnected=raising(ValueError("never")))
    sound = Scripted(strategy_id="b", disconnected=lambda _state, exchange: called.append(exchange))
    followed = follow(failing, sound)
    followed.process(public_trade())
    assert decided(followed.process(MarketReconnecting(ALPHA, ""))).strategy == "b"
    assert called == [ALPHA]


def kinds(tick: AuditTick) -> list[tuple[str, str]]:
    """What a tick says: halts and decisions with their strategy, in order."""
    names = {Halted: "halted", RequestsDecided: "decided"}
    return [(names[type(output)], getattr(output, "strategy", "")) for output in tick.outputs]


@pytest.mark.parametrize("failing_first", [True, False])
def test_a_halt_tells_the_others_once_that_trading_is_off(failing_first: bool) -> None:
    told: list[TradingState] = []

    def leave(state: EngineState) -> Decision:
        told.append(state.trading)
        return Decision([cancel_of("x")], [open_request("")])

    failing = Scripted(raising(ValueError("no")), strategy_id="a", disabled=raising(ValueError("never")))
    sound = Scripted(strategy_id="b", disabled=leave)
    followed = follow(*((failing, sound) if failing_first else (sound, failing)))
    tick = followed.process(public_trade())
    assert kinds(tick) == [("halted", "a"), ("decided", "b")]
    assert told == [TradingState.DISABLED]
    output = decided(tick)
    assert output.origin is Origin.TRADING_DISABLED
    assert (len(output.cancels_sent), len(output.opens_sent)) == (1, 1), "what it asks for leaves"
    assert followed.process(public_trade()).outputs == ()


def test_whoever_fails_when_told_halts_and_nobody_is_told_again() -> None:
    called: list[str] = []
    failing = Scripted(raising(ValueError("no")), strategy_id="a")
    failing_too = Scripted(strategy_id="b", disabled=raising(ValueError("not me either")))
    sound = Scripted(strategy_id="c", disabled=lambda _state: called.append("c"))
    tick = follow(failing, failing_too, sound).process(public_trade())
    assert kinds(tick) == [("halted", "a"), ("halted", "b"), ("decided", "c")]
    assert called == ["c"]


@pytest.mark.parametrize("trading", TradingState)
def test_data_that_fails_tells_the_others_too_but_only_while_trading_is_on(trading: TradingState) -> None:
    called: list[str] = []
    failing = Scripted(data=lambda: FailsAt(fail), strategy_id="a")
    sound = Scripted(strategy_id="b", disabled=lambda _state: called.append("b"))
    started = engine_started([setup_of(failing.id), setup_of(sound.id)], trading=trading)
    followed = follow(failing, sound, started=started)
    for _ in range(4):
        followed.process(public_trade())
    assert called == (["b"] if trading is TradingState.ENABLED else [])


def test_a_hook_that_fails_while_a_link_is_lost_switches_off_after_all_were_told_of_the_link() -> None:
    told: list[str] = []
    failing = Scripted(strategy_id="a", disconnected=raising(ValueError("no")))
    sound = Scripted(
        strategy_id="b",
        disconnected=lambda _state, _exchange: told.append("link"),
        disabled=lambda _state: told.append("off"),
    )
    tick = follow(failing, sound).process(MarketReconnecting(ALPHA, ""))
    assert kinds(tick) == [("halted", "a"), ("decided", "b"), ("decided", "b")]
    assert told == ["link", "off"]


class FailsAt(Memory):
    """Data that fails at its third event, in a way that the test chooses."""

    def __init__(self, failure: Callable[[], object]) -> None:
        super().__init__()
        self._failure = failure

    def process(self, state: EngineState, event: EngineEvent) -> None:
        super().process(state, event)
        if self.seen == 3:
            self._failure()

    def apply_patch(self, key: str, value: object) -> None:
        super().apply_patch(key, value)
        self._failure()

    def to_plain(self) -> dict[str, object]:
        return {"seen": self.seen, "note": self.note}


def fail() -> object:
    raise KeyError("a")


def change_precision() -> None:
    getcontext().prec = 3


def change_rounding() -> None:
    getcontext().rounding = ROUND_UP


def change_traps() -> None:
    getcontext().traps[FloatOperation] = False


def change_context() -> None:
    setcontext(Context(prec=29))


CONTEXT_CHANGES = [change_precision, change_rounding, change_traps, change_context]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (fail, "data.process raised KeyError"),
        *((change, "data.process changed the decimal context") for change in CONTEXT_CHANGES),
    ],
)
def test_data_that_fails_halts_its_strategy_in_the_same_step(failure: Callable[[], object], reason: str) -> None:
    followed = follow(Scripted(data=lambda: FailsAt(failure), strategy_id="a"), Scripted(strategy_id="b"))
    for _ in range(2):
        assert followed.process(public_trade()).outputs == ()
    halt = halted(followed.process(public_trade()))
    assert (halt.strategy, halt.reason) == ("a", reason)
    data = [found.data for found in followed.engine.state.strategies]
    for _ in range(2):
        assert followed.process(public_trade()).outputs == (), "it is reported once"
    assert [getattr(found, "seen", None) for found in data] == [3, 5], "only the failed one stops taking events in"
    assert context_is_intact()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (fail, "data.apply_patch raised KeyError"),
        *((change, "data.apply_patch changed the decimal context") for change in CONTEXT_CHANGES),
    ],
)
def test_data_that_fails_to_take_a_patch_halts_its_strategy(failure: Callable[[], object], reason: str) -> None:
    decide = lambda *_: Decision((), [open_request("a")], patches=[("note", 1)])  # noqa: E731 - a strategy's one answer
    followed = follow(Scripted(decide, data=lambda: FailsAt(failure)))
    tick = followed.process(public_trade())
    assert halted(tick).reason == reason
    assert len(decided(tick).opens_sent) == 1, "what was sent before stands"
    assert context_is_intact()


@pytest.mark.parametrize("change", CONTEXT_CHANGES)
def test_a_decision_that_changes_the_decimal_context_halts(change: Callable[[], None]) -> None:
    def decide(*_: object) -> Decision:
        change()
        return Decision((), [open_request()])

    followed = follow(Scripted(decide))
    assert halted(followed.process(public_trade())).reason == "changed the decimal context"
    assert context_is_intact()
    followed.process(filled(fill(price="1.23456789", quantity="0.3")))
    position = followed.engine.state.instruments[BTC].position
    assert position is not None
    assert position.price_entry_average == Decimal("1.23456789")


def test_the_engine_works_in_its_own_context_whatever_the_caller_left() -> None:
    followed = follow()
    setcontext(Context(prec=3))
    followed.process(filled(fill(price="1.23456789", quantity=3)))
    setcontext(Context(prec=3))
    followed.process(filled(fill(price="2.23456789", quantity=3)))
    position = followed.engine.state.instruments[BTC].position
    assert position is not None
    assert position.price_entry_average == Decimal("1.73456789")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no", 1, True, Decimal("0.5"), None), "ValueError: no, 1, True, 0.5, None"),
        (ValueError({"alpha", "beta"}), "ValueError"),
        (ValueError(f"found {object()!r}"), "ValueError"),
        (ValueError(object()), "ValueError"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_failure_is_told_alike_in_every_process(error: Exception, said: str) -> None:
    assert failure("it", error) == f"it raised {said}"


class Renamed(Scripted):
    """Has a name that fails once the engine runs."""

    is_running = False

    @property
    def id(self) -> StrategyId:
        if self.is_running:
            raise LookupError("who am I?")
        return super().id


def test_a_name_that_changes_is_that_of_the_start() -> None:
    strategy = Renamed(answer_once(Decision((), [open_request("a")])))
    engine = engine_of(strategy)
    engine.start(0)
    strategy.is_running = True
    (output,) = engine.process(public_trade(), 1).outputs
    assert isinstance(output, RequestsDecided)
    assert (output.strategy, len(output.opens_sent)) == ("s", 1)
