"""An account's journal to write in tests: entries that say their number, sealed one batch at a time."""

from tests.golden.wire.corpus import FINGERPRINT, T0
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.core.engine.event import AccountReconnecting
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.journal.sealed import SealedBatch, sealed
from tradebus.journal.verify import AccountVerifier
from tradebus.journal.writer import BatchSource, JournalWriter
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import (
    AccountBatch,
    AccountBatchHead,
    AccountEntry,
    account_batch_to_bytes,
)
from tradebus.wire.codec.bounds import UNBOUNDED
from tradebus.wire.integrity import CHAIN_START

ACCOUNT = "sim_alpha-paper"
SUBJECT = subjects.acct(ACCOUNT)
STREAM = subjects.acct_stream(ACCOUNT)


def batch(owner: str, epoch: int, first: int, count: int, previous_chain: str = CHAIN_START) -> SealedBatch:
    """Return a sealed batch of entries ``first`` to ``first + count - 1``."""
    last = first + count - 1
    entries = tuple(
        AccountEntry(T0, AccountReconnecting(ExchangeIndex(0), f"{owner} {number}"))
        for number in range(first, last + 1)
    )
    head = AccountBatchHead(ACCOUNT, owner, epoch, first, last, bytes.fromhex(previous_chain), 0, FINGERPRINT)
    return sealed(account_batch_to_bytes(AccountBatch(head, entries)), first, last)


class Entries(BatchSource):
    """Makes batches of what was asked for, and remembers what became durable."""

    def __init__(self, owner: str = "one", *, epoch: int = 1, first: int = 0) -> None:
        self.owner = owner
        self.epoch = epoch
        self.next = first
        self.sizes: list[int] = []
        self.sealed: list[SealedBatch] = []
        self.stored: list[tuple[int, int, int]] = []

    def ask(self, *sizes: int) -> None:
        """Ask for batches of these many entries."""
        self.sizes.extend(sizes)

    def next_batch(self, previous_chain: str) -> SealedBatch | None:
        if not self.sizes:
            return None
        made = batch(self.owner, self.epoch, self.next, self.sizes.pop(0), previous_chain)
        self.next = made.last + 1
        self.sealed.append(made)
        return made

    def durable(self, batch: SealedBatch, sequence: int) -> None:
        self.stored.append((sequence, batch.first, batch.last))


def writer(bus: Bus, source: Entries, *, position: int = 0, chain: str = CHAIN_START) -> JournalWriter:
    """Return a writer of the account's journal."""
    return JournalWriter(bus, SUBJECT, STREAM, source, position=position, chain=chain)


async def read(bus: Bus) -> tuple[list[str], AccountVerifier]:
    """Return what every entry of the stream says, all of it verified, and the verifier as it stands at the end."""
    verifier = AccountVerifier(UNBOUNDED)
    said: list[str] = []

    def take(message: JournalMessage) -> None:
        for entry in verifier.accept(message).entries:
            assert isinstance(entry.record, AccountReconnecting)
            said.append(entry.record.reason)

    reader = await bus.consume(STREAM, 1, take)
    await reader.wait_caught_up()
    await reader.stop()
    return said, verifier


def expected(owner: str, count: int) -> list[str]:
    """Return what ``count`` entries of an owner say."""
    return [f"{owner} {number}" for number in range(count)]
