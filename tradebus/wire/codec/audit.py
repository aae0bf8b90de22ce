"""Ticks and the batches they are stored in: ``audit.proto``.

A tick is written in three pieces, so that the event can be the bytes it was received in: sequence and time, event,
outputs and errors. A batch is written from encoded ticks.
"""

from dataclasses import dataclass, field
from typing import Final, final

from tradebus.core import COMPILED
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick
from tradebus.core.engine.command import Command, CommandRejected
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    ClockAdvanced,
    EngineStarted,
    FeedEnded,
    Shutdown,
    TimerFired,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.resumed import CodeChanged, EngineResumed, start_record
from tradebus.core.market.event import MarketEvent, MarketGap, MarketReconnecting
from tradebus.wire.codec.account import (
    account_event_from_pb,
    account_event_to_pb,
    account_reconnecting_from_pb,
    account_reconnecting_to_pb,
)
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, bounds_of
from tradebus.wire.codec.command import (
    command_from_pb,
    command_rejected_from_pb,
    command_rejected_to_pb,
    command_to_pb,
)
from tradebus.wire.codec.engine import (
    account_link_changed_from_pb,
    account_link_changed_to_pb,
    code_changed_from_pb,
    code_changed_to_pb,
    config_changed_from_pb,
    config_changed_to_pb,
    engine_error_from_pb,
    engine_error_to_pb,
    engine_resumed_from_pb,
    engine_resumed_to_pb,
    engine_started_from_pb,
    engine_started_to_pb,
    timer_fired_from_pb,
    timer_fired_to_pb,
    trading_state_update_from_pb,
    trading_state_update_to_pb,
)
from tradebus.wire.codec.error import DecodeError, EncodeError, Inconsistent
from tradebus.wire.codec.frame import frame, tag
from tradebus.wire.codec.market import (
    market_event_from_pb,
    market_event_to_bytes,
    market_gap_from_pb,
    market_gap_to_pb,
    market_item_to_bytes,
    market_reconnecting_from_pb,
)
from tradebus.wire.codec.output import output_from_pb, output_to_pb
from tradebus.wire.codec.parts import cannot_encode, chain, children, named, nothing_set, parse, text
from tradebus.wire.laid.batch import read_ticks, tick_bounds, ticks_begin
from tradebus.wire.laid.tick import read_market_tick, write_market_tick, write_market_ticks
from tradebus.wire.pb.v1 import audit_pb2 as pb

_MARKET_TAG: Final = tag(pb.AuditTick.MARKET_FIELD_NUMBER)
_RECONNECTING_TAG: Final = tag(pb.AuditTick.MARKET_RECONNECTING_FIELD_NUMBER)
_TICKS_TAG: Final = tag(pb.AuditBatch.TICKS_FIELD_NUMBER)
_CLOCK: Final = ClockAdvanced()
_FEED_ENDED: Final = FeedEnded()


@dataclass(frozen=True, slots=True)
class AuditBatchHead:
    """What a batch says of itself; the fields are those of the message.

    ``previous_chain`` has 16 bytes; the hashes are hex and empty where they were not due.
    """

    engine_id: str
    engine_epoch: int
    first_sequence: int
    last_sequence: int
    previous_chain: bytes
    index_fingerprint: str
    hash_version: int
    core_hash: str = ""
    user_hash: str = ""


@dataclass(frozen=True, slots=True)
class AuditBatch:
    """Ticks in order, without holes, from ``head.first_sequence`` to ``head.last_sequence``.

    ``others`` are the places of those that are not plain: plain is a market event by which nothing was decided.
    ``bounds`` are those of the index in use behind the last tick, where the batch was read.
    """

    head: AuditBatchHead
    ticks: tuple[AuditTick, ...]
    others: tuple[int, ...] = field(default=(), compare=False, repr=False)
    bounds: IndexBounds = field(default=UNBOUNDED, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AuditFrames:
    """A batch whose ticks are left as they were stored."""

    head: AuditBatchHead
    ticks: tuple[bytes, ...]


def event_to_pb(event: EngineEvent, into: pb.AuditTick) -> None:
    """Fill the event of a tick; raises EncodeError for one that the contract does not know."""
    if isinstance(event, AccountEvent):
        account_event_to_pb(event, into.account)
    elif isinstance(event, MarketGap):
        into.market_gap.SetInParent()
        market_gap_to_pb(event, into.market_gap)
    elif isinstance(event, AccountReconnecting):
        into.account_reconnecting.SetInParent()
        account_reconnecting_to_pb(event, into.account_reconnecting)
    elif isinstance(event, AccountLinkChanged):
        account_link_changed_to_pb(event, into.account_link)
    elif isinstance(event, Command):
        command_to_pb(event, into.command)
    elif isinstance(event, TradingStateUpdate):
        trading_state_update_to_pb(event, into.trading_state)
    elif isinstance(event, ClockAdvanced):
        into.clock.SetInParent()
    elif isinstance(event, TimerFired):
        timer_fired_to_pb(event, into.timer)
    elif isinstance(event, Shutdown):
        into.shutdown.SetInParent()
        into.shutdown.command_id = event.command_id
        into.shutdown.position = event.position
        into.shutdown.origin = event.origin
    elif isinstance(event, FeedEnded):
        into.feed_ended.SetInParent()
    elif isinstance(event, EngineStarted):
        engine_started_to_pb(event, into.started)
    elif isinstance(event, ConfigChanged):
        into.config.SetInParent()
        config_changed_to_pb(event, into.config)
    elif isinstance(event, EngineResumed):
        engine_resumed_to_pb(event, into.resumed)
    elif isinstance(event, CodeChanged):
        into.code.SetInParent()
        code_changed_to_pb(event, into.code)
    elif isinstance(event, CommandRejected):
        into.command_rejected.SetInParent()
        command_rejected_to_pb(event, into.command_rejected)
    else:
        raise EncodeError(f"expected an event of the engine, found {type(event).__name__}")


def event_from_pb(message: pb.AuditTick, bounds: IndexBounds = UNBOUNDED) -> EngineEvent:
    """Return the event of a tick; raises DecodeError."""
    which = message.WhichOneof("event")
    if which == "market":
        return named(which, message.market, market_event_from_pb, bounds)
    if which == "account":
        return named(which, message.account, account_event_from_pb, bounds)
    if which == "market_reconnecting":
        return named(which, message.market_reconnecting, market_reconnecting_from_pb, bounds)
    if which == "market_gap":
        return named(which, message.market_gap, market_gap_from_pb, bounds)
    if which == "account_reconnecting":
        return named(which, message.account_reconnecting, account_reconnecting_from_pb, bounds)
    if which == "account_link":
        return named(which, message.account_link, account_link_changed_from_pb, bounds)
    if which == "command":
        return named(which, message.command, command_from_pb, bounds)
    if which == "trading_state":
        return named(which, message.trading_state, trading_state_update_from_pb, bounds)
    if which == "clock":
        return _CLOCK
    if which == "timer":
        return named(which, message.timer, timer_fired_from_pb, bounds)
    if which == "shutdown":
        return Shutdown(message.shutdown.command_id, message.shutdown.position, message.shutdown.origin)
    if which == "feed_ended":
        return _FEED_ENDED
    if which is None:
        raise nothing_set("event", message)
    return _rare_from_pb(which, message, bounds)


def _rare_from_pb(which: str, message: pb.AuditTick, bounds: IndexBounds) -> EngineEvent:
    """Return an event of which a run has few."""
    if which == "started":
        return named(which, message.started, engine_started_from_pb, bounds)
    if which == "resumed":
        return named(which, message.resumed, engine_resumed_from_pb, bounds)
    if which == "code":
        return named(which, message.code, code_changed_from_pb, bounds)
    if which == "command_rejected":
        return named(which, message.command_rejected, command_rejected_from_pb, bounds)
    return named(which, message.config, config_changed_from_pb, bounds)


def tick_to_bytes(tick: AuditTick, event_bytes: bytes | None = None) -> bytes:
    """Return the bytes of a tick; raises EncodeError.

    ``event_bytes`` are those in which a MarketEvent or MarketReconnecting was received (``MarketBatch.encoded``): they
    are taken as they are. They are ignored for other events.
    """
    event = tick.event
    try:
        if isinstance(event, MarketEvent):
            content = market_event_to_bytes(event) if event_bytes is None else event_bytes
            plain = write_market_tick(tick.sequence, tick.time_ns, content)
            encoded = _head_to_bytes(tick) + frame(_MARKET_TAG, content) if plain is None else plain
        elif isinstance(event, MarketReconnecting):
            content = market_item_to_bytes(event) if event_bytes is None else event_bytes
            encoded = _head_to_bytes(tick) + frame(_RECONNECTING_TAG, content)
        else:
            message = pb.AuditTick()
            event_to_pb(event, message)
            encoded = _head_to_bytes(tick) + message.SerializeToString()
        return encoded + _decided_to_bytes(tick) if tick.outputs or tick.errors else encoded
    except (TypeError, ValueError) as error:
        raise cannot_encode(f"tick {tick.sequence}", error) from error


def _head_to_bytes(tick: AuditTick) -> bytes:
    return pb.AuditTick(sequence=tick.sequence, time_ns=tick.time_ns).SerializeToString()


def _decided_to_bytes(tick: AuditTick) -> bytes:
    message = pb.AuditTick()
    for output in tick.outputs:
        output_to_pb(output, message.outputs.add())
    for error in tick.errors:
        engine_error_to_pb(error, message.errors.add())
    return message.SerializeToString()


def tick_from_pb(message: pb.AuditTick, bounds: IndexBounds = UNBOUNDED) -> AuditTick:
    """Return the tick in a message; raises DecodeError."""
    event = event_from_pb(message, bounds)
    started = start_record(event)
    if started is not None:
        bounds = bounds_of(started.index)
    outputs, errors = message.outputs, message.errors
    return AuditTick(
        message.sequence,
        message.time_ns,
        event,
        children("outputs", outputs, output_from_pb, bounds) if outputs else NO_OUTPUTS,
        children("errors", errors, engine_error_from_pb, bounds) if errors else NO_ERRORS,
    )


def tick_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> AuditTick:
    """Return the tick in ``payload``; raises DecodeError."""
    tick = read_market_tick(payload, 0, len(payload), bounds.exchanges, bounds.instruments) if COMPILED else None
    return tick_from_pb(parse(pb.AuditTick, payload), bounds) if tick is None else tick


def tick_time_from_bytes(payload: bytes) -> int:
    """Return the engine time of the tick in ``payload``, nanoseconds; raises DecodeError."""
    return parse(pb.AuditTick, payload).time_ns


def tick_frame(encoded: bytes) -> bytes:
    """Return an encoded tick as ``audit_batch_join`` takes it."""
    return frame(_TICKS_TAG, encoded)


def market_ticks_frame(ticks: list[AuditTick], encoded: list[bytes], begin: int) -> bytes:
    """Return plain ticks with market events as ``audit_batch_join`` takes them; raises EncodeError.

    ``encoded[begin]`` are the bytes of the first one's event, the others follow.
    """
    framed = write_market_ticks(ticks, encoded, begin)
    if framed is not None:
        return framed
    return b"".join([tick_frame(tick_to_bytes(tick, encoded[begin + i])) for i, tick in enumerate(ticks)])


def audit_batch_join(head: AuditBatchHead, frames: list[bytes]) -> bytes:
    """Return the bytes of a batch with ticks that are encoded already (``tick_frame``); raises EncodeError."""
    message = pb.AuditBatchFrames()
    try:
        message.engine_id = head.engine_id
        message.engine_epoch = head.engine_epoch
        message.first_sequence = head.first_sequence
        message.last_sequence = head.last_sequence
        message.previous_chain = head.previous_chain
        message.index_fingerprint = head.index_fingerprint
        message.hash_version = head.hash_version
        message.core_hash = head.core_hash
        message.user_hash = head.user_hash
    except (TypeError, ValueError) as error:
        raise cannot_encode("AuditBatch", error) from error
    return message.SerializeToString() + b"".join(frames)


def audit_batch_to_bytes(batch: AuditBatch) -> bytes:
    """Return the bytes of a batch; raises EncodeError."""
    return audit_batch_join(batch.head, [tick_frame(tick_to_bytes(tick)) for tick in batch.ticks])


def audit_batch_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> AuditBatch:
    """Return the batch in ``payload``; raises DecodeError, also when its sequences are not those of its ticks.

    Ticks after the record that begins a run are bounded by the index that it brings.
    """
    batch = _plain_batch(payload, bounds) if COMPILED else None
    if batch is not None:
        return batch
    frames = audit_frames_from_bytes(payload)
    reading = _Reading(frames.head, bounds)
    for part in frames.ticks:
        reading.take(part)
    return reading.batch()


def _plain_batch(payload: bytes, bounds: IndexBounds) -> AuditBatch | None:
    """Return the batch that is laid out as ours are; None for any other, and where anything is wrong with it."""
    place, end = ticks_begin(payload), len(payload)
    if place < 0:
        return None
    try:
        head = _head_from_pb(parse(pb.AuditBatchFrames, payload[:place]))
        reading = _Reading(head, bounds)
        ticks = reading.ticks
        while place < end:
            # Under another index than ours the first tick has to be the record that brings it.
            if ticks or head.index_fingerprint == bounds.fingerprint:
                of = reading.bounds
                following = head.first_sequence + len(ticks)
                place = read_ticks(payload, place, following, of.exchanges, of.instruments, ticks)
            part = tick_bounds(payload, place)
            if part is not None:
                reading.take(payload[part[0] : part[1]])
                place = part[1]
            elif place < end:
                return None
        _check_count(head, len(ticks))
    except DecodeError:
        return None  # read once more by who names it
    return reading.batch()


@final
class _Reading:
    """A batch of which some ticks are read."""

    def __init__(self, head: AuditBatchHead, bounds: IndexBounds) -> None:
        self.bounds = bounds
        self.ticks: Final[list[AuditTick]] = []
        self._head: Final = head
        self._others: Final[list[int]] = []

    def take(self, part: bytes) -> None:
        """Read the next tick. Raises DecodeError."""
        head, place = self._head, len(self.ticks)
        # Another index than ours is right only where the batch begins with the start record that brings it.
        if not place and head.index_fingerprint != self.bounds.fingerprint and not _is_start(part):
            self.bounds.check_fingerprint(head.index_fingerprint)
        try:
            tick = tick_from_bytes(part, self.bounds)
            if tick.sequence != head.first_sequence + place:
                raise Inconsistent(f"expected {head.first_sequence + place}, found {tick.sequence}", "sequence")
            started = start_record(tick.event)
            if started is not None:
                self.bounds = bounds_of(started.index)
                self.bounds.check_fingerprint(head.index_fingerprint)
        except DecodeError as error:
            error.prefix(f"ticks[{place}]")
            raise
        if tick.outputs or tick.errors or not isinstance(tick.event, MarketEvent):
            self._others.append(place)
        self.ticks.append(tick)

    def batch(self) -> AuditBatch:
        """Return what was read."""
        return AuditBatch(self._head, tuple(self.ticks), tuple(self._others), self.bounds)


def _is_start(payload: bytes) -> bool:
    return parse(pb.AuditTick, payload).WhichOneof("event") in {"started", "resumed"}


def audit_frames_from_bytes(payload: bytes) -> AuditFrames:
    """Return the batch in ``payload`` with its ticks still encoded; raises DecodeError."""
    message = parse(pb.AuditBatchFrames, payload)
    head = _head_from_pb(message)
    _check_count(head, len(message.ticks))
    return AuditFrames(head, tuple(message.ticks))


def _head_from_pb(message: pb.AuditBatchFrames) -> AuditBatchHead:
    return AuditBatchHead(
        text(message.engine_id, "engine_id"),
        message.engine_epoch,
        message.first_sequence,
        message.last_sequence,
        chain(message.previous_chain, "previous_chain"),
        text(message.index_fingerprint, "index_fingerprint"),
        message.hash_version,
        message.core_hash,
        message.user_hash,
    )


def _check_count(head: AuditBatchHead, count: int) -> None:
    if not count:
        raise Inconsistent("expected at least one tick, found none", "ticks")
    if head.last_sequence - head.first_sequence + 1 != count:
        found = f"sequences {head.first_sequence} to {head.last_sequence}, {count} ticks"
        raise Inconsistent(f"expected as many ticks as sequences, found {found}", "last_sequence")
