"""Decide how much of a stream nobody needs any more.

A message is dropped only when every reader of its stream has said that it will never ask for it again, and named what
it said that of: a mark whose message is another one than the stream holds there was made of another stream. The message
at the mark itself stays, so that the next look can compare it, and so does always the last one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalState
from tradebus.journal.positions import JournalMark, PositionsUnreadable, fingerprint_of, read_positions

_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class PrunedStream:
    """A stream and the readers (keys in the bucket ``positions``) that must all be past what is dropped from it."""

    stream: str
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may go: everything before ``first_kept``; ``held_by`` says what keeps the rest, a reader or its age."""

    first_kept: int
    held_by: str


async def judge(bus: Bus, pruned: PrunedStream, state: JournalState, retention_s: float) -> Verdict:
    """Return how much of a stream may go; ``retention_s`` of it stays whatever the readers say.

    Raises what the bus raises.
    """
    marks: dict[str, JournalMark] = {}
    for reader in pruned.readers:
        found = await _mark(bus, pruned.stream, reader)
        if isinstance(found, str):
            return Verdict(state.first_sequence, found)
        marks[reader] = found
    for reader, mark in marks.items():
        reason = await _foreign(bus, state, reader, mark)
        if reason:
            return Verdict(state.first_sequence, reason)
    return await _with_retention(bus, state, marks, retention_s)


async def _mark(bus: Bus, stream: str, reader: str) -> JournalMark | str:
    """Return a reader's mark in a stream, or why there is none."""
    try:
        positions = await read_positions(bus, reader)
    except PositionsUnreadable as error:
        return str(error)
    mark = None if positions is None else positions.mark(stream)
    return f"{reader} has not said how far it is" if mark is None else mark


async def _foreign(bus: Bus, state: JournalState, reader: str, mark: JournalMark) -> str:
    """Return why a mark is not of this stream, empty when it is, or too old to tell."""
    if mark.position > state.last_sequence:
        return f"{reader} is at message {mark.position}, and the stream ends with {state.last_sequence}"
    if mark.position < state.first_sequence:
        return ""
    message = await bus.message(state.stream, mark.position)
    if message is None or fingerprint_of(message) == mark.fingerprint:
        return ""
    return f"{reader} is at another message {mark.position} than the stream holds"


async def _with_retention(
    bus: Bus, state: JournalState, marks: Mapping[str, JournalMark], retention_s: float
) -> Verdict:
    slowest = min(marks, key=lambda reader: marks[reader].position)
    first = max(state.first_sequence, min(marks[slowest].position, state.last_sequence))
    if retention_s <= 0 or first == state.first_sequence:
        return Verdict(first, slowest)
    young = await _first_younger(bus, state, retention_s)
    return Verdict(first, slowest) if first <= young else Verdict(young, f"what is younger than {retention_s:g} s")


async def _first_younger(bus: Bus, state: JournalState, retention_s: float) -> int:
    """Return the first message that was stored within the time before the last one, by the server's clock."""
    last = await bus.message(state.stream, state.last_sequence)
    if last is None:
        return state.first_sequence
    since_ns = last.time_ns - int(retention_s * _NS_PER_S)
    low, high = state.first_sequence, state.last_sequence
    while low < high:
        middle = (low + high) // 2
        message = await bus.message(state.stream, middle)
        if message is not None and message.time_ns >= since_ns:
            high = middle
        else:
            low = middle + 1
    return low
