"""Say what a reader is told next, so much of it as may go at once, and move it there."""

from services.audit.api.stream.board import MarketBoard
from services.audit.api.stream.event import Mark, Message, StreamEvent
from services.audit.api.stream.reader import Reader
from services.audit.api.stream.ring import Ring
from services.audit.api.stream.selection import Selection


def next_pending(reader: Reader, bytes_max: int) -> list[Message]:
    """Return what comes before the events."""
    messages: list[Message] = []
    size = 0
    while reader.pending and size < bytes_max:
        messages.append(reader.pending.popleft())
        size += len(messages[-1].data)
    reader.has_past = reader.has_past and bool(reader.pending)
    reader.note_taken()
    return messages


def next_events(reader: Reader, ring: Ring, bytes_max: int | None) -> list[Message]:
    """Return the events that come next, up to the end of a tick; all of them without a bound."""
    selection = reader.selection
    if selection is None or reader.number < ring.first:
        return []
    number, end = reader.number, ring.end
    taken: list[StreamEvent] = []
    size, sequence = 0, -1
    while number < end:
        event = ring.at(number)
        if bytes_max is not None and size >= bytes_max and event.sequence != sequence:
            break
        sequence = event.sequence
        number += 1
        if selection.has(event):
            taken.append(event)
            size += len(event.data)
    reader.number = number
    return messages_of(taken)


def next_markets(
    reader: Reader, selection: Selection, board: MarketBoard, now_s: float, sequence: int
) -> list[Message]:
    """Return how the markets stand that changed since it was told last, if it may be told again already.

    ``sequence`` is the newest tick: behind it the reader stands then.
    """
    if now_s < reader.market_due_s or reader.market_number >= board.number:
        return []
    shown = [
        each
        for each in board.since(reader.market_number)
        if each.sequence > reader.market_after and selection.has_instrument(each.instrument)
    ]
    reader.market_number = board.number
    if shown:
        reader.market_due_s = now_s + 1 / selection.max_rate
    mark = str(sequence)
    return [Message(mark, "market", each.data) for each in reversed(shown)]


def messages_of(events: list[StreamEvent]) -> list[Message]:
    """Return events as one reader gets them: the last of a tick has the tick's own id."""
    messages: list[Message] = []
    for at, event in enumerate(events):
        is_last = at + 1 == len(events) or events[at + 1].sequence != event.sequence
        mark = Mark(event.sequence) if is_last else event.mark
        messages.append(Message(str(mark), event.topic.value, event.data))
    return messages
