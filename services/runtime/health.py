"""What is wrong with a service right now, and whether it is ready."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from services.runtime.lifecycle import Event, Lifecycle, State


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The answer to "are you ready?"; `reasons` by name say why not."""

    state: State
    reasons: dict[str, str]

    @property
    def ready(self) -> bool:
        """Whether the service does all of its work."""
        return self.state is State.READY


@final
class Health:
    """Collects reasons for not being ready and moves the life cycle between ready and degraded."""

    def __init__(self, lifecycle: Lifecycle, on_change: Callable[[HealthReport], None]) -> None:
        self._lifecycle: Final = lifecycle
        self._on_change: Final = on_change
        self._reasons: dict[str, str] = {}

    def trouble(self, name: str, reason: str) -> None:
        """Note that `name` (`bus`, `feed binance_spot`) is in trouble; a later reason replaces an earlier one."""
        known = self._reasons.get(name)
        first = not self._reasons
        self._reasons[name] = reason
        if first:
            self._lifecycle.advance(Event.TROUBLE)
        if known != reason:
            self._on_change(self.report())

    def clear(self, name: str) -> None:
        """Note that `name` is well; nothing happens if it was."""
        if self._reasons.pop(name, None) is None:
            return
        if not self._reasons:
            self._lifecycle.advance(Event.RECOVERED)
        self._on_change(self.report())

    def started(self) -> None:
        """Note that the service has started: ready, or degraded if there are reasons."""
        self._lifecycle.advance(Event.STARTED)
        if self._reasons:
            self._lifecycle.advance(Event.TROUBLE)
        self._on_change(self.report())

    def report(self) -> HealthReport:
        """Return state and reasons as they are now."""
        return HealthReport(self._lifecycle.state, dict(self._reasons))
