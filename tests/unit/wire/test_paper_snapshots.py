"""A snapshot of a simulated account is what was written, or an error that says what is wrong."""

import pytest

from tests.golden.wire.simulation import full_paper_snapshot, full_state
from tests.support.leaves import changed_leaves
from tradebus.core.model.number import ONE
from tradebus.core.simulation.state import SimulationState, simulation_hash
from tradebus.wire.codec.error import DecodeError, HashMismatch, Inconsistent, UnknownVersion
from tradebus.wire.codec.paper_snapshot import paper_snapshot_from_bytes, paper_snapshot_to_bytes
from tradebus.wire.pb.v1 import simulation_pb2 as pb


def written() -> pb.PaperSnapshot:
    return pb.PaperSnapshot.FromString(paper_snapshot_to_bytes(full_paper_snapshot()))


def test_a_state_that_is_not_the_one_written_is_refused() -> None:
    message = written()
    message.exchange.state.balances[0].total = "5.1"
    with pytest.raises(HashMismatch, match="state_hash: expected the state"):
        paper_snapshot_from_bytes(message.SerializeToString())


def test_an_unknown_version_is_refused_before_anything_else_is_read() -> None:
    message = pb.PaperSnapshot(format_version=1000, hash_version=1)
    with pytest.raises(UnknownVersion, match="format_version: expected 1, found 1000"):
        paper_snapshot_from_bytes(message.SerializeToString())
    message = pb.PaperSnapshot(format_version=1, hash_version=1000)
    with pytest.raises(UnknownVersion, match="hash_version: expected 1 to"):
        paper_snapshot_from_bytes(message.SerializeToString())


def test_a_state_of_another_index_is_refused() -> None:
    message = written()
    del message.exchange.state.books[0]
    with pytest.raises(Inconsistent, match=r"state\.books: expected 3 books, found 2"):
        paper_snapshot_from_bytes(message.SerializeToString())


def test_bytes_that_are_none_are_refused() -> None:
    with pytest.raises(DecodeError):
        paper_snapshot_from_bytes(b"\xff\xff")
    with pytest.raises(DecodeError):
        paper_snapshot_from_bytes(b"")


def without_orders() -> SimulationState:
    """Return a state without resting orders, which are made in another way than their fields are listed."""
    full = full_state()
    return SimulationState(
        full.books,
        (),
        full.arrivals,
        full.deliveries,
        full.balances,
        full.sequence,
        full.ordinal,
        full.orders,
        full.trades,
        full.history,
    )


def test_the_hash_changes_with_every_leaf() -> None:
    state = without_orders()
    hashes = {simulation_hash(state)}
    changes = list(changed_leaves(state))
    for path, changed in changes:
        assert isinstance(changed, SimulationState)
        found = simulation_hash(changed)
        assert found not in hashes, path
        hashes.add(found)
    assert len(changes) > 50


@pytest.mark.parametrize("field", ["filled", "queue_ahead"])
def test_the_hash_changes_with_what_changes_in_an_order(field: str) -> None:
    changed = full_state()
    setattr(changed.resting[0], field, ONE)
    assert simulation_hash(changed) != simulation_hash(full_state())
