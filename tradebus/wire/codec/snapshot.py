"""Snapshots of an engine: ``snapshot.proto``. A state, where it is from, and the hash that proves it.

A reader first looks at the versions alone and refuses those it does not know, then rebuilds the state and refuses one
whose hash is not the recorded one: what comes back is what was written, or an error.
"""

from dataclasses import dataclass
from typing import Final

from tradebus.core.engine.audit.canonical import HASH_VERSION
from tradebus.core.engine.audit.state_hash import StateHash, hash_state
from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory, no_user_data
from tradebus.wire.codec.bounds import UNBOUNDED
from tradebus.wire.codec.engine import engine_started_from_pb, engine_started_to_pb
from tradebus.wire.codec.error import HashMismatch, Inconsistent, MissingField, UnknownVersion
from tradebus.wire.codec.parts import cannot_encode, child, named, parse, text
from tradebus.wire.codec.snapshot_state import engine_state_from_pb, engine_state_to_pb
from tradebus.wire.pb.v1 import snapshot_pb2 as pb

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """What a snapshot says of itself; ``sequence`` and ``time_ns`` are those of the last tick that is in the state."""

    code: str
    config_fingerprint: str
    index_fingerprint: str
    engine_id: str
    engine_epoch: int
    sequence: int
    time_ns: int
    hash: StateHash
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """A state with its head and the record that began the engine: all that going on takes."""

    head: SnapshotHead
    started: EngineStarted
    state: EngineState


def snapshot_of(
    started: EngineStarted,
    state: EngineState,
    *,
    sequence: int,
    time_ns: int,
    epoch: int,
    config_fingerprint: str,
) -> EngineSnapshot:
    """Return a snapshot of a state. It holds the state itself, so write it before the next event."""
    head = SnapshotHead(
        started.code,
        config_fingerprint,
        state.index.fingerprint(),
        started.engine_id,
        epoch,
        sequence,
        time_ns,
        hash_state(state),
    )
    return EngineSnapshot(head, started, state)


def snapshot_to_bytes(snapshot: EngineSnapshot) -> bytes:
    """Return the bytes of a snapshot; raises EncodeError."""
    head = snapshot.head
    message = pb.EngineSnapshot()
    try:
        message.format_version = head.format_version
        message.hash_version = head.hash.version
        message.code = head.code
        message.config_fingerprint = head.config_fingerprint
        message.index_fingerprint = head.index_fingerprint
        message.engine_id = head.engine_id
        message.engine_epoch = head.engine_epoch
        message.sequence = head.sequence
        message.time_ns = head.time_ns
        message.core_hash = head.hash.core
        message.user_hash = head.hash.user
        engine_started_to_pb(snapshot.started, message.started)
        engine_state_to_pb(snapshot.state, message.state)
    except (TypeError, ValueError) as error:
        raise cannot_encode("EngineSnapshot", error) from error
    return message.SerializeToString()


def snapshot_head_from_bytes(payload: bytes) -> SnapshotHead:
    """Return the head of the snapshot in ``payload``; raises DecodeError, UnknownVersion for one of another version."""
    message = parse(pb.EngineSnapshotFrames, payload)
    if message.format_version != FORMAT_VERSION:
        raise UnknownVersion(f"expected {FORMAT_VERSION}, found {message.format_version}", "format_version")
    if not 1 <= message.hash_version <= HASH_VERSION:
        raise UnknownVersion(f"expected 1 to {HASH_VERSION}, found {message.hash_version}", "hash_version")
    return SnapshotHead(
        message.code,
        message.config_fingerprint,
        text(message.index_fingerprint, "index_fingerprint"),
        text(message.engine_id, "engine_id"),
        message.engine_epoch,
        message.sequence,
        message.time_ns,
        StateHash(message.hash_version, text(message.core_hash, "core_hash"), message.user_hash),
        message.format_version,
    )


def snapshot_from_bytes(
    payload: bytes, make_data: StrategyDataFactory, make_user_data: UserDataFactory = no_user_data
) -> EngineSnapshot:
    """Return the snapshot in ``payload``, proven by its hash.

    ``make_data`` gives what a strategy remembers at first, ``make_user_data`` the user-defined data, none where a class
    is not available here: the plain values are then kept. Raises DecodeError: UnknownVersion before anything else is
    read, HashMismatch when the state is not the one that was written, DataNotRestored when a class does not take back
    what it remembered.
    """
    head = snapshot_head_from_bytes(payload)
    message = parse(pb.EngineSnapshot, payload)
    started = child(message, "started", message.started, engine_started_from_pb, UNBOUNDED)
    if not message.HasField("state"):
        raise MissingField("expected an EngineState, found none", "state")
    state = named(
        "state", message.state, lambda part, _bounds: engine_state_from_pb(part, make_data, make_user_data), UNBOUNDED
    )
    if state.index.fingerprint() != head.index_fingerprint:
        found = state.index.fingerprint()
        raise Inconsistent(f"expected the index {head.index_fingerprint}, found {found}", "state.index")
    if started.engine_id != head.engine_id:
        raise Inconsistent(f"expected the engine {head.engine_id!r}, found {started.engine_id!r}", "started.engine_id")
    check_hash(head.hash, hash_state(state, head.hash.version))
    return EngineSnapshot(head, started, state)


def check_hash(recorded: StateHash, found: StateHash) -> None:
    """Refuse a state that is not the recorded one; user data is compared where both know it. Raises HashMismatch."""
    if found.core != recorded.core:
        raise HashMismatch(f"expected the core state {recorded.core}, found {found.core}", "core_hash")
    if found.user != recorded.user:
        raise HashMismatch(f"expected the user data {recorded.user or 'not known'}, found {found.user}", "user_hash")
