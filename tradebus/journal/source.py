"""Ticks of a journal wherever they are: from the archive as far as it reaches, from the stream behind it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final, TypeAlias

from tradebus.bus.interface import Bus
from tradebus.journal.archive.archive import Archive
from tradebus.journal.archive.ticks import encoded_ticks
from tradebus.journal.streamed import position_of_tick
from tradebus.wire.codec.audit import AuditFrames, audit_frames_from_bytes, tick_time_from_bytes
from tradebus.wire.integrity import verify_checksum

EncodedTick: TypeAlias = tuple[int, bytes]

FOLLOW_POLL_S: Final = 0.2


async def ticks_from(archive: Archive | None, bus: Bus | None, stream: str, first: int) -> AsyncIterator[EncodedTick]:
    """Yield sequence and stored bytes of the ticks from ``first`` to the present end, in order, without a hole.

    It ends early where the next one is nowhere to be had. Raises ArchiveDamaged, IntegrityError, DecodeError and what
    the bus raises.
    """
    following = first
    if archive is not None:
        for sequence, encoded in encoded_ticks(archive, first):
            yield sequence, encoded
            following = sequence + 1
    if bus is None:
        return
    position = await position_of_tick(bus, stream, following)
    while position is not None:
        frames = await frames_at(bus, stream, position)
        if frames is None:
            return
        for sequence, encoded in enumerate(frames.ticks, start=frames.head.first_sequence):
            if sequence >= following:
                yield sequence, encoded
        following = frames.head.last_sequence + 1
        position += 1


async def follow(archive: Archive | None, bus: Bus | None, stream: str, first: int) -> AsyncIterator[EncodedTick]:
    """Yield ticks from ``first`` on for ever, as they come."""
    following = first
    while True:
        async for sequence, encoded in ticks_from(archive, bus, stream, following):
            yield sequence, encoded
            following = sequence + 1
        await asyncio.sleep(FOLLOW_POLL_S)
        if archive is not None:
            archive.refresh()


async def last_tick(archive: Archive | None, bus: Bus | None, stream: str) -> int:
    """Return the newest tick, -1 where there is none."""
    found = -1
    last = None if archive is None else archive.last_place()
    if last is not None:
        found = last.place.head.last_sequence
    message = None if bus is None else await bus.last_message(stream)
    if message is not None:
        found = max(found, audit_frames_from_bytes(message.payload).head.last_sequence)
    return found


async def first_tick(archive: Archive | None, bus: Bus | None, stream: str) -> int:
    """Return the oldest tick that is still there, 0 where there is none."""
    if archive is not None:
        for path in archive.paths:
            for place in archive.places(path):
                return place.head.first_sequence
    if bus is None:
        return 0
    state = await bus.journal_state(stream)
    frames = await frames_at(bus, stream, state.first_sequence)
    return 0 if frames is None else frames.head.first_sequence


async def tick_at_time(archive: Archive | None, bus: Bus | None, stream: str, time_ns: int) -> int:
    """Return the first tick at or after an engine time, the one behind the newest where all are earlier."""
    low, high = await first_tick(archive, bus, stream), await last_tick(archive, bus, stream) + 1
    while low < high:
        middle = (low + high) // 2
        found = await one_tick(archive, bus, stream, middle)
        if found is not None and tick_time_from_bytes(found) >= time_ns:
            high = middle
        else:
            low = middle + 1
    return low


async def one_tick(archive: Archive | None, bus: Bus | None, stream: str, sequence: int) -> bytes | None:
    """Return the stored bytes of a tick, none when it is nowhere to be had."""
    async for found, encoded in ticks_from(archive, bus, stream, sequence):
        return encoded if found == sequence else None
    return None


async def frames_at(bus: Bus, stream: str, position: int) -> AuditFrames | None:
    """Return the batch in a message, none when the stream does not have it. Raises IntegrityError, DecodeError."""
    message = await bus.message(stream, position)
    if message is None:
        return None
    verify_checksum(message.payload, message.headers)
    return audit_frames_from_bytes(message.payload)
