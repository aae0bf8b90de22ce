"""Record that an engine goes on in a journal that it, or another process of the same id, wrote before."""

from typing import ClassVar, Final, final

from tradebus.core.engine.event import EngineStarted
from tradebus.core.engine.event_base import EngineEvent


@final
class EngineResumed(EngineEvent):
    """The first record of every later run in a journal: ``started`` is the full start record of the one that goes on.

    The state goes on: what was known, owned and remembered is kept, and ``started.trading`` counts for nothing. Every
    link counts as lost until it is heard of again. Indices are append-only: those of before keep their meaning.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("started",)

    def __init__(self, started: EngineStarted) -> None:
        self.started: Final = started


@final
class CodeChanged(EngineEvent):
    """The engine goes on with other code than the run before it; ``before`` and ``after`` name both.

    ``state_differs``: what was recorded gives another state with the new code than the old one had recorded of it. Then
    nobody can say which of the two is right, and trading is off from here until an operator says otherwise.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("before", "after", "state_differs")

    def __init__(self, before: str, after: str, state_differs: bool) -> None:
        self.before: Final = before
        self.after: Final = after
        self.state_differs: Final = state_differs


def start_record(event: EngineEvent) -> EngineStarted | None:
    """Return the start record in the event that begins a run, afresh or resumed; none for every other event."""
    if isinstance(event, EngineStarted):
        return event
    if isinstance(event, EngineResumed):
        return event.started
    return None
