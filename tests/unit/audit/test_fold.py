"""The fold applies what it can prove, compares hashes, and stops for good at the first thing it cannot."""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal

import pytest

from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.stored_fold import freeze
from services.audit.taken import BreakKind
from services.audit.verification import Agreement
from tests.support.audit_api import new_fold
from tests.support.audit_run import (
    EngineRun,
    Hashed,
    batches_of,
    market_events,
    messages_of,
    sealed_batch,
    started_demo,
)
from tradebus.bus.message import JournalMessage
from tradebus.core.backtest.result import run_backtest
from tradebus.core.engine.audit.state_hash import StateHash, hash_state
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.state.strategy_data import StrategyData
from tradebus.core.risk.interface import RiskManager
from tradebus.journal.sealed import sealed
from tradebus.strategies.loading import load_data, load_strategy, load_user_data
from tradebus.wire.codec.snapshot import snapshot_from_bytes
from tradebus.wire.integrity import CHAIN_HEADER, CRC_HEADER, checksum


def take_all(fold: Fold, messages: Sequence[JournalMessage]) -> None:
    for message in messages:
        fold.take(message)


def test_state_is_the_engines_after_every_hash_and_at_the_end(run: EngineRun, folded: Fold) -> None:
    assert folded.verification.equal >= len(run.ticks) // 16
    assert folded.verification.unequal == folded.verification.not_verified == 0
    assert folded.is_exact
    assert folded.sequence == run.engine.sequence - 1
    assert folded.time_ns == run.engine.time_ns
    assert folded.state is not run.engine.state
    assert folded.hash() == run.engine.hash()


def test_what_is_counted_is_what_was_run(run: EngineRun, folded: Fold) -> None:
    counts = folded.projections.counts
    assert folded.ticks == len(run.ticks)
    assert counts.market_events == run.market_events
    assert sum(counts.by_kind().values()) == len(run.ticks)
    assert counts.orders_sent > counts.cancels_sent > 0
    assert counts.fills == len(folded.projections.fills.rows) > 50
    assert counts.positions_exited == len(folded.projections.exits.rows) > 0


def test_digest_is_that_of_a_backtest_on_the_same_events(run: EngineRun) -> None:
    fold = new_fold(with_digest=True)
    take_all(fold, messages_of(run.batches()))
    started = started_demo()
    strategies = [load_strategy(setup, started.index) for setup in started.strategies]
    result = run_backtest(market_events(500, 7), started, strategies, RiskManager())
    assert fold.digest() == result.digest
    assert fold.hash() == result.hash


def test_flipped_byte_stops_at_the_checksum(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    damaged = bytearray(messages[20].payload)
    damaged[len(damaged) // 2] ^= 0x10
    messages[20] = dataclasses.replace(messages[20], payload=bytes(damaged))
    fold = new_fold()
    take_all(fold, messages[:20])
    before = fold.sequence, hash_state(fold.state)
    taken = fold.take(messages[20])
    assert taken.broke is fold.broken
    assert fold.broken is not None
    assert fold.broken.kind is BreakKind.CHECKSUM
    assert fold.broken.stream_sequence == 21
    assert (fold.sequence, hash_state(fold.state)) == before
    assert not fold.is_exact


def test_nothing_is_taken_in_after_a_break(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fold = new_fold()
    take_all(fold, [*messages[:10], *messages[11:]])
    assert fold.sequence == run.batches()[9].last
    assert fold.skipped == len(messages) - 12
    assert fold.broken is not None
    assert fold.broken.sequence == fold.sequence


def test_message_that_is_missing_is_a_gap(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fold = new_fold()
    take_all(fold, messages[:10])
    fold.take(messages[11])
    assert fold.broken is not None
    assert fold.broken.kind is BreakKind.GAP
    assert "expected message 11" in fold.broken.reason


def test_batch_taken_out_of_the_chain_is_found_though_the_stream_has_no_hole(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    renumbered = [
        dataclasses.replace(message, sequence=number)
        for number, message in enumerate([*messages[:10], *messages[11:]], start=1)
    ]
    fold = new_fold()
    take_all(fold, renumbered)
    assert fold.broken is not None
    assert fold.broken.kind is BreakKind.GAP
    assert fold.broken.stream_sequence == 11


def test_rewritten_batch_breaks_the_chain_at_its_successor(run: EngineRun) -> None:
    """A batch whose bytes, checksum and own chain hash all agree, but which is not the one that was written."""
    batches = run.batches()
    messages = messages_of(batches)
    ticks = run.ticks[batches[10].first : batches[10].last + 1]
    last = AuditTick(ticks[-1].sequence, ticks[-1].time_ns + 1, ticks[-1].event, ticks[-1].outputs, ticks[-1].errors)
    forged = sealed_batch([*ticks[:-1], last], run.engine.started, batches[9].chain, None)
    messages[10] = dataclasses.replace(messages[10], payload=forged.payload, headers=forged.headers)
    fold = new_fold()
    take_all(fold, messages)
    assert fold.broken is not None
    assert fold.broken.kind is BreakKind.CHAIN
    assert fold.broken.stream_sequence == 12


def test_chain_hash_that_is_not_the_payloads_is_refused(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    headers = {**(messages[3].headers or {}), CHAIN_HEADER: "0" * 32}
    messages[3] = dataclasses.replace(messages[3], headers=headers)
    fold = new_fold()
    take_all(fold, messages)
    assert fold.broken is not None
    assert fold.broken.kind is BreakKind.CHAIN
    assert fold.broken.stream_sequence == 4


@pytest.mark.parametrize("payload", [b"", b"\xff\xff\xff", b"not protobuf at all", b"\x0a\x04demo"])
def test_bytes_that_are_no_batch_are_malformed(run: EngineRun, payload: bytes) -> None:
    messages = messages_of(run.batches())
    batch = sealed(payload, 0, 0)
    messages[5] = dataclasses.replace(messages[5], payload=batch.payload, headers=batch.headers)
    fold = new_fold()
    take_all(fold, messages)
    assert fold.broken is not None
    assert fold.broken.kind is BreakKind.MALFORMED
    assert fold.broken.reason


def test_message_without_headers_is_refused(run: EngineRun) -> None:
    message = dataclasses.replace(messages_of(run.batches())[0], headers={CRC_HEADER: checksum(b"other")})
    fold = new_fold()
    fold.take(message)
    assert fold.broken is not None
    assert fold.broken.kind is BreakKind.CHECKSUM
    assert not fold.is_started


def test_altered_state_is_unequal_at_the_next_hash_and_stays_so(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fold = new_fold()
    take_all(fold, messages[:30])
    balance = fold.state.instruments[0].exits
    balance.pnl_realised += Decimal("0.00000001")
    take_all(fold, messages[30:40])
    balance.pnl_realised -= Decimal("0.00000001")
    take_all(fold, messages[40:])
    assert fold.broken is None
    assert fold.verification.unequal > 0
    assert fold.verification.last is not None
    assert fold.verification.last.is_equal
    assert not fold.is_exact
    first = fold.verification.first_unequal
    assert first is not None
    assert (first.core, first.user) == (Agreement.UNEQUAL, Agreement.EQUAL)


def test_altered_user_data_is_unequal_in_the_user_root_only(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fold = new_fold()
    take_all(fold, messages[:30])
    data = fold.state.strategies[0].data
    assert data is not None
    data.apply_patch("seen", [900, 900, 900])
    while fold.verification.first_unequal is None:
        take_all(fold, [messages[fold.position]])
    assert fold.verification.first_unequal.core is Agreement.EQUAL
    assert fold.verification.first_unequal.user is Agreement.UNEQUAL


def test_user_part_is_not_verified_without_the_class(run: EngineRun) -> None:
    fold = Fold(lambda setup, index: None, Limits(), "demo")
    take_all(fold, messages_of(run.batches()))
    assert fold.broken is None
    assert fold.verification.last is not None
    assert fold.verification.last.core is Agreement.EQUAL
    assert fold.verification.last.user is Agreement.NOT_VERIFIED
    assert not fold.verification.last.is_equal
    assert fold.verification.not_verified > 0 == fold.verification.unequal


def test_hash_of_another_version_is_not_verified(run: EngineRun) -> None:
    own = run.engine.hash()
    hashed = [*run.hashed[:-1], Hashed(run.ticks[-1], StateHash(own.version + 1, own.core, own.user))]
    fold = new_fold()
    take_all(fold, messages_of(batches_of(hashed, run.engine.started)))
    assert fold.verification.last is not None
    assert fold.verification.last.core is Agreement.NOT_VERIFIED


def test_journal_of_another_mode_is_refused(run: EngineRun) -> None:
    fold = new_fold(mode="live")
    taken = fold.take(messages_of(run.batches())[0])
    assert taken.broke is not None
    assert taken.broke.kind is BreakKind.WRONG_MODE
    assert "expected a journal of mode 'live', found one of 'demo'" in taken.broke.reason


def test_strategy_that_cannot_be_made_breaks_the_fold(run: EngineRun) -> None:
    def fail(setup: object, index: object) -> StrategyData | None:
        raise RuntimeError("no such parameter")

    fold = Fold(fail, Limits(), "demo")
    taken = fold.take(messages_of(run.batches())[0])
    assert taken.broke is not None
    assert taken.broke.kind is BreakKind.NOT_APPLICABLE
    assert "RuntimeError: no such parameter" in taken.broke.reason


def test_engine_that_starts_afresh_begins_a_new_run_in_the_same_journal(run: EngineRun) -> None:
    """A second engine goes on behind the first one's ticks; its state, counts and fills are its own."""
    first = run.batches()
    again = EngineRun(events=60, seed=11)
    offset = len(run.ticks)
    shifted = [
        Hashed(AuditTick(t.tick.sequence + offset, t.tick.time_ns, t.tick.event, t.tick.outputs, t.tick.errors), t.hash)
        for t in again.hashed
    ]
    second = batches_of([*run.hashed[:-1], Hashed(run.ticks[-1], run.engine.hash()), *shifted], run.engine.started)
    assert [batch.payload for batch in second[: len(first)]] == [batch.payload for batch in first]
    fold = new_fold()
    take_all(fold, messages_of(second))
    assert fold.broken is None, fold.broken
    assert fold.is_exact
    assert fold.sequence == offset + len(again.ticks) - 1
    assert fold.hash() == again.engine.hash()
    assert fold.projections.counts.market_events == 60
    assert len(fold.projections.fills.rows) == fold.projections.counts.fills
    assert len(fold.numberings) == 1
    assert fold.numbering_at(0) is fold.numberings[0].index


def test_a_fold_that_begins_anew_knows_the_state_and_nothing_before_it(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    before = new_fold()
    take_all(before, messages[:40])
    frozen = freeze(before, "AUDIT_demo")
    fold = new_fold()
    fold.begin_anew(frozen.head, snapshot_from_bytes(frozen.snapshot, load_data, load_user_data))
    assert (fold.begun_anew_at, fold.hash()) == (before.sequence, before.hash())
    assert (fold.ticks, fold.projections.counts.fills) == (0, 0)
    take_all(fold, messages[40:])
    assert fold.is_exact
    assert fold.verification.equal > 0
    assert fold.hash() == run.engine.hash()
    assert fold.projections.counts.fills == len(fold.projections.fills.rows) > 0
    take_all(before, messages[40:])
    assert fold.projections.counts.fills < before.projections.counts.fills
