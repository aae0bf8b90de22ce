"""The bus as the service's health sees it: waiting for it at the start, telling the truth about it afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Final, final

from structlog.stdlib import BoundLogger

from services.runtime.health import Health
from services.runtime.metrics import Metrics
from tradebus.bus import events
from tradebus.bus.errors import ConnectFailed
from tradebus.bus.interface import Bus

BUS: Final = "bus"
"""Name of the bus among the reasons for not being ready."""

PERMISSIONS: Final = "permissions"
"""Name of refused subjects among them; it stays until the service is started again."""

_WAIT_INITIAL_S: Final = 0.1
_WAIT_MAX_S: Final = 2.0
_LOGGED_EVERY: Final = 10


@final
class BusLink:
    """Connects with patience, then turns bus events into health, metrics and log lines.

    `on_fatal` is called with a reason when the bus, or a reader, is of no more use.
    """

    def __init__(
        self,
        url: str,
        health: Health,
        metrics: Metrics,
        log: BoundLogger,
        on_fatal: Callable[[str], None],
        user: str = "",
    ) -> None:
        self._user: Final = user
        self._url: Final = url
        self._health: Final = health
        self._metrics: Final = metrics
        self._log: Final = log
        self._on_fatal: Final = on_fatal
        self._down: dict[str, str] = {}
        self._unreached = 0

    async def connect(self, connector: Callable[[events.Listener], Awaitable[Bus]]) -> Bus:
        """Call `connector` until it gives a bus, for ever; while there is none the health report says so.

        `connector` makes one attempt with a limit of its own and raises ConnectFailed when NATS does not answer;
        anything else (a refused password, say) is not repeated. It adds the listener before it connects.
        """
        wait_s = _WAIT_INITIAL_S
        while True:
            try:
                bus = await connector(self.on_event)
            except ConnectFailed as error:
                self._note_unreached(error)
            else:
                self._unreached = 0
                self._update()
                return bus
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _WAIT_MAX_S)

    def on_event(self, event: events.BusEvent) -> None:
        """Take note of what the bus reports about itself; never raises, never blocks."""
        self._metrics.bus_events.labels(type(event).__name__).inc()
        match event:
            case events.Connected():
                self._down.pop(event.connection, None)
                self._log.info(
                    "connected to NATS", connection=event.connection, server=event.server, version=event.server_version
                )
            case events.Disconnected():
                self._down[event.connection] = f"connection `{event.connection}` to NATS at {self._url} is lost"
                self._log.warning("NATS connection lost, reconnecting", connection=event.connection, url=self._url)
            case events.Reconnected():
                self._down.pop(event.connection, None)
                self._log.info("NATS is back", connection=event.connection, outage_s=round(event.outage_s, 3))
            case events.ConnectionTrouble():
                self._log.info("NATS trouble", **_fields(event))
            case events.PermissionViolation():
                self._note_refusal(event)
            case events.ReaderResumed() | events.ServerLeaving():
                self._log.info(_words(event), **_fields(event))
            case _:
                self._log.warning(_words(event), **_fields(event))
        self._update()
        if event.fatal:
            self._on_fatal(f"{_words(event)}: {_fields(event)}")

    def _note_unreached(self, error: ConnectFailed) -> None:
        self._unreached += 1
        self._health.trouble(BUS, f"NATS not reachable at {self._url}, retrying")
        if self._unreached % _LOGGED_EVERY == 1:
            self._log.warning("NATS not reachable, retrying", url=self._url, attempt=self._unreached, error=str(error))

    def _note_refusal(self, event: events.PermissionViolation) -> None:
        """Tell what the server refused, and stay not ready: what does not arrive is missed somewhere."""
        self._metrics.bus_refusals.labels(event.operation).inc()
        what = "publish to" if event.operation == "publish" else "subscribe to"
        self._health.trouble(PERMISSIONS, f"NATS user {self._user} may not {what} {event.subject}")
        self._log.error(
            "refused by NATS", user=self._user, operation=event.operation, subject=event.subject, reason="permissions"
        )

    def _update(self) -> None:
        self._metrics.bus_connected.set(0 if self._down or self._unreached else 1)
        if self._down:
            self._health.trouble(BUS, "; ".join(self._down.values()))
        elif not self._unreached:
            self._health.clear(BUS)


def _words(event: events.BusEvent) -> str:
    """Return the event's name as words: `SlowConsumer` gives `bus: slow consumer`."""
    name = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(event).__name__)
    return f"bus:{name}"


def _fields(event: events.BusEvent) -> dict[str, str | int | float]:
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    return {name: value if isinstance(value, str | int | float) else repr(value) for name, value in values.items()}
