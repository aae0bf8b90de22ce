"""Tell apart what the engine can go on after and what ends it.

Source: barter 0.12.5 ``engine/error.rs``.
"""

from enum import Enum
from typing import ClassVar, Final, final

from tradebus.core.model.record import Record


class EngineErrorKind(Enum):
    """Why a request could not be handed over. Only the first is recoverable."""

    LINK_UNHEALTHY = 1
    INDEX = 2
    LINK_TERMINATED = 3
    CUSTOM = 4


@final
class EngineError(Record):
    """A failure inside a step, as data: it stands in the tick."""

    FIELDS: ClassVar[tuple[str, ...]] = ("kind", "message")

    def __init__(self, kind: EngineErrorKind, message: str) -> None:
        self.kind: Final = kind
        self.message: Final = message

    @property
    def is_recoverable(self) -> bool:
        """Tell whether the engine goes on after this error."""
        return self.kind is EngineErrorKind.LINK_UNHEALTHY
