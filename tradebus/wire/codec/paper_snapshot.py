"""Snapshots of simulated accounts: the second half of ``simulation.proto``."""

from dataclasses import dataclass
from typing import Final

from tradebus.core.engine.audit.canonical import HASH_VERSION
from tradebus.core.engine.event import AccountEvent
from tradebus.core.simulation.state import simulation_hash
from tradebus.wire.codec.account import account_event_from_pb, account_event_to_pb
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.error import HashMismatch, UnknownVersion
from tradebus.wire.codec.parts import cannot_encode, child, children, named, parse, text
from tradebus.wire.codec.simulation import SimulatedAccount, simulated_account_from_pb, simulated_account_to_pb
from tradebus.wire.pb.v1 import simulation_pb2 as pb

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class UnseenEvent:
    """An event that fell due at engine time ``time_ns`` and was not seen in the account's journal yet.

    With it and those before, everything from ticks before ``audit_sequence`` is told.
    """

    event: AccountEvent
    time_ns: int
    audit_sequence: int
    index_fingerprint: str


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event that message ``position`` of the account's journal holds and that no tick has explained yet."""

    event: AccountEvent
    position: int


@dataclass(frozen=True, slots=True)
class PaperPlace:
    """Where in both journals a snapshot is: the last messages taken in, their chain hashes, and what comes next.

    ``next_tick`` and ``next_entry`` are the first behind them; a position of 0 says that there was nothing yet.
    """

    engine_id: str
    engine_epoch: int
    audit_position: int
    audit_chain: str
    next_tick: int
    account_position: int
    account_chain: str
    next_entry: int
    owner_epoch: int


@dataclass(frozen=True, slots=True)
class PaperSnapshot:
    """One simulated account at one place; ``exchange`` is none where the engine has no such account."""

    account: str
    instance: str
    place: PaperPlace
    index_fingerprint: str
    unseen: tuple[UnseenEvent, ...]
    held: tuple[HeldEvent, ...]
    exchange: SimulatedAccount | None


def paper_snapshot_to_bytes(snapshot: PaperSnapshot) -> bytes:
    """Return the bytes of a snapshot, with the hash that proves it; raises EncodeError."""
    message = pb.PaperSnapshot()
    place = snapshot.place
    try:
        message.format_version = FORMAT_VERSION
        message.hash_version = HASH_VERSION
        message.account = snapshot.account
        message.instance = snapshot.instance
        message.engine_id = place.engine_id
        message.engine_epoch = place.engine_epoch
        message.audit_position = place.audit_position
        message.audit_chain = place.audit_chain
        message.next_tick = place.next_tick
        message.account_position = place.account_position
        message.account_chain = place.account_chain
        message.next_entry = place.next_entry
        message.owner_epoch = place.owner_epoch
        message.index_fingerprint = snapshot.index_fingerprint
        for unseen in snapshot.unseen:
            _unseen_to_pb(unseen, message.unseen.add())
        for held in snapshot.held:
            account_event_to_pb(held.event, message.held.add(position=held.position).event)
        if snapshot.exchange is not None:
            message.state_hash = simulation_hash(snapshot.exchange.state)
            simulated_account_to_pb(snapshot.exchange, message.exchange)
    except (TypeError, ValueError) as error:
        raise cannot_encode("PaperSnapshot", error) from error
    return message.SerializeToString()


def paper_snapshot_from_bytes(payload: bytes) -> PaperSnapshot:
    """Return the snapshot in ``payload``, proven by its hash.

    Raises DecodeError: UnknownVersion before anything else is read, HashMismatch when the exchange's state is not the
    one that was written.
    """
    message = parse(pb.PaperSnapshot, payload)
    if message.format_version != FORMAT_VERSION:
        raise UnknownVersion(f"expected {FORMAT_VERSION}, found {message.format_version}", "format_version")
    if not 1 <= message.hash_version <= HASH_VERSION:
        raise UnknownVersion(f"expected 1 to {HASH_VERSION}, found {message.hash_version}", "hash_version")
    exchange: SimulatedAccount | None = None
    if message.HasField("exchange"):
        exchange = named("exchange", message.exchange, simulated_account_from_pb, UNBOUNDED)
        found = simulation_hash(exchange.state, message.hash_version)
        if found != message.state_hash:
            raise HashMismatch(f"expected the state {message.state_hash}, found {found}", "state_hash")
    return PaperSnapshot(
        text(message.account, "account"),
        text(message.instance, "instance"),
        PaperPlace(
            message.engine_id,
            message.engine_epoch,
            message.audit_position,
            text(message.audit_chain, "audit_chain"),
            message.next_tick,
            message.account_position,
            text(message.account_chain, "account_chain"),
            message.next_entry,
            message.owner_epoch,
        ),
        message.index_fingerprint,
        # An earlier run may have numbered its instruments otherwise.
        children("unseen", message.unseen, _unseen_from_pb, UNBOUNDED),
        children("held", message.held, _held_from_pb, UNBOUNDED),
        exchange,
    )


def _unseen_to_pb(unseen: UnseenEvent, into: pb.UnseenEvent) -> None:
    account_event_to_pb(unseen.event, into.event)
    into.time_ns = unseen.time_ns
    into.audit_sequence = unseen.audit_sequence
    into.index_fingerprint = unseen.index_fingerprint


def _unseen_from_pb(message: pb.UnseenEvent, bounds: IndexBounds) -> UnseenEvent:
    event = child(message, "event", message.event, account_event_from_pb, bounds)
    return UnseenEvent(event, message.time_ns, message.audit_sequence, message.index_fingerprint)


def _held_from_pb(message: pb.HeldEvent, bounds: IndexBounds) -> HeldEvent:
    return HeldEvent(child(message, "event", message.event, account_event_from_pb, bounds), message.position)
