"""Hold the base of all engine events, apart from them so that market events can derive from it."""

from typing import ClassVar

from tradebus.core.model.record import Record


class EngineEvent(Record):
    """Anything that the engine can process: market, account, command, time, life cycle."""

    FIELDS: ClassVar[tuple[str, ...]] = ()
