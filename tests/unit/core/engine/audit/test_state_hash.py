"""The state hash: every leaf of the state counts, in its own root, and nothing else does."""

import ast
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import tradebus.core
from tests.support.builders import (
    cancel_of,
    engine_of,
    engine_started,
    open_request,
    public_trade,
    setup_of,
    simulated_account,
    steps,
    usual_index,
)
from tests.support.full_state import full_state
from tests.support.scenario import Memory, Scripted
from tradebus.core.engine.audit.canonical import ADDED_IN, HASH_VERSION
from tradebus.core.engine.audit.state_hash import (
    RunDigest,
    StateHash,
    core_text,
    digest_text,
    hash_state,
    user_text,
)
from tradebus.core.engine.audit.tick import Halted
from tradebus.core.engine.event import ClockAdvanced, EngineStarted
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.position import Position
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.engine.state.user_data import UserData
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import (
    InstrumentContract,
)
from tradebus.core.model.order import FULLY_FILLED, OrderState
from tradebus.core.model.record import Record, field_names
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision

Change = tuple[str, Any]


class Walk:
    """Yields copies of a value with one leaf changed, one item gone, or one part absent; notes what it came by."""

    def __init__(self) -> None:
        self.fields: set[tuple[str, str]] = set()
        self.absent: set[str] = set()
        self.impossible: set[str] = set()

    def changes(self, value: Any, path: str) -> Iterator[Change]:
        if isinstance(value, StrategyData | UserData):
            for where, changed in self.changes(value.to_plain(), path):
                other = type(value)()
                for name in list(other.to_plain()):
                    delattr(other, name)
                other.from_plain(changed)
                yield where, other
        elif isinstance(value, Record):
            yield from self._record(value, path)
        elif isinstance(value, list | tuple):
            for i, item in enumerate(value):
                yield f"{path}[{i}] gone", type(value)([*value[:i], *value[i + 1 :]])
                for where, changed in self.changes(item, f"{path}[{i}]"):
                    yield where, type(value)([*value[:i], changed, *value[i + 1 :]])
        elif isinstance(value, dict):
            for key, item in value.items():
                rest = {name: other for name, other in value.items() if name != key}
                yield f"{path}.{key} gone", rest
                yield f"{path}.{key} renamed", {**rest, key + "x": item}
                for where, changed in self.changes(item, f"{path}.{key}"):
                    yield where, {**value, key: changed}
        elif value is None:
            self.absent.add(path)
        else:
            yield path, _other(value)

    def _record(self, record: Record, path: str) -> Iterator[Change]:
        kind = type(record)
        names = field_names(kind)
        if not names:
            assert isinstance(record, OrderState), kind
            yield f"{path} other", FULLY_FILLED
        for i, name in enumerate(names):
            self.fields.add((kind.__name__, name))
            values = [getattr(record, each) for each in names]
            for where, changed in self.changes(values[i], f"{path}.{name}"):
                try:
                    yield where, _made(kind, [*values[:i], changed, *values[i + 1 :]])
                except ValueError:
                    self.impossible.add(name)


def _made(kind: type[Record], values: list[Any]) -> Any:
    return kind(*values)


def _other(value: object) -> object:
    """Return another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, Decimal):
        return value + Decimal("0.00000001")
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, bytes):
        return value + b"x"
    assert isinstance(value, Enum), f"a leaf of an unknown kind: {type(value).__name__}"
    members = list(type(value))
    return members[(members.index(value) + 1) % len(members)]


def changed_states(walk: Walk) -> Iterator[tuple[str, EngineState]]:
    """Yield every state that differs from the full one in one place, built anew each time."""
    state = full_state()
    for path, changed in walk.changes(state, ""):
        if changed is None:
            continue
        assert isinstance(changed, EngineState)
        yield path, changed


IN_THE_USER_ROOT = (".strategies[0].data", ".user_data.data", ".user_data.price", ".global_data.data")
IN_BOTH_ROOTS = (".strategies[0] gone", ".strategies[0].setup.id", ".instruments[0] gone", ".instruments[1] gone")


def test_each_leaf_changes_the_hash_in_its_own_root() -> None:
    walk = Walk()
    before = hash_state(full_state())
    texts = {core_text(full_state()) + str(user_text(full_state()))}
    count = 0
    for path, state in changed_states(walk):
        if _is_no_state(path):
            continue
        after = hash_state(state)
        is_data = any(part in path for part in IN_THE_USER_ROOT)
        assert (after.core != before.core) is not is_data, path
        assert (after.user != before.user) is (is_data or path in IN_BOTH_ROOTS), path
        assert not after.equals(before), path
        texts.add(core_text(state) + str(user_text(state)))
        count += 1
    assert count > 250
    assert len(texts) == count + 1, "no two changes look alike"
    fields = {name for kind, name in walk.fields if kind == "EngineState"}
    assert fields == set(EngineState.FIELDS)
    assert walk.impossible == {"quote_kind", "contract_size", "kind"}, "spot has one of each, and each kind its terms"


# The numbers that an index gives follow from its definitions, and are hashed where the state uses them.
DERIVED = ("index", "exchange", "base", "quote", "settlement")


def _is_no_state(path: str) -> bool:
    return path.startswith(".index.instruments[") and path.split("]", 1)[1].lstrip(".").split(" ")[0] in DERIVED


def test_nothing_of_the_full_state_is_absent_but_what_the_other_instrument_has() -> None:
    walk = Walk()
    list(walk.changes(full_state(), ""))
    present = {
        "settlement",
        "expiry_ns",
        "strike",
        "option_kind",
        "option_exercise",
        "quantity_asset",
        "balance",
        "amendment",
    }
    assert {path.rpartition(".")[2] for path in walk.absent} <= present
    names = {name for kind, name in walk.fields if kind == "InstrumentContract"}
    assert names == set(InstrumentContract.FIELDS)


OPTIONAL = (
    "position",
    "balance",
    "l1",
    "l2",
    "time_engine_ns",
    "price_last",
    "best_bid",
    "best_ask",
    "spec",
    "order",
    "data",
    "user_data",
    "global_data",
    "price",
    "amendment",
)


def optional_parts(value: Any, path: str = "") -> Iterator[Change]:
    """Yield copies of a value with one optional part absent."""
    if isinstance(value, IndexedInstruments):
        return
    if isinstance(value, Record):
        names = field_names(type(value))
        for i, name in enumerate(names):
            values = [getattr(value, each) for each in names]
            if name in OPTIONAL and values[i] is not None:
                yield f"{path}.{name}", _absent(type(value), values, i)
            for where, changed in optional_parts(values[i], f"{path}.{name}"):
                yield where, _made(type(value), [*values[:i], changed, *values[i + 1 :]])
    elif isinstance(value, list):
        for i, item in enumerate(value):
            for where, changed in optional_parts(item, f"{path}[{i}]"):
                yield where, [*value[:i], changed, *value[i + 1 :]]
    elif isinstance(value, dict):
        for key, item in value.items():
            for where, changed in optional_parts(item, f"{path}.{key}"):
                yield where, {**value, key: changed}


def _absent(kind: type[Record], values: list[Any], i: int) -> Any:
    # Where a part of this name is not optional (an instrument's own data) there is nothing to change.
    try:
        return kind(*[*values[:i], None, *values[i + 1 :]])
    except TypeError:
        return kind(*values)


def test_each_absent_part_changes_the_hash() -> None:
    state = full_state()
    before = hash_state(state)
    seen: set[str] = set()
    for path, changed in optional_parts(state):
        name = path.rpartition(".")[2]
        if changed == state:
            continue
        after = hash_state(changed)
        assert after != before, path
        seen.add(name)
    assert seen >= {"position", "balance", "l1", "price_last", "best_bid", "best_ask", "spec", "order", "data"}


def assigned_attributes() -> dict[str, set[str]]:
    """Return which attributes each class of the core gives its instances, read from the source."""
    found: dict[str, set[str]] = {}
    (folder,) = tradebus.core.__path__
    for path in Path(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name] = {
                    target.attr
                    for statement in ast.walk(node)
                    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign)
                    for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
                    if isinstance(target, ast.Attribute)
                    and isinstance(target.value, ast.Name)
                    and target.value.id == "self"
                }
    return found


BESIDE = {"EngineState": {"time_ns"}}
"""What is no field on purpose: engine time stands in every tick, and so beside the state and not in its hash."""


def test_every_attribute_of_every_record_is_a_field() -> None:
    attributes = assigned_attributes()
    kinds = [Record]
    checked = 0
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("tradebus.core") and kind.__name__ in attributes:
            own = {name for name in attributes[kind.__name__] if not name.startswith("_")}
            own -= BESIDE.get(kind.__name__, set())
            assert own == set(field_names(kind)), kind.__name__
            hidden = attributes[kind.__name__] - own - BESIDE.get(kind.__name__, set())
            assert not hidden or kind.__name__ == "IndexedInstruments", f"{kind.__name__} hides {hidden}"
            checked += 1
    assert checked > 60


def test_sequence_time_and_epoch_do_not_enter() -> None:
    from tradebus.core.engine.engine import Engine  # noqa: PLC0415 - to give it another sequence and epoch
    from tradebus.core.risk.interface import RiskManager  # noqa: PLC0415

    one = engine_of()
    one.start(0)
    two = Engine(engine_started(), [], RiskManager(), sequence=50, epoch=9)
    two.start(10**18)
    for _ in range(3):
        two.process(ClockAdvanced(), 2 * 10**18)
    assert one.hash() == two.hash()
    assert one.hash().equals(two.hash())


def test_what_names_the_process_does_not_enter() -> None:
    assert engine_of(started=engine_started(run="a", code="b")).hash() == engine_of().hash()


def test_user_root_is_empty_where_a_class_is_not_available_and_equals_nothing() -> None:
    state = full_state()
    state.strategies[0].data = None
    hashed = hash_state(state)
    assert hashed.user == ""
    assert hashed.core == hash_state(full_state()).core
    assert not hashed.equals(hashed)
    assert user_text(state) is None


def test_versions_and_roots_must_agree() -> None:
    some = StateHash(1, "a", "b")
    assert some.equals(StateHash(1, "a", "b"))
    for other in (StateHash(2, "a", "b"), StateHash(1, "x", "b"), StateHash(1, "a", "x")):
        assert not some.equals(other)


def cyclic() -> list[object]:
    """Return a list that holds itself."""
    made: list[object] = []
    made.append(made)
    return made


def raising() -> object:
    raise KeyError("no")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: 1.5, "data.a: expected None, bool, int, Decimal, str, bytes, list, tuple or dict, found float"),
        (lambda: {1, 2}, "data.a: expected None, bool, int, Decimal, str, bytes, list, tuple or dict, found set"),
        (lambda: {1: 2}, "data.a: expected text as key, found int"),
        (lambda: Side.BUY, "found Side"),
        (lambda: "\ud800", "data.a: expected Unicode text, found a lone surrogate"),
        (lambda: Decimal("NaN"), "expected a finite number, found NaN"),
        (lambda: 10**6000, "data.a: expected an int of at most 8192 bits, found 19932"),
        (cyclic, "expected at most 32 levels"),
        (raising, "data.to_plain raised KeyError"),
    ],
)
def test_data_that_holds_what_it_must_not_fails_in_the_tick_after_the_hash(
    make: Callable[[], object], said: str
) -> None:
    class Spoilt(Memory):
        def to_plain(self) -> dict[str, object]:
            return {"a": make() if is_spoilt else 1}

    is_spoilt = False
    engine = engine_of(Scripted(data=Spoilt), is_debug=False)
    engine.start(0)
    is_spoilt = True
    assert engine.hash().user == ""
    (halt, *_) = engine.process(public_trade(), 1).outputs
    assert isinstance(halt, Halted)
    assert said in halt.reason
    assert engine.state.trading is TradingState.DISABLED
    engine.hash()
    assert engine.process(public_trade(), 2).outputs == (), "told once"
    with pytest.raises(ValueError, match="what is remembered at first cannot be kept"):
        engine_of(Scripted(data=Spoilt))


def digest_of(started: EngineStarted, *, decide: bool = True, late: bool = False) -> str:
    strategy = Scripted(lambda _s, _e: Decision([cancel_of()], [open_request("")]) if decide else None)
    engine = engine_of(strategy, started=started)
    digest = RunDigest()
    digest.add(engine.start(0))
    for now in (1, 2, 4 if late else 3):
        digest.add(engine.process(public_trade(time_ns=now), now))
    assert digest.count == 4
    return digest.hexdigest()


def test_digest_is_that_of_the_ticks_and_not_of_the_process() -> None:
    setups = [setup_of(Scripted().id)]
    started = engine_started(setups)
    digest = digest_of(started)
    assert digest == digest_of(started)
    assert digest == digest_of(engine_started(setups, run="other", code="newer"))
    others = [
        engine_started([setup_of(Scripted().id, a="1")]),
        engine_started(setups, engine_id="other"),
        engine_started(setups, accounts=[simulated_account(latency_ns=1)]),
        engine_started(setups, trading=TradingState.DISABLED),
        engine_started(setups, index=usual_index(steps("0.1"))),
    ]
    digests = {digest, digest_of(started, decide=False), digest_of(started, late=True), *map(digest_of, others)}
    assert len(digests) == 8


def test_text_of_a_tick_begins_where_the_process_ends() -> None:
    engine = engine_of(started=engine_started(run="secret run", code="secret code"))
    assert "secret" not in digest_text(engine.start(0))


def test_a_field_of_a_later_version_does_not_enter_an_earlier_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    state = full_state()
    before = hash_state(state)
    monkeypatch.setitem(ADDED_IN, "Position", {"trade_digest": HASH_VERSION + 1})
    earlier = hash_state(state)
    later = hash_state(state, HASH_VERSION + 1)
    assert earlier.core != before.core
    assert (later.version, later.core, later.user) == (HASH_VERSION + 1, before.core, before.user)
    position = state.instruments[0].position
    assert position is not None
    state.instruments[0].position = _made(
        Position, ["other" if name == "trade_digest" else getattr(position, name) for name in Position.FIELDS]
    )
    assert hash_state(state) == earlier
    assert hash_state(state, HASH_VERSION + 1).core != before.core


def test_fields_that_came_later_are_fields() -> None:
    records = {kind.__name__: kind for kind in Record.__subclasses__()}
    for kind, fields in ADDED_IN.items():
        assert set(fields) <= set(field_names(records[kind]))
        assert all(1 < version <= HASH_VERSION for version in fields.values())
