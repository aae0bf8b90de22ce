"""Read server-sent events: lines in, events out, and where to go on after the connection was lost."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

RETRY_S_DEFAULT: Final = 1.0
MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An event of the stream: its name (``order``, ``snapshot``, ``reset``), its id, and its data.

    ``id`` names the tick; a stream that is opened with ``after`` that id goes on right behind it.
    """

    name: str
    id: str
    data: Any


@final
class EventReader:
    """Puts lines together to events. ``last_id`` is where to go on, ``retry_s`` how long to wait before."""

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id
        self.retry_s = RETRY_S_DEFAULT
        self._id = last_id
        self._name = ""
        self._data: list[str] = []

    def begin(self) -> None:
        """Forget an event that a lost connection left half."""
        self._id = self.last_id
        self._name = ""
        self._data = []

    def read(self, line: str) -> Iterator[StreamEvent]:
        """Take in a line, without its end; yield the event that it completes, if it does."""
        if not line:
            yield from self._complete()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isdecimal():
            self.retry_s = int(value) / MS_PER_S

    def _complete(self) -> Iterator[StreamEvent]:
        name, data = self._name or "message", self._data
        self.last_id = self._id
        self.begin()
        if data:
            yield StreamEvent(name, self.last_id or "", json.loads("\n".join(data)))
