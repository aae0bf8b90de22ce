"""Say why a command was not taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; ``path`` leads to it: ``orders.0.instrument``. ``near`` are names like it."""

    path: str
    expected: str
    found: str
    near: tuple[str, ...] = ()


class CommandError(Exception):
    """Base: a command that was not taken. Nothing has been sent, unless the class says otherwise."""


class InvalidCommand(CommandError):
    """It asks for what does not exist or makes no sense; everything that is wrong with it."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        count = len(errors)
        super().__init__(f"{count} {'field is' if count == 1 else 'fields are'} wrong")
        self.errors: Final = tuple(errors)


class KeyConflict(CommandError):
    """The idempotency key was used before, by the same caller, for something else."""


class NotTaken(CommandError):
    """The command could not be handed over now. Repeating it with the same key is safe: it may be on its way."""


class TooMany(CommandError):
    """More commands than are kept in mind have not expired yet. After ``retry_after_s`` some have."""

    def __init__(self, kept: int, retry_after_s: int) -> None:
        super().__init__(f"{kept} commands have not expired yet; no more are taken until some have")
        self.retry_after_s: Final = retry_after_s
