"""The life of a service as a state machine.

States and what each promises:

- `starting`: configuration is valid; connections and state are being set up; not ready.
- `ready`: doing its work, nothing is known to be wrong.
- `degraded`: doing what can be done; the health report says what is wrong (the bus is away, a feed is stale).
- `stopping`: an ordered stop is under way; nothing new is begun.
- `stopped`: everything is flushed and closed; the process is about to end.

Who causes the events: `started` the service itself, `trouble` and `recovered` the first reason for not being ready
and the disappearance of the last, `stop` a signal, a failed task or a finished job, `done` the end of the stop.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final, final


class State(StrEnum):
    """Where a service stands in its life."""

    STARTING = "starting"
    READY = "ready"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Event(StrEnum):
    """What moves a service on."""

    STARTED = "started"
    TROUBLE = "trouble"
    RECOVERED = "recovered"
    STOP = "stop"
    DONE = "done"


TRANSITIONS: Final = MappingProxyType(
    {
        (State.STARTING, Event.STARTED): State.READY,
        # NATS may come and go while we wait for it; a service that never was ready does not become degraded.
        (State.STARTING, Event.TROUBLE): State.STARTING,
        (State.STARTING, Event.RECOVERED): State.STARTING,
        # Ctrl-C while waiting for NATS.
        (State.STARTING, Event.STOP): State.STOPPING,
        (State.READY, Event.TROUBLE): State.DEGRADED,
        (State.READY, Event.STOP): State.STOPPING,
        (State.DEGRADED, Event.RECOVERED): State.READY,
        (State.DEGRADED, Event.STOP): State.STOPPING,
        # Connections close during a stop, which their listeners report as trouble; a second reason may ask to stop.
        (State.STOPPING, Event.TROUBLE): State.STOPPING,
        (State.STOPPING, Event.RECOVERED): State.STOPPING,
        (State.STOPPING, Event.STOP): State.STOPPING,
        (State.STOPPING, Event.DONE): State.STOPPED,
        (State.STOPPED, Event.TROUBLE): State.STOPPED,
        (State.STOPPED, Event.RECOVERED): State.STOPPED,
        (State.STOPPED, Event.STOP): State.STOPPED,
    }
)


class InvalidTransition(Exception):
    """An event that cannot happen in this state: our own mistake."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.value} cannot happen to a service that is {state.value}")
        self.state: Final = state
        self.event: Final = event


@final
class Lifecycle:
    """The current state of one service."""

    def __init__(self) -> None:
        self._state = State.STARTING

    @property
    def state(self) -> State:
        """The current state."""
        return self._state

    def advance(self, event: Event) -> State:
        """Move on and return the new state. Raises InvalidTransition, and then nothing has changed."""
        following = TRANSITIONS.get((self._state, event))
        if following is None:
            raise InvalidTransition(self._state, event)
        self._state = following
        return following
