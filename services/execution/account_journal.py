"""Put what happens on one account into its journal, as its only writer."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final, final

from tradebus.bus.interface import Bus
from tradebus.core.engine.event import AccountEvent
from tradebus.journal.sealed import BATCH_BYTES_MAX, TICKS_MAX, SealedBatch, sealed
from tradebus.journal.verify import AccountVerifier
from tradebus.journal.writer import BatchSource, JournalWriter
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import (
    AccountBatchHead,
    AccountEntry,
    AccountRecord,
    Ownership,
    account_batch_join,
    account_entry_frame,
    account_entry_to_bytes,
)
from tradebus.wire.codec.bounds import UNBOUNDED

WAITING_MAX: Final = 8 * TICKS_MAX


@dataclass(frozen=True, slots=True)
class _Waiting:
    encoded: bytes
    audit_sequence: int


@dataclass(frozen=True, slots=True)
class JournalContent:
    """What an account's journal holds: where it ends, and the events in it, in order."""

    position: int
    chain: str
    entry: int
    events: tuple[AccountEvent, ...]


async def read_account_journal(bus: Bus, account: str) -> JournalContent:
    """Return everything in an account's journal, verified; raises JournalDamaged or what the bus raises."""
    verifier = AccountVerifier(UNBOUNDED)
    events: list[AccountEvent] = []
    stream = subjects.acct_stream(account)
    reader = await bus.consume(stream, 1, lambda message: _collect(verifier.accept(message).entries, events))
    try:
        await reader.wait_caught_up()
    finally:
        await reader.stop()
    return JournalContent(verifier.position, verifier.chain, verifier.entry, tuple(events))


def _collect(entries: tuple[AccountEntry, ...], events: list[AccountEvent]) -> None:
    events.extend(entry.record for entry in entries if isinstance(entry.record, AccountEvent))


@final
class AccountJournal(BatchSource):
    """The journal of one account from where it ends. The first record takes the ownership."""

    def __init__(self, bus: Bus, account: str, owner: str, fingerprint: str, content: JournalContent) -> None:
        self.account: Final = account
        self._owner: Final = owner
        self.owner_epoch: Final = content.position + 1
        self._next_entry = content.entry + 1
        self._waiting: Final[deque[_Waiting]] = deque()
        self._fingerprint = fingerprint
        self._ready: Final = asyncio.Event()
        self._ready.set()
        self.durable_entries = content.entry + 1
        self.writer: Final = JournalWriter(
            bus,
            subjects.acct(account),
            subjects.acct_stream(account),
            self,
            position=content.position,
            chain=content.chain,
        )

    def use_index(self, fingerprint: str) -> None:
        """Name the numbering that the next records use."""
        self._fingerprint = fingerprint

    def take_ownership(self, time_ns: int) -> None:
        """Record that this process owns the account now."""
        self.add(Ownership(self._owner, self.owner_epoch), time_ns, 0)

    def add(self, record: AccountRecord, time_ns: int, audit_sequence: int) -> None:
        """Add a record; every tick before ``audit_sequence`` has been folded."""
        encoded = account_entry_frame(account_entry_to_bytes(AccountEntry(time_ns, record)))
        self._waiting.append(_Waiting(encoded, audit_sequence))
        self.writer.wake()

    @property
    def is_behind(self) -> bool:
        """Tell whether so many records wait that no more ticks should be folded."""
        return len(self._waiting) >= WAITING_MAX

    async def wait_ready(self) -> None:
        """Return when it is not behind."""
        while self.is_behind:
            self._ready.clear()
            await self._ready.wait()

    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        """Return the next batch: as many waiting records as fit."""
        frames: list[bytes] = []
        size = 0
        audit_sequence = 0
        while self._waiting and len(frames) < TICKS_MAX:
            waiting = self._waiting[0]
            if frames and size + len(waiting.encoded) > BATCH_BYTES_MAX:
                break
            self._waiting.popleft()
            frames.append(waiting.encoded)
            size += len(waiting.encoded)
            audit_sequence = waiting.audit_sequence
        if not frames:
            return None
        first = self._next_entry
        last = first + len(frames) - 1
        self._next_entry = last + 1
        head = AccountBatchHead(
            self.account,
            self._owner,
            self.owner_epoch,
            first,
            last,
            bytes.fromhex(previous_chain),
            audit_sequence,
            self._fingerprint,
        )
        if not self.is_behind:
            self._ready.set()
        return sealed(account_batch_join(head, frames), first, last)

    def durable(self, batch: SealedBatch, sequence: int) -> None:  # noqa: ARG002 - the stream's number is the writer's
        """Take note that records are on disk."""
        self.durable_entries = batch.last + 1
