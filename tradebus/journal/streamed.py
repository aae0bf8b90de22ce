"""Read a stream from outside, without a service: all of it in order, a range, or from its end."""

from collections.abc import Callable

from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.wire.codec.audit import audit_frames_from_bytes


async def read_stream(bus: Bus, stream: str, first: int, take: Callable[[JournalMessage], None]) -> None:
    """Hand over every message from ``first`` on that is there now, in order. Raises what the bus raises."""
    state = await bus.journal_state(stream)
    start = max(first, state.first_sequence)
    if start > state.last_sequence:
        return
    reader = await bus.consume(stream, start, lambda message: take(message))  # noqa: PLW0108 - it may not be awaited
    try:
        await reader.wait_caught_up()
    finally:
        await reader.stop()


async def read_range(bus: Bus, stream: str, first: int, last: int) -> list[JournalMessage]:
    """Return what the stream has of the messages from ``first`` to ``last``. Raises what the bus raises."""
    found: list[JournalMessage] = []
    for position in range(first, last + 1):
        message = await bus.message(stream, position)
        if message is not None:
            found.append(message)
    return found


async def position_of_tick(bus: Bus, stream: str, sequence: int) -> int | None:
    """Return the message with a tick, none when the stream does not have it. Raises DecodeError, or a bus error."""
    state = await bus.journal_state(stream)
    low, high = state.first_sequence, state.last_sequence
    while low <= high:
        middle = (low + high) // 2
        message = await bus.message(stream, middle)
        if message is None:  # pruned meanwhile
            low = middle + 1
            continue
        head = audit_frames_from_bytes(message.payload).head
        if sequence < head.first_sequence:
            high = middle - 1
        elif sequence > head.last_sequence:
            low = middle + 1
        else:
            return middle
    return None
