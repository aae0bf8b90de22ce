"""Follow an engine from its ticks: event and outputs applied, decisions never called.

Source: barter 0.12.5 ``engine/audit/state_replica.rs``, whose replica ignores outputs and so misses in-flight orders.
"""

from typing import Final, NoReturn, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.apply import apply_event, apply_output
from tradebus.core.engine.apply_resumed import apply_resumed
from tradebus.core.engine.audit.state_hash import StateHash, StateHasher
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import EngineStarted, FeedEnded
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.engine.state.engine_state import EngineState, initial_state
from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory, no_user_data
from tradebus.core.model.number import context_is_intact, restore_engine_context


@mypyc_attr(native_class=False)
class OutOfSequence(ValueError):
    """A tick that does not follow the replica's last one; carries both sequences."""

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(f"audit ticks out of order: expected sequence {expected}, found {found}")
        self.expected = expected
        self.found = found


@mypyc_attr(native_class=False)
class NotStarted(ValueError):
    """A tick before the record that starts the engine."""


@final
class Replica:
    """An exact copy of an engine's state, kept current from its ticks.

    Built empty, it waits for the engine's start record; or it goes on from a state and its sequence and time.
    """

    def __init__(self, make_data: StrategyDataFactory, make_user_data: UserDataFactory = no_user_data) -> None:
        self._make_data = make_data
        self._make_user_data = make_user_data
        self._state: EngineState | None = None
        self._hasher: Final = StateHasher()
        self.started: EngineStarted | None = None
        self.sequence = -1
        self.time_ns = 0
        self.is_ended = False

    @property
    def state(self) -> EngineState:
        """Return the state after the last tick; raises NotStarted before the first."""
        if self._state is None:
            raise NotStarted("no start record of an engine was seen yet")
        return self._state

    @property
    def is_started(self) -> bool:
        """Tell whether there is a state."""
        return self._state is not None

    def resume(self, state: EngineState, sequence: int, time_ns: int, started: EngineStarted | None = None) -> None:
        """Go on from a known state, such as a snapshot's; sequence and time are those of the last tick in it."""
        self._state = state
        self.started = started
        state.time_ns = time_ns
        self.sequence = sequence
        self.time_ns = time_ns
        self.is_ended = False

    def apply(self, tick: AuditTick) -> bool:
        """Apply the next tick; tell whether it was new. Ticks at or before the replica's sequence are skipped.

        Raises OutOfSequence for a gap, NotStarted before a start record and CannotResume for a resumed engine that
        does not fit, leaving the state untouched.
        """
        if not context_is_intact():
            restore_engine_context()
        event = tick.event
        if isinstance(event, EngineStarted) and tick.sequence == self.sequence + 1:
            data = [self._make_data(setup, event.index) for setup in event.strategies]
            self._state = initial_state(event, data, self._make_user_data)
            self._state.time_ns = tick.time_ns
            self.started = event
            self.is_ended = False
        elif isinstance(event, FeedEnded) and self._state is not None and tick.sequence != self.sequence + 1:
            # The end of a feed ends the replica whatever its number says, as in the source.
            self.is_ended = True
            return False
        elif tick.sequence <= self.sequence:
            return False
        else:
            state = self._state
            if state is None:
                raise NotStarted(f"expected the start record of an engine, found tick {tick.sequence}")
            if tick.sequence != self.sequence + 1:
                raise OutOfSequence(self.sequence + 1, tick.sequence)
            if isinstance(event, EngineResumed):
                apply_resumed(state, event.started, self._make_data, self._make_user_data)
                self.started = event.started
            state.time_ns = tick.time_ns
            apply_event(state, event)
            for output in tick.outputs:
                apply_output(state, output)
            self.is_ended = tick.is_terminal
        self.sequence = tick.sequence
        self.time_ns = tick.time_ns
        return True

    def apply_all(self, ticks: tuple[AuditTick, ...], begin: int, end: int) -> None:
        """Apply the next ticks, those at ``begin`` up to ``end``, each of which must be new.

        Raises what ``apply`` does, and ValueError for one that was applied before.
        """
        for place in range(begin, end):
            tick = ticks[place]
            if not self.apply(tick):
                raise ValueError(f"expected tick {self.sequence + 1}, found {tick.sequence} again")

    def __reduce__(self) -> NoReturn:
        """Refuse copy and pickle: what strategies remember cannot be copied."""
        raise TypeError("Replica: take a snapshot of its state and resume from it instead of copying the replica")

    def hash(self) -> StateHash:
        """Return the hash of the replica's own state."""
        return self._hasher.hash(self.state)
