"""Snapshots are refused where they cannot be trusted, each time with what is wrong and where."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.golden.snapshot.corpus import full_data, full_snapshot
from tests.support.builders import ASSET_BTC, order_in, public_trade, usual_index
from tests.support.full_state import Everything, full_run
from tests.support.scenario import Memory
from tradebus.core.engine.audit.canonical import HASH_VERSION
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.strategy_data import KeptData, StrategyData
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire.codec.error import (
    DataNotRestored,
    DecodeError,
    EncodeError,
    HashMismatch,
    Inconsistent,
    InvalidNumber,
    Malformed,
    MissingField,
    UnknownEnum,
    UnknownVersion,
)
from tradebus.wire.codec.snapshot import (
    FORMAT_VERSION,
    snapshot_from_bytes,
    snapshot_head_from_bytes,
    snapshot_to_bytes,
)
from tradebus.wire.pb.v1 import snapshot_pb2 as pb

PAYLOAD = snapshot_to_bytes(full_snapshot())


def changed(change: Callable[[pb.EngineSnapshot], object]) -> bytes:
    """Return the bytes of the full snapshot after a change."""
    message = pb.EngineSnapshot.FromString(PAYLOAD)
    change(message)
    return message.SerializeToString()


def set_(path: str, value: object) -> Callable[[pb.EngineSnapshot], None]:
    """Return a change of one field, named as in an error."""

    def change(message: Any) -> None:
        *parents, last = path.replace("[", ".[").split(".")
        for name in parents:
            message = message[int(name[1:-1])] if name.startswith("[") else getattr(message, name)
        setattr(message, last, value)

    return change


def test_the_head_is_read_alone() -> None:
    assert snapshot_head_from_bytes(PAYLOAD) == full_snapshot().head


@pytest.mark.parametrize("version", [0, FORMAT_VERSION + 1, 2**32 - 1])
def test_unknown_formats_are_refused(version: int) -> None:
    with pytest.raises(UnknownVersion, match=f"format_version: expected {FORMAT_VERSION}, found {version}"):
        snapshot_from_bytes(changed(set_("format_version", version)), full_data)


@pytest.mark.parametrize("version", [0, HASH_VERSION + 1])
def test_unknown_hashes_are_refused(version: int) -> None:
    with pytest.raises(UnknownVersion, match=f"hash_version: expected 1 to {HASH_VERSION}, found {version}"):
        snapshot_from_bytes(changed(set_("hash_version", version)), full_data)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("state.trading", 2),
        ("state.instruments[0].data.l1_time_ns", 8),
        ("state.instruments[1].data.l1.best_bid_price", "99.5"),
        ("state.instruments[0].orders[1].price", "1"),
        ("state.instruments[1].position.trade_count", 9),
        ("state.instruments[1].exits.fees", "0"),
        ("state.assets[0].balance.free", "3"),
        ("state.connectivity[0].market_data", 2),
        ("state.cursors[0].ordinal", 0),
        ("state.timers[0].due_ns", 10),
        ("state.strategies[0].failure", ""),
        ("core_hash", "00"),
    ],
)
def test_a_core_state_that_is_not_the_written_one_is_refused(path: str, value: object) -> None:
    with pytest.raises(HashMismatch, match="core_hash: expected the core state"):
        snapshot_from_bytes(changed(set_(path, value)), full_data)


@pytest.mark.parametrize("make_data", [full_data, lambda _setup, _index: None])
def test_user_data_that_is_not_what_was_written_is_refused(
    make_data: Callable[[StrategySetup, IndexedInstruments], StrategyData | None],
) -> None:
    def change(message: pb.EngineSnapshot) -> None:
        data = message.state.strategies[0].data
        data.values[list(data.keys).index("text")].text = "other"

    with pytest.raises(HashMismatch, match="user_hash: expected the user data"):
        snapshot_from_bytes(changed(change), make_data)
    with pytest.raises(HashMismatch, match="user_hash: expected the user data not known"):
        snapshot_from_bytes(changed(set_("user_hash", "")), make_data)


@pytest.mark.parametrize(
    ("change", "error", "path"),
    [
        (lambda m: m.ClearField("started"), MissingField, "started"),
        (lambda m: m.ClearField("state"), MissingField, "state"),
        (lambda m: m.state.ClearField("index"), MissingField, "state.index"),
        (set_("core_hash", ""), MissingField, "core_hash"),
        (set_("engine_id", ""), MissingField, "engine_id"),
        (set_("engine_id", "other"), Inconsistent, "started.engine_id"),
        (set_("index_fingerprint", "00"), Inconsistent, "state.index"),
        (lambda m: m.state.connectivity.add(), Inconsistent, "state.connectivity"),
        (lambda m: m.state.assets.pop(), Inconsistent, "state.assets"),
        (lambda m: m.state.instruments.pop(), Inconsistent, "state.instruments"),
        (lambda m: m.state.cursors.pop(), Inconsistent, "state.cursors"),
        (lambda m: m.state.instruments[1].ClearField("exits"), MissingField, "state.instruments[1].exits"),
        (
            lambda m: m.state.instruments[1].orders.append(m.state.instruments[1].orders[0]),
            Inconsistent,
            "state.instruments[1].orders",
        ),
        (set_("state.instruments[1].data.price_last", "x"), InvalidNumber, "state.instruments[1].data.price_last"),
        (set_("state.connectivity[0].account", 0), UnknownEnum, "state.connectivity[0].account"),
        (set_("state.timers[0].strategy", ""), MissingField, "state.timers[0].strategy"),
        (lambda m: m.state.strategies[0].data.keys.pop(), Inconsistent, "state.strategies[0].data.keys"),
    ],
)
def test_parts_that_cannot_be_are_named(
    change: Callable[[pb.EngineSnapshot], object], error: type[DecodeError], path: str
) -> None:
    with pytest.raises(error) as found:
        snapshot_from_bytes(changed(change), full_data)
    assert found.value.path == path


def test_what_is_no_snapshot_is_refused() -> None:
    with pytest.raises(Malformed):
        snapshot_from_bytes(b"\xff\xff", full_data)
    with pytest.raises(UnknownVersion):
        snapshot_from_bytes(b"", full_data)


# ---------------------------------------------------------------------------------------------- user data


class Deaf(StrategyData):
    """Does not take back what it is given."""

    def from_plain(self, plain: dict[str, object]) -> None:
        """Forget it."""


class Angry(StrategyData):
    """Raises when it is given something."""

    def from_plain(self, plain: dict[str, object]) -> None:
        raise RuntimeError(f"{len(plain)} are too many")


def _raises(_setup: StrategySetup, _index: IndexedInstruments) -> StrategyData:
    raise ValueError("no such parameter")


@pytest.mark.parametrize(
    ("make_data", "reason"),
    [
        (lambda _setup, _index: Deaf(), "Deaf does not remember what it was given"),
        (lambda _setup, _index: Memory(), "Memory does not remember what it was given"),
        (lambda _setup, _index: Angry(), "raised RuntimeError: 8 are too many"),
        (_raises, "raised ValueError: no such parameter"),
    ],
)
def test_data_that_does_not_come_back_is_named(
    make_data: Callable[[StrategySetup, IndexedInstruments], StrategyData | None], reason: str
) -> None:
    with pytest.raises(DataNotRestored, match=reason) as found:
        snapshot_from_bytes(PAYLOAD, make_data)
    assert found.value.path == "state.strategies[0].data"
    assert "strategy s" in str(found.value)


def test_data_of_a_missing_class_is_kept_until_the_next_event() -> None:
    found = snapshot_from_bytes(PAYLOAD, lambda _setup, _index: None)
    state = found.state
    strategy = state.strategies[0]
    strategy.failure = ""
    data = strategy.data
    assert isinstance(data, KeptData)
    assert data.to_plain() == Everything().to_plain()
    assert not strategy.has_class
    with pytest.raises(KeyError, match="not available"):
        state.strategy_data(strategy.setup.id)
    assert hash_state(state).user == found.head.hash.user
    strategy.process(state, public_trade())
    assert strategy.plain() is None
    assert hash_state(state).user == ""


def test_data_that_is_not_known_is_not_written() -> None:
    snapshot = snapshot_from_bytes(PAYLOAD, lambda _setup, _index: None)
    strategy = snapshot.state.strategies[0]
    strategy.failure = ""
    strategy.apply_patch("text", "patched")
    assert strategy.plain() is None
    message = pb.EngineSnapshot.FromString(snapshot_to_bytes(snapshot))
    assert not message.state.strategies[0].HasField("data")


def test_a_kept_part_can_be_given_anew() -> None:
    data = KeptData({"a": 1})
    data.process(full_run().engine.state, public_trade())
    data.from_plain({"b": 2})
    assert data.is_current
    assert data.to_plain() == {"b": 2}


# ---------------------------------------------------------------------------------------------- writing


def test_data_that_is_not_plain_is_not_written() -> None:
    snapshot = full_snapshot()
    data = snapshot.state.strategies[0].data
    assert isinstance(data, Everything)
    data.items.append(1.5)
    with pytest.raises(EncodeError, match=r"what strategy s remembers: .* found float"):
        snapshot_to_bytes(snapshot)


def _other_order(state: EngineState) -> None:
    state.instruments[0].orders.update({order_in(cid="a").key.cid: order_in(cid="b")})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_other_order, "expected order b under its own id, found it under a"),
        (lambda state: state.instruments.reverse(), "expected the state of each instrument of the index"),
        (lambda state: state.assets.pop(ASSET_BTC), "expected the state of each asset of the index"),
        (lambda state: setattr(state, "index", usual_index()), "expected the state of each asset of the index"),
        (lambda state: setattr(state.cursors[0], "ordinal", -1), "EngineSnapshot: "),
    ],
)
def test_a_state_that_cannot_be_told_is_not_written(damage: Callable[[EngineState], object], reason: str) -> None:
    snapshot = full_snapshot()
    damage(snapshot.state)
    with pytest.raises(EncodeError, match=reason):
        snapshot_to_bytes(snapshot)
