"""Put what happens on one account into its journal, as its only writer."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from tradebus.bus.interface import Bus
from tradebus.crash_points import crash_point
from tradebus.journal.ending import check_last_link
from tradebus.journal.sealed import BATCH_BYTES_MAX, ITEM_BYTES_MAX, TICKS_MAX, ItemTooLarge, SealedBatch, sealed
from tradebus.journal.verify import JournalDamaged
from tradebus.journal.writer import BatchSource, JournalWriter
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import (
    AccountBatchHead,
    AccountEntry,
    AccountRecord,
    Ownership,
    account_batch_from_bytes,
    account_batch_join,
    account_entry_frame,
    account_entry_to_bytes,
)
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import CHAIN_START, IntegrityError, verify_chain_hash, verify_checksum


@dataclass(frozen=True, slots=True)
class _Waiting:
    encoded: bytes
    audit_sequence: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AccountEnd:
    """The stream's last sequence (0: empty), that message's chain hash, and the last entry in it (-1: none)."""

    position: int
    chain: str
    entry: int


async def account_end(bus: Bus, account: str) -> AccountEnd:
    """Return where an account's journal ends.

    Raises JournalDamaged for a last message that is not what was written, or does not follow the one before it.
    """
    last = await bus.last_message(subjects.acct_stream(account))
    if last is None:
        return AccountEnd(0, CHAIN_START, -1)
    try:
        verify_checksum(last.payload, last.headers)
        chain = verify_chain_hash(last.payload, last.headers)
        batch = account_batch_from_bytes(last.payload)
    except (IntegrityError, DecodeError) as error:
        raise JournalDamaged(last.stream, last.sequence, str(error)) from error
    await check_last_link(bus, last, batch.head.previous_chain)
    return AccountEnd(last.sequence, chain, batch.head.last_entry)


@final
class AccountJournal(BatchSource):
    """The journal of one account from where it ends. The first record takes the ownership.

    ``written`` is called after each batch that is on disk.
    """

    def __init__(
        self,
        bus: Bus,
        account: str,
        owner: str,
        fingerprint: str,
        end: AccountEnd,
        written: Callable[[], None] = lambda: None,
    ) -> None:
        self.account: Final = account
        self._owner: Final = owner
        self.owner_epoch: Final = end.position + 1
        self._next_entry = end.entry + 1
        self._waiting: Final[deque[_Waiting]] = deque()
        self._fingerprint = fingerprint
        self._written: Final = written
        self.durable_entries = end.entry + 1
        self.writer: Final = JournalWriter(
            bus,
            subjects.acct(account),
            subjects.acct_stream(account),
            self,
            position=end.position,
            chain=end.chain,
            stored_point="execution.after_append",
        )

    def use_index(self, fingerprint: str) -> None:
        """Name the numbering that the next records use."""
        self._fingerprint = fingerprint

    def take_ownership(self, time_ns: int) -> None:
        """Record that this process owns the account now."""
        self.add(Ownership(self._owner, self.owner_epoch), time_ns, 0)

    @property
    def is_owned(self) -> bool:
        """Tell whether the record that takes the ownership is on disk."""
        return self.writer.position >= self.owner_epoch

    def add(self, record: AccountRecord, time_ns: int, audit_sequence: int, request: int | None = None) -> None:
        """Add a record; with it and those before, everything from ticks before ``audit_sequence`` is there.

        ``request``: the entry of the request that an event tells of.

        Raises ItemTooLarge for a record that no batch can hold, and EncodeError.
        """
        encoded = account_entry_frame(account_entry_to_bytes(AccountEntry(time_ns, record, request)))
        if len(encoded) > ITEM_BYTES_MAX:
            raise ItemTooLarge(f"{type(record).__name__} of account {self.account}", len(encoded))
        self._waiting.append(_Waiting(encoded, audit_sequence, self._fingerprint))
        self.writer.wake()

    @property
    def next_entry(self) -> int:
        """Return the number of the entry that is added next."""
        return self._next_entry + len(self._waiting)

    @property
    def pending(self) -> int:
        """Return how many records are not in a batch yet."""
        return len(self._waiting)

    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        """Return the next batch: as many waiting records of one numbering as fit."""
        if not self._waiting:
            return None
        frames: list[bytes] = []
        size = 0
        taken = self._waiting[0]
        fingerprint = taken.fingerprint
        while self._waiting and len(frames) < TICKS_MAX:
            waiting = self._waiting[0]
            if waiting.fingerprint != fingerprint or (frames and size + len(waiting.encoded) > BATCH_BYTES_MAX):
                break
            taken = self._waiting.popleft()
            frames.append(taken.encoded)
            size += len(taken.encoded)
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
            taken.audit_sequence,
            fingerprint,
        )
        crash_point("execution.before_append")
        return sealed(account_batch_join(head, frames), first, last)

    def durable(self, batch: SealedBatch, sequence: int) -> None:
        """Take note that records are on disk."""
        self.durable_entries = batch.last + 1
        if sequence == self.owner_epoch:
            crash_point("execution.on_ownership")
        self._written()
