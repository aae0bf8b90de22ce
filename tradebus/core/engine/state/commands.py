"""Know which commands were applied: how far their stream was read, and the ids of the last hour."""

from typing import ClassVar, Final, final

from tradebus.core.model.record import Record

KEPT_NS: Final = 3_600_000_000_000
"""A command's id is known for an hour of engine time."""

KEPT_MAX: Final = 10_000
"""So many ids are known at most, the last ones."""


@final
class AppliedCommand(Record):
    """A command that was applied, and when, in engine time."""

    FIELDS: ClassVar[tuple[str, ...]] = ("id", "time_ns")

    def __init__(self, id: str, time_ns: int) -> None:
        self.id: Final = id
        self.time_ns: Final = time_ns


@final
class CommandLog(Record):
    """The commands that were applied. ``position`` is where the last one stands in the stream; 0 while none was.

    ``applied`` holds those of the last hour, oldest first.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("position", "applied")

    def __init__(self, position: int, applied: list[AppliedCommand]) -> None:
        self.position = position
        self.applied = applied

    def has(self, id: str) -> bool:
        """Tell whether a command of this id was applied within the last hour."""
        return any(command.id == id for command in self.applied)

    def note(self, id: str, position: int, time_ns: int) -> None:
        """Take note of a command that is being applied; those that did not come from the stream have no position."""
        self.position = max(self.position, position)
        if not id:
            return
        first = 0
        while first < len(self.applied) and time_ns - self.applied[first].time_ns >= KEPT_NS:
            first += 1
        del self.applied[: max(first, len(self.applied) + 1 - KEPT_MAX)]
        self.applied.append(AppliedCommand(id, time_ns))
