"""The journal of an account: ``account_journal.proto``."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from tradebus.core.engine.event import AccountEvent, AccountReconnecting
from tradebus.core.model.order import (
    OrderKey,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
)
from tradebus.wire.codec.account import (
    account_event_from_pb,
    account_event_to_pb,
    account_reconnecting_from_pb,
    account_reconnecting_to_pb,
)
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.error import EncodeError, Inconsistent
from tradebus.wire.codec.frame import frame, tag
from tradebus.wire.codec.order import (
    order_key_from_pb,
    order_key_to_pb,
    order_request_amend_from_pb,
    order_request_amend_to_pb,
    order_request_cancel_from_pb,
    order_request_cancel_to_pb,
    order_request_open_from_pb,
    order_request_open_to_pb,
)
from tradebus.wire.codec.parts import cannot_encode, chain, child, children, named, nothing_set, parse, text
from tradebus.wire.pb.v1 import account_journal_pb2 as pb

_ENTRIES_TAG: Final = tag(pb.AccountBatch.ENTRIES_FIELD_NUMBER)


class RequestOutcome(Enum):
    """What became of a request where the venue said nothing of it."""

    EXPIRED = 1
    STALE_EPOCH = 2
    REPEATED = 3
    REFUSED = 4
    UNKNOWN = 5
    NEVER_RECEIVED = 6


REQUEST_OUTCOMES: Final = EnumCodec(RequestOutcome, pb.RequestOutcome)


@dataclass(frozen=True, slots=True)
class Ownership:
    """A process takes the account. ``owner_epoch`` is the stream sequence of this record's batch."""

    owner: str
    owner_epoch: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A request is about to leave for the venue, as tick ``sequence`` of an engine decided it."""

    engine_id: str
    engine_epoch: int
    sequence: int
    deadline_ns: int
    request: OrderRequestOpen | OrderRequestCancel | OrderRequestAmend


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What became of a request, and why in words; ``engine_epoch`` is that of the engine that asked."""

    key: OrderKey
    engine_epoch: int
    outcome: RequestOutcome
    message: str


AccountRecord: TypeAlias = Ownership | AccountEvent | Intent | RequestResult | AccountReconnecting


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """One record. ``time_ns`` is engine time on a paper account, the owner's clock on a venue's.

    ``request`` says which request an event tells of: the number of the entry with its intent, or with its refusal.
    """

    time_ns: int
    record: AccountRecord
    request: int | None = None


@dataclass(frozen=True, slots=True)
class AccountBatchHead:
    """What a batch says of itself; the fields are those of the message.

    Entries count from 0. ``audit_sequence``: every tick before it has been folded (paper accounts).
    """

    account: str
    owner: str
    owner_epoch: int
    first_entry: int
    last_entry: int
    previous_chain: bytes
    audit_sequence: int
    index_fingerprint: str


@dataclass(frozen=True, slots=True)
class AccountBatch:
    """Entries in order, without holes, from ``head.first_entry`` to ``head.last_entry``."""

    head: AccountBatchHead
    entries: tuple[AccountEntry, ...]


def account_entry_to_pb(entry: AccountEntry, into: pb.AccountEntry) -> None:
    """Fill a message with a record."""
    into.time_ns = entry.time_ns
    if entry.request is not None:
        into.request = entry.request
    record = entry.record
    if isinstance(record, AccountEvent):
        account_event_to_pb(record, into.event)
    elif isinstance(record, Ownership):
        into.ownership.owner = record.owner
        into.ownership.owner_epoch = record.owner_epoch
    elif isinstance(record, Intent):
        _intent_to_pb(record, into.intent)
    elif isinstance(record, RequestResult):
        order_key_to_pb(record.key, into.result.key)
        into.result.engine_epoch = record.engine_epoch
        into.result.outcome = REQUEST_OUTCOMES.to_pb(record.outcome)
        into.result.message = record.message
    elif isinstance(record, AccountReconnecting):
        into.reconnecting.SetInParent()
        account_reconnecting_to_pb(record, into.reconnecting)
    else:
        raise EncodeError(f"expected a record of an account's journal, found {type(record).__name__}")


def account_entry_from_pb(message: pb.AccountEntry, bounds: IndexBounds = UNBOUNDED) -> AccountEntry:
    """Return a record; raises DecodeError."""
    request = message.request if message.HasField("request") else None
    return AccountEntry(message.time_ns, _record_from_pb(message, bounds), request)


def _record_from_pb(message: pb.AccountEntry, bounds: IndexBounds) -> AccountRecord:
    which = message.WhichOneof("record")
    if which == "event":
        return named(which, message.event, account_event_from_pb, bounds)
    if which == "ownership":
        return named(which, message.ownership, _ownership_from_pb, bounds)
    if which == "intent":
        return named(which, message.intent, _intent_from_pb, bounds)
    if which == "result":
        return named(which, message.result, _result_from_pb, bounds)
    if which == "reconnecting":
        return named(which, message.reconnecting, account_reconnecting_from_pb, bounds)
    raise nothing_set("record", message)


def _ownership_from_pb(message: pb.Ownership, _bounds: IndexBounds) -> Ownership:
    return Ownership(text(message.owner, "owner"), message.owner_epoch)


def _intent_to_pb(intent: Intent, into: pb.Intent) -> None:
    into.engine_id = intent.engine_id
    into.engine_epoch = intent.engine_epoch
    into.sequence = intent.sequence
    into.deadline_ns = intent.deadline_ns
    if isinstance(intent.request, OrderRequestOpen):
        order_request_open_to_pb(intent.request, into.open)
    elif isinstance(intent.request, OrderRequestAmend):
        order_request_amend_to_pb(intent.request, into.amend)
    else:
        order_request_cancel_to_pb(intent.request, into.cancel)


def _intent_from_pb(message: pb.Intent, bounds: IndexBounds) -> Intent:
    which = message.WhichOneof("request")
    request: OrderRequestOpen | OrderRequestCancel | OrderRequestAmend
    if which == "open":
        request = named(which, message.open, order_request_open_from_pb, bounds)
    elif which == "cancel":
        request = named(which, message.cancel, order_request_cancel_from_pb, bounds)
    elif which == "amend":
        request = named(which, message.amend, order_request_amend_from_pb, bounds)
    else:
        raise nothing_set("request", message)
    engine_id = text(message.engine_id, "engine_id")
    return Intent(engine_id, message.engine_epoch, message.sequence, message.deadline_ns, request)


def _result_from_pb(message: pb.RequestResult, bounds: IndexBounds) -> RequestResult:
    return RequestResult(
        child(message, "key", message.key, order_key_from_pb, bounds),
        message.engine_epoch,
        REQUEST_OUTCOMES.from_pb(message.outcome, "outcome"),
        message.message,
    )


def account_entry_to_bytes(entry: AccountEntry) -> bytes:
    """Return the bytes of a record; raises EncodeError."""
    message = pb.AccountEntry()
    try:
        account_entry_to_pb(entry, message)
    except (TypeError, ValueError) as error:
        raise cannot_encode("AccountEntry", error) from error
    return message.SerializeToString()


def account_entry_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> AccountEntry:
    """Return the record in ``payload``; raises DecodeError."""
    return account_entry_from_pb(parse(pb.AccountEntry, payload), bounds)


def account_entry_frame(encoded: bytes) -> bytes:
    """Return an encoded record as ``account_batch_join`` takes it."""
    return frame(_ENTRIES_TAG, encoded)


def account_batch_join(head: AccountBatchHead, frames: list[bytes]) -> bytes:
    """Return the bytes of a batch with records that are encoded already; raises EncodeError."""
    message = pb.AccountBatch()
    try:
        message.account = head.account
        message.owner = head.owner
        message.owner_epoch = head.owner_epoch
        message.first_entry = head.first_entry
        message.last_entry = head.last_entry
        message.previous_chain = head.previous_chain
        message.audit_sequence = head.audit_sequence
        message.index_fingerprint = head.index_fingerprint
    except (TypeError, ValueError) as error:
        raise cannot_encode("AccountBatch", error) from error
    return message.SerializeToString() + b"".join(frames)


def account_batch_to_bytes(batch: AccountBatch) -> bytes:
    """Return the bytes of a batch; raises EncodeError."""
    return account_batch_join(
        batch.head, [account_entry_frame(account_entry_to_bytes(entry)) for entry in batch.entries]
    )


def account_batch_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> AccountBatch:
    """Return the batch in ``payload``; raises DecodeError, also when its numbers are not those of its entries."""
    message = parse(pb.AccountBatch, payload)
    head = AccountBatchHead(
        text(message.account, "account"),
        text(message.owner, "owner"),
        message.owner_epoch,
        message.first_entry,
        message.last_entry,
        chain(message.previous_chain, "previous_chain"),
        message.audit_sequence,
        text(message.index_fingerprint, "index_fingerprint"),
    )
    count = len(message.entries)
    if not count:
        raise Inconsistent("expected at least one entry, found none", "entries")
    if head.last_entry - head.first_entry + 1 != count:
        found = f"entries {head.first_entry} to {head.last_entry}, {count} of them"
        raise Inconsistent(f"expected as many entries as numbers, found {found}", "last_entry")
    bounds.check_fingerprint(head.index_fingerprint)
    return AccountBatch(head, children("entries", message.entries, account_entry_from_pb, bounds))
