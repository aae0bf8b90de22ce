"""Read a journal's batches and believe only what can be proven: checksum, chain, and numbers without holes."""

from typing import Final, final

from tradebus.bus.message import JournalMessage
from tradebus.wire.codec.account_journal import AccountBatch, account_batch_from_bytes
from tradebus.wire.codec.audit import AuditBatch, audit_batch_from_bytes
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.integrity import (
    CHAIN_START,
    IntegrityError,
    verify_chain_hash,
    verify_checksum,
    verify_follows,
)


class JournalDamaged(Exception):
    """A batch that is not what was written, or does not follow the one before; the message says where and why."""

    def __init__(self, stream: str, sequence: int, reason: str) -> None:
        super().__init__(f"{stream}, message {sequence}: {reason}")
        self.stream: Final = stream
        self.sequence: Final = sequence
        self.reason: Final = reason


@final
class _Chain:
    """Follows the chain of one stream."""

    def __init__(self, chain: str, position: int) -> None:
        self.chain = chain
        self.position = position

    def check(self, message: JournalMessage) -> str:
        """Check bytes and place of a message, and return its own chain hash."""
        if message.sequence != self.position + 1:
            reason = f"expected message {self.position + 1}"
            raise JournalDamaged(message.stream, message.sequence, reason)
        try:
            verify_checksum(message.payload, message.headers)
            return verify_chain_hash(message.payload, message.headers)
        except IntegrityError as error:
            raise JournalDamaged(message.stream, message.sequence, str(error)) from error

    def follow(self, message: JournalMessage, own: str, held: bytes) -> None:
        """Check that a message follows the last one, and make it the last one."""
        try:
            verify_follows(self.chain, held.hex())
        except IntegrityError as error:
            raise JournalDamaged(message.stream, message.sequence, str(error)) from error
        self.chain = own
        self.position = message.sequence


@final
class AuditVerifier:
    """Turns the messages of an audit stream, in order, into verified batches.

    ``position`` and ``chain`` say after which message to begin, ``sequence`` the last tick seen, ``bounds`` the index
    in use there. ``engine_id`` and ``engine_epoch`` are those of the last batch: one stream is one engine's, and its
    epoch never goes back.
    """

    def __init__(
        self,
        *,
        position: int = 0,
        chain: str = CHAIN_START,
        sequence: int = -1,
        bounds: IndexBounds = UNBOUNDED,
        engine_id: str = "",
        engine_epoch: int = 0,
    ) -> None:
        self._chain: Final = _Chain(chain, position)
        self._bounds: IndexBounds = bounds
        self.sequence = sequence
        self.engine_id = engine_id
        self.engine_epoch = engine_epoch

    @property
    def position(self) -> int:
        """Return the stream sequence of the last message."""
        return self._chain.position

    @property
    def chain(self) -> str:
        """Return the chain hash of the last message."""
        return self._chain.chain

    def accept(self, message: JournalMessage) -> AuditBatch:
        """Return the batch in the next message; raises JournalDamaged, after which nothing has changed."""
        own = self._chain.check(message)
        try:
            batch = audit_batch_from_bytes(message.payload, self._bounds)
        except DecodeError as error:
            raise JournalDamaged(message.stream, message.sequence, str(error)) from error
        head = batch.head
        if head.first_sequence != self.sequence + 1:
            reason = f"expected ticks from {self.sequence + 1}, found {head.first_sequence}"
            raise JournalDamaged(message.stream, message.sequence, reason)
        _check_writer(message, "engine", (self.engine_id, self.engine_epoch), (head.engine_id, head.engine_epoch))
        self._chain.follow(message, own, head.previous_chain)
        self.sequence = head.last_sequence
        self.engine_id = head.engine_id
        self.engine_epoch = head.engine_epoch
        self._bounds = batch.bounds
        return batch


@final
class AccountVerifier:
    """Turns the messages of an account's journal, in order, into verified batches.

    ``position`` and ``chain`` say after which message to begin, ``entry`` the last entry seen. ``audit_sequence``,
    ``owner`` and ``owner_epoch`` are those of the last batch: how far a paper account was folded, and who wrote it.
    """

    def __init__(
        self,
        bounds: IndexBounds,
        *,
        position: int = 0,
        chain: str = CHAIN_START,
        entry: int = -1,
        audit_sequence: int = 0,
    ) -> None:
        self._chain: Final = _Chain(chain, position)
        self._bounds: Final = bounds
        self.entry = entry
        self.audit_sequence = audit_sequence
        self.account = ""
        self.owner = ""
        self.owner_epoch = 0

    @property
    def position(self) -> int:
        """Return the stream sequence of the last message."""
        return self._chain.position

    @property
    def chain(self) -> str:
        """Return the chain hash of the last message."""
        return self._chain.chain

    def accept(self, message: JournalMessage) -> AccountBatch:
        """Return the batch in the next message; raises JournalDamaged, after which nothing has changed."""
        own = self._chain.check(message)
        try:
            batch = account_batch_from_bytes(message.payload, self._bounds)
        except DecodeError as error:
            raise JournalDamaged(message.stream, message.sequence, str(error)) from error
        head = batch.head
        if head.first_entry != self.entry + 1:
            reason = f"expected entries from {self.entry + 1}, found {head.first_entry}"
            raise JournalDamaged(message.stream, message.sequence, reason)
        _check_writer(message, "account", (self.account, self.owner_epoch), (head.account, head.owner_epoch))
        self._chain.follow(message, own, head.previous_chain)
        self.entry = head.last_entry
        self.audit_sequence = head.audit_sequence
        self.account = head.account
        self.owner = head.owner
        self.owner_epoch = head.owner_epoch
        return batch


def _check_writer(message: JournalMessage, what: str, expected: tuple[str, int], found: tuple[str, int]) -> None:
    """Refuse a batch of another engine or account than the ones before, and one of an earlier epoch."""
    name, epoch = expected
    if name and found[0] != name:
        raise JournalDamaged(message.stream, message.sequence, f"expected the {what} {name!r}, found {found[0]!r}")
    if found[1] < epoch:
        raise JournalDamaged(message.stream, message.sequence, f"expected epoch {epoch} or later, found {found[1]}")
