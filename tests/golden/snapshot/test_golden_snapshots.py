"""A snapshot that an earlier release wrote is read, and proven by its hash; one of a later release is refused."""

from pathlib import Path

import pytest

from tests.golden.snapshot.corpus import FOLDER, FUTURE, full_data
from tests.support.full_state import full_user_data
from tradebus.core.engine.audit.state_hash import hash_state
from tradebus.wire.codec.error import UnknownVersion
from tradebus.wire.codec.snapshot import (
    FORMAT_VERSION,
    snapshot_from_bytes,
    snapshot_head_from_bytes,
    snapshot_to_bytes,
)

STORED = sorted(FOLDER.glob("full-*.bin"))


def test_there_is_a_snapshot_of_every_version() -> None:
    assert [path.stem for path in STORED] == [f"full-{version}" for version in range(1, FORMAT_VERSION + 1)]


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_snapshots_are_read_back_and_proven(path: Path) -> None:
    payload = path.read_bytes()
    found = snapshot_from_bytes(payload, full_data, full_user_data)
    assert found.head == snapshot_head_from_bytes(payload)
    # Reading has compared it already; this says so without trusting the reader.
    assert hash_state(found.state, found.head.hash.version).equals(found.head.hash)
    assert found.head.config_fingerprint == "c0ffee"
    assert found.state.strategies[0].setup.params == (("fast", "1"),)
    assert all(instrument.orders and instrument.position is not None for instrument in found.state.instruments)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_stored_snapshots_lose_nothing_where_the_strategy_is_not_available(path: Path) -> None:
    payload = path.read_bytes()
    found = snapshot_from_bytes(payload, lambda _setup, _index: None)
    assert not found.state.strategies[0].has_class
    assert hash_state(found.state, found.head.hash.version).equals(found.head.hash)
    assert snapshot_from_bytes(snapshot_to_bytes(found), full_data, full_user_data) == snapshot_from_bytes(
        payload, full_data, full_user_data
    )


def test_a_snapshot_of_a_later_version_is_refused_before_it_is_read() -> None:
    with pytest.raises(UnknownVersion, match=rf"format_version: expected {FORMAT_VERSION}, found 1000"):
        snapshot_from_bytes(FUTURE.read_bytes(), full_data, full_user_data)
