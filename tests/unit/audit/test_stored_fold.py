"""A fold that goes on from a checkpoint is the fold that was never interrupted: state, rows, counts, everything."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.projections.plain import NotPlain, from_plain, to_plain
from services.audit.projections.stored import StoredRowsUnreadable, frozen_rows, frozen_short, projections_from
from services.audit.status import audit_status
from services.audit.stored_fold import freeze, thaw
from tests.support.audit_api import new_fold
from tests.support.audit_run import EngineRun, messages_of
from tests.support.full_state import full_state
from tradebus.bus.message import JournalMessage
from tradebus.core.model.side import Side
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.strategies.loading import load_data, load_user_data

STREAM = "AUDIT_demo"
LIMITS = Limits()


def folded(messages: list[JournalMessage], limits: Limits = LIMITS) -> Fold:
    fold = new_fold(limits)
    for message in messages:
        assert fold.take(message).broke is None
    return fold


def stored_and_back(fold: Fold, folder: Path, limits: Limits = LIMITS) -> Fold:
    ice = freeze(fold, STREAM)
    checkpoints = Checkpoints(folder)
    assert ice.rows is not None
    checkpoints.write(ice.head, ice.snapshot, ice.extras(), ice.rows())
    head, snapshot = checkpoints.read(fold.sequence, load_data, load_user_data)
    extras, rows = checkpoints.extras(fold.sequence), checkpoints.rows(fold.sequence)
    assert extras is not None
    assert rows is not None
    restored = new_fold(limits)
    thaw(restored, head, snapshot, extras, rows, limits)
    return restored


def everything(fold: Fold) -> dict[str, object]:
    """Return all that the service tells of a fold, less what counts since its own start."""
    status = dict(audit_status(fold, STREAM, is_caught_up=True))
    del status["verification"]
    rows = [frozen_short(fold.projections), json.loads(frozen_rows(fold.projections)())]
    numberings = [(each.first_sequence, each.index.fingerprint()) for each in fold.numberings]
    return {
        "status": status,
        "rows": rows,
        "numberings": numberings,
        "chain": fold.chain,
        "run": fold.run_name,
        "stored": fold.stored_ns,
    }


@pytest.mark.parametrize("at", [1, 7, 40, 90])
def test_going_on_from_a_checkpoint_is_as_never_having_stopped(run: EngineRun, tmp_path: Path, at: int) -> None:
    messages = messages_of(run.batches())
    fold = stored_and_back(folded(messages[:at]), tmp_path)
    assert everything(fold) == everything(folded(messages[:at]))
    assert fold.run_name
    for message in messages[at:]:
        assert fold.take(message).broke is None
    assert everything(fold) == everything(folded(messages))
    assert fold.hash() == run.engine.hash()
    assert fold.verification.equal > 0 == fold.verification.unequal


def test_bounded_rows_stay_numbered(run: EngineRun, tmp_path: Path) -> None:
    limits = Limits(fills=5, orders=3, exits=1)
    messages = messages_of(run.batches())
    fold = stored_and_back(folded(messages[:60], limits), tmp_path, limits)
    for message in messages[60:]:
        fold.take(message)
    whole = folded(messages, limits)
    assert everything(fold) == everything(whole)
    assert next(fold.projections.fills.rows.newest_first())[0] == whole.projections.fills.rows.count > 5
    assert fold.projections.orders.dropped == whole.projections.orders.dropped > 0


def test_what_was_frozen_does_not_change_with_later_ticks(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fold = folded(messages[:50])
    ice = freeze(fold, STREAM)
    before = freeze(folded(messages[:50]), STREAM)
    for message in messages[50:]:
        fold.take(message)
    assert ice.rows is not None
    assert before.rows is not None
    assert (ice.head, ice.snapshot, ice.extras()) == (before.head, before.snapshot, before.extras())
    assert ice.rows() == before.rows()


@pytest.mark.parametrize("content", [{}, [1], {"format": 3}, {"format": 4}, {"format": 4, "counts": {}, "kinds": {}}])
def test_projections_that_are_none_are_refused(content: object) -> None:
    with pytest.raises(StoredRowsUnreadable, match="expected projections of format 4"):
        projections_from(content, None, LIMITS)


@pytest.mark.parametrize("rows", [b"", b"{}", b"[1]", b'{"format":3}', b'{"format":4}'])
def test_rows_that_are_none_are_refused(run: EngineRun, rows: bytes) -> None:
    short = frozen_short(folded(messages_of(run.batches())[:9]).projections)
    with pytest.raises(StoredRowsUnreadable, match="expected projections of format 4"):
        projections_from(short, rows, LIMITS)


def test_without_rows_a_fold_has_the_state_and_what_is_short(run: EngineRun, tmp_path: Path) -> None:
    messages = messages_of(run.batches())
    fold = folded(messages[:60])
    ice = freeze(fold, STREAM, with_rows=False)
    assert ice.rows is None
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(ice.head, ice.snapshot, ice.extras())
    head, snapshot = checkpoints.read(fold.sequence, load_data, load_user_data)
    extras = checkpoints.extras(fold.sequence)
    assert extras is not None
    restored = new_fold()
    thaw(restored, head, snapshot, extras, None, LIMITS)
    for each in (fold, restored):
        for message in messages[60:]:
            each.take(message)
    assert restored.hash() == fold.hash()
    assert restored.run_first == fold.run_first
    assert restored.verification.last == fold.verification.last
    assert frozen_short(restored.projections) == frozen_short(fold.projections)
    assert restored.projections.fills.rows.count < fold.projections.fills.rows.count


def test_a_fold_refuses_extras_that_are_none_and_stays_empty(run: EngineRun, tmp_path: Path) -> None:
    ice = freeze(folded(messages_of(run.batches())[:9]), STREAM)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write(ice.head, ice.snapshot)
    head, snapshot = checkpoints.read(ice.head.sequence, load_data)
    for extras in (b"", b"{}", b"[]", ice.extras()[:-5]):
        fold = new_fold()
        with pytest.raises(StoredRowsUnreadable):
            thaw(fold, head, snapshot, extras, None, LIMITS)
        assert not fold.is_started
        assert fold.position == 0


def test_values_of_the_core_come_back_equal() -> None:
    state = full_state()
    orders = [order for instrument in state.instruments for order in instrument.orders.values()]
    positions = [instrument.position for instrument in state.instruments if instrument.position is not None]
    assert orders
    assert positions
    for value in (*orders, *positions, state.index, Decimal("1.50"), None, True, (Side.BUY, [1, "a"])):
        found = from_plain(json.loads(json.dumps(to_plain(value))))
        assert found == value
        assert type(found) is type(value)
        assert repr(found) == repr(value)


def test_classes_and_fields_of_another_version_are_refused() -> None:
    with pytest.raises(NotPlain, match="expected a class of the core, found 'Popen'"):
        from_plain({"r": ["Popen", {"args": "true"}]})
    with pytest.raises(NotPlain, match="Balance: expected the fields total, free, found total"):
        from_plain({"r": ["Balance", {"total": {"d": "1"}}]})
    with pytest.raises(NotPlain, match="expected an enumeration of the core"):
        from_plain({"e": ["Signals", "SIGKILL"]})
    with pytest.raises(NotPlain, match="expected a value of the core, found 'x'"):
        from_plain({"x": 1})
    with pytest.raises(NotPlain, match="expected a value of the core, found float"):
        to_plain(1.5)
