"""What a reader of a journal refuses: every way in which stored batches can differ from what was written."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.golden.wire.corpus import FINGERPRINT, T0, corpus
from tests.unit.journal.batches import batch
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import ClockAdvanced
from tradebus.journal.sealed import SealedBatch, sealed
from tradebus.journal.verify import AccountVerifier, AuditVerifier, JournalDamaged
from tradebus.wire.codec.account_journal import account_batch_from_bytes, account_batch_to_bytes
from tradebus.wire.codec.audit import AuditBatch, AuditBatchHead, audit_batch_to_bytes
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.integrity import CHAIN_HEADER, CHAIN_START, CRC_HEADER


def stored(payload: bytes, headers: Mapping[str, str] | None, sequence: int) -> JournalMessage:
    return JournalMessage("STREAM", "subject", sequence, payload, headers, 0, 0)


def messages(*batches: SealedBatch) -> list[JournalMessage]:
    return [stored(made.payload, made.headers, i) for i, made in enumerate(batches, 1)]


def audit_batch(
    first: int, previous_chain: str, *, engine: str = "demo", epoch: int = 1, count: int = 2
) -> SealedBatch:
    ticks = tuple(AuditTick(first + i, T0 + i, ClockAdvanced(), (), ()) for i in range(count))
    head = AuditBatchHead(engine, epoch, first, first + count - 1, bytes.fromhex(previous_chain), FINGERPRINT, 1)
    return sealed(audit_batch_to_bytes(AuditBatch(head, ticks)), first, first + count - 1)


def audit_journal() -> list[SealedBatch]:
    value, encoded = corpus()["audit_batch-first"]
    assert isinstance(value, AuditBatch)
    first = sealed(encoded, 0, value.head.last_sequence)
    second = audit_batch(first.last + 1, first.chain)
    return [first, second, audit_batch(second.last + 1, second.chain)]


def test_an_audit_journal_is_read_batch_by_batch() -> None:
    verifier = AuditVerifier()
    for message, made in zip(messages(*audit_journal()), audit_journal(), strict=True):
        read = verifier.accept(message)
        assert (read.head.first_sequence, read.head.last_sequence) == (made.first, made.last)
        assert (verifier.position, verifier.chain, verifier.sequence) == (message.sequence, made.chain, made.last)
    assert (verifier.engine_id, verifier.engine_epoch) == ("demo", 1)


def test_reading_may_begin_in_the_middle() -> None:
    journal = audit_journal()
    verifier = AuditVerifier(position=1, chain=journal[0].chain, sequence=journal[0].last)
    assert verifier.accept(messages(*journal)[1]).head.first_sequence == journal[1].first


def flipped(message: JournalMessage, at: int) -> JournalMessage:
    payload = bytearray(message.payload)
    payload[at] ^= 1
    return replace(message, payload=bytes(payload))


def resealed(message: JournalMessage, made: SealedBatch) -> JournalMessage:
    return replace(message, payload=made.payload, headers=made.headers)


def without(name: str) -> Callable[[JournalMessage], JournalMessage]:
    return lambda message: replace(
        message, headers={key: value for key, value in (message.headers or {}).items() if key != name}
    )


def forged(message: JournalMessage) -> JournalMessage:
    """Another payload whose checksum was made right, but not its chain hash."""
    other = batch("forger", 1, 1, 1)
    return replace(
        message, payload=other.payload, headers={**(message.headers or {}), CRC_HEADER: other.headers[CRC_HEADER]}
    )


FIRST = batch("one", 5, 0, 2)
CHAIN = FIRST.chain

DAMAGE: dict[str, tuple[Callable[[JournalMessage], JournalMessage], str]] = {
    "a flipped bit": (lambda message: flipped(message, 20), "Tb-Crc32c"),
    "a cut payload": (lambda message: replace(message, payload=message.payload[:-1]), "Tb-Crc32c"),
    "no headers": (lambda message: replace(message, headers=None), "expected the header Tb-Crc32c, found none"),
    "no checksum": (without(CRC_HEADER), "expected the header Tb-Crc32c, found none"),
    "no chain hash": (without(CHAIN_HEADER), "expected the header Tb-Chain, found none"),
    "a forged payload": (forged, "Tb-Chain: the header says"),
    "a missing message": (lambda message: replace(message, sequence=3), "expected message 2"),
    "a repeated message": (lambda message: replace(message, sequence=1), "expected message 2"),
    "another chain": (lambda message: resealed(message, batch("one", 5, 2, 1, "1" * 32)), "the batch before has"),
    "a hole": (lambda message: resealed(message, batch("one", 5, 3, 1, CHAIN)), "expected entries from 2, found 3"),
    "an overlap": (lambda message: resealed(message, batch("one", 5, 1, 1, CHAIN)), "expected entries from 2, found 1"),
    "an earlier epoch": (
        lambda message: resealed(message, batch("one", 4, 2, 1, CHAIN)),
        "expected epoch 5 or later, found 4",
    ),
    "no message at all": (
        lambda message: resealed(message, sealed(b"\xff\xff", 2, 2)),
        "expected a AccountBatch, found 2 bytes",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_and_named_and_changes_nothing(name: str) -> None:
    damage, reason = DAMAGE[name]
    first, second = messages(FIRST, batch("one", 5, 2, 2, CHAIN))
    verifier = AccountVerifier(UNBOUNDED)
    verifier.accept(first)
    damaged = damage(second)
    with pytest.raises(JournalDamaged) as found:
        verifier.accept(damaged)
    assert reason in found.value.reason
    assert (found.value.stream, found.value.sequence) == ("STREAM", damaged.sequence)
    assert str(found.value).startswith(f"STREAM, message {damaged.sequence}: ")
    assert (verifier.position, verifier.chain, verifier.entry) == (1, CHAIN, 1)
    assert verifier.accept(second).head.last_entry == 3


def test_every_single_flipped_bit_of_a_batch_is_found() -> None:
    (message,) = messages(FIRST)
    for at in range(len(message.payload)):
        with pytest.raises(JournalDamaged):
            AccountVerifier(UNBOUNDED).accept(flipped(message, at))


def test_a_journal_that_does_not_begin_at_its_start_is_refused() -> None:
    later = batch("one", 1, 0, 1, "2" * 32)
    with pytest.raises(JournalDamaged, match=f"the batch before has {CHAIN_START}"):
        AccountVerifier(UNBOUNDED).accept(messages(later)[0])


def test_entries_beyond_the_index_are_refused() -> None:
    with pytest.raises(JournalDamaged, match=r"entries\[0\]\.reconnecting\.exchange"):
        AccountVerifier(IndexBounds(0, 0, 0)).accept(messages(FIRST)[0])


def test_a_batch_of_another_account_is_refused() -> None:
    made = account_batch_from_bytes(batch("one", 5, 2, 1, CHAIN).payload)
    other = replace(made, head=replace(made.head, account="sim_beta-paper"))
    first, second = messages(FIRST, sealed(account_batch_to_bytes(other), 2, 2))
    verifier = AccountVerifier(UNBOUNDED)
    verifier.accept(first)
    with pytest.raises(JournalDamaged, match="expected the account 'sim_alpha-paper', found 'sim_beta-paper'"):
        verifier.accept(second)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (lambda end: audit_batch(end.last + 2, end.chain), "expected ticks from"),
        (lambda end: audit_batch(end.last + 1, end.chain, engine="other"), "expected the engine 'demo', found 'other'"),
        (lambda end: audit_batch(end.last + 1, end.chain, epoch=0), "expected epoch 1 or later, found 0"),
        (lambda end: audit_batch(end.last + 1, "3" * 32), "the batch before has"),
    ],
)
def test_an_audit_batch_that_does_not_follow_is_refused(
    made: Callable[[SealedBatch], SealedBatch], reason: str
) -> None:
    first = audit_journal()[0]
    verifier = AuditVerifier()
    verifier.accept(messages(first)[0])
    with pytest.raises(JournalDamaged, match=reason):
        verifier.accept(messages(first, made(first))[1])
    assert (verifier.position, verifier.sequence) == (1, first.last)


def test_ticks_of_another_index_than_the_journal_began_with_are_refused() -> None:
    first = audit_journal()[0]
    head = AuditBatchHead("demo", 1, first.last + 1, first.last + 1, bytes.fromhex(first.chain), "beef", 1)
    foreign = AuditBatch(head, (AuditTick(first.last + 1, T0, ClockAdvanced(), (), ()),))
    verifier = AuditVerifier()
    verifier.accept(messages(first)[0])
    with pytest.raises(JournalDamaged, match=f"expected the index {FINGERPRINT}, found 'beef'"):
        verifier.accept(messages(first, sealed(audit_batch_to_bytes(foreign), 0, 0))[1])
