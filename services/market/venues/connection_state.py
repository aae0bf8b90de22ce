"""Say in which states one connection to a venue can be, and what moves it from one to another.

- IDLE: made, never tried.
- CONNECTING: the websocket is being opened. Nothing may be sent.
- SUBSCRIBING: open; requests are out, not all acknowledged. Data that comes is kept for later.
- STREAMING: everything acknowledged; events flow. The only state in which the feed counts as connected.
- WAITING: lost or failed; the next attempt comes after the backoff (which may be nothing).
- STOPPED: ended by us, for good.

The connection itself causes every signal: ATTEMPT, OPENED and ACKNOWLEDGED when a step succeeds, FAILED when an attempt
ends before data flow, DROPPED when a connection that delivered is lost, STOP when its owner ends it. Surprising row:
STOP on a stopped connection is fine, because an ordered stop and a failure may meet.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class ConnectionState(Enum):
    """Where a connection stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    STREAMING = "streaming"
    WAITING = "waiting"
    STOPPED = "stopped"


class ConnectionSignal(Enum):
    """What happens to a connection."""

    ATTEMPT = "attempt"
    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    DROPPED = "dropped"
    STOP = "stop"


class InvalidConnectionTransition(Exception):
    """A signal that cannot happen in this state: our own mistake; the state is unchanged."""

    def __init__(self, state: ConnectionState, signal: ConnectionSignal) -> None:
        super().__init__(f"a connection that is {state.value} cannot take the signal {signal.value!r}")
        self.state = state
        self.signal = signal


TRANSITIONS: Final[dict[tuple[ConnectionState, ConnectionSignal], ConnectionState]] = {
    (ConnectionState.IDLE, ConnectionSignal.ATTEMPT): ConnectionState.CONNECTING,
    (ConnectionState.WAITING, ConnectionSignal.ATTEMPT): ConnectionState.CONNECTING,
    (ConnectionState.CONNECTING, ConnectionSignal.OPENED): ConnectionState.SUBSCRIBING,
    (ConnectionState.CONNECTING, ConnectionSignal.FAILED): ConnectionState.WAITING,
    (ConnectionState.SUBSCRIBING, ConnectionSignal.ACKNOWLEDGED): ConnectionState.STREAMING,
    (ConnectionState.SUBSCRIBING, ConnectionSignal.FAILED): ConnectionState.WAITING,
    (ConnectionState.STREAMING, ConnectionSignal.DROPPED): ConnectionState.WAITING,
    (ConnectionState.IDLE, ConnectionSignal.STOP): ConnectionState.STOPPED,
    (ConnectionState.CONNECTING, ConnectionSignal.STOP): ConnectionState.STOPPED,
    (ConnectionState.SUBSCRIBING, ConnectionSignal.STOP): ConnectionState.STOPPED,
    (ConnectionState.STREAMING, ConnectionSignal.STOP): ConnectionState.STOPPED,
    (ConnectionState.WAITING, ConnectionSignal.STOP): ConnectionState.STOPPED,
    (ConnectionState.STOPPED, ConnectionSignal.STOP): ConnectionState.STOPPED,
}


def next_state(state: ConnectionState, signal: ConnectionSignal) -> ConnectionState:
    """Return the state that a signal leads to; raises InvalidConnectionTransition where there is none."""
    following = TRANSITIONS.get((state, signal))
    if following is None:
        raise InvalidConnectionTransition(state, signal)
    return following
