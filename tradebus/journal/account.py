"""Write an account's journal: entries collected into sealed batches, as the only owner."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, final

from tradebus.bus.interface import Bus
from tradebus.journal.sealed import BATCH_BYTES_MAX, ITEM_BYTES_MAX, ItemTooLarge, SealedBatch, sealed
from tradebus.journal.verify import AccountVerifier
from tradebus.journal.writer import BatchSource, JournalWriter
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import (
    AccountBatchHead,
    AccountEntry,
    Ownership,
    account_batch_join,
    account_entry_frame,
    account_entry_to_bytes,
)

ENTRIES_MAX: Final = 512
BEHIND_ENTRIES: Final = 8 * ENTRIES_MAX


@final
class AccountJournal(BatchSource):
    """The journal of one account, taken over where ``verifier`` has read it to its end.

    Its first entry is the ownership record; ``owner_epoch`` is the stream sequence that this record's batch gets, which
    fencing makes certain: if somebody else is faster, ``writer.run`` raises Fenced and nothing was written.
    ``on_durable`` is called with the number of the last entry of each batch once it is on disk.
    """

    def __init__(
        self,
        bus: Bus,
        account: str,
        owner: str,
        index_fingerprint: str,
        verifier: AccountVerifier,
        time_ns: int,
        on_durable: Callable[[int], None] | None = None,
    ) -> None:
        self.account: Final = account
        self.owner: Final = owner
        self.owner_epoch: Final = verifier.position + 1
        self._fingerprint: Final = index_fingerprint
        self._on_durable: Final = on_durable
        # Encoded entries, each with the folded position that is true once it is stored, where that was said.
        self._frames: Final[deque[tuple[bytes, int | None]]] = deque()
        self._first = verifier.entry + 1
        self._next = self._first
        self._folded = verifier.audit_sequence
        self._ready: Final = asyncio.Event()
        self._ready.set()
        self.durable_entry = verifier.entry
        self.writer: Final = JournalWriter(
            bus,
            subjects.acct(account),
            subjects.acct_stream(account),
            self,
            position=verifier.position,
            chain=verifier.chain,
        )
        self.record(AccountEntry(time_ns, Ownership(owner, self.owner_epoch)))

    @property
    def pending(self) -> int:
        """Return how many entries are not in a batch yet."""
        return len(self._frames)

    @property
    def is_behind(self) -> bool:
        """Tell whether so many entries wait that nothing more should be done that makes some."""
        return len(self._frames) >= BEHIND_ENTRIES

    async def wait_ready(self) -> None:
        """Return when the journal is not behind."""
        while self.is_behind:
            self._ready.clear()
            await self._ready.wait()

    def record(self, entry: AccountEntry) -> int:
        """Take the next entry and return its number. Raises ItemTooLarge for one that no batch can hold."""
        encoded = account_entry_frame(account_entry_to_bytes(entry))
        if len(encoded) > ITEM_BYTES_MAX:
            raise ItemTooLarge(f"account {self.account}, entry {self._next}", len(encoded))
        self._frames.append((encoded, None))
        self._next += 1
        self.writer.wake()
        return self._next - 1

    def note_folded(self, audit_sequence: int) -> None:
        """Say that every tick before this sequence has been folded into what was recorded so far.

        Stands in the batch that holds the last entry recorded, or in the next one; it makes no batch of its own.
        """
        if self._frames:
            self._frames[-1] = (self._frames[-1][0], audit_sequence)
        else:
            self._folded = audit_sequence

    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        """Return the next batch: as many waiting entries as fit."""
        if not self._frames:
            return None
        taken: list[bytes] = []
        size = 0
        while self._frames and len(taken) < ENTRIES_MAX:
            encoded, folded = self._frames[0]
            if taken and size + len(encoded) > BATCH_BYTES_MAX:
                break
            self._frames.popleft()
            taken.append(encoded)
            size += len(encoded)
            if folded is not None:
                self._folded = folded
        last = self._first + len(taken) - 1
        head = AccountBatchHead(
            self.account,
            self.owner,
            self.owner_epoch,
            self._first,
            last,
            bytes.fromhex(previous_chain),
            self._folded,
            self._fingerprint,
        )
        batch = sealed(account_batch_join(head, taken), self._first, last)
        self._first = last + 1
        if not self.is_behind:
            self._ready.set()
        return batch

    def durable(self, batch: SealedBatch, sequence: int) -> None:  # noqa: ARG002 - the stream's number is the writer's
        """Take note that a batch is on disk."""
        self.durable_entry = batch.last
        if self._on_durable is not None:
            self._on_durable(batch.last)
