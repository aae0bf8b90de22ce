"""Run the live feed of a venue: what its connections deliver goes to the bus, what goes wrong into health and log."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, final

from structlog.stdlib import BoundLogger

from services.market.feed import Feed
from services.market.metrics import MarketMetrics
from services.market.publisher import ShardPublisher
from services.market.venues.connection import ConnectionStatus
from services.market.venues.connection_state import ConnectionState
from services.market.venues.errors import FrameError, VenueConnectionError
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import FeedSink
from services.market.venues.tally import UnknownKind
from services.runtime import Health, Json, Position
from services.runtime.dead_letters import DeadLetterBox
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId

_WATCH_PERIOD_S: Final = 0.1

Spawn = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
MakeVenueFeed = Callable[[FeedSink], VenueFeed]


@final
class LiveFeed(Feed, FeedSink):
    """The live feed of one exchange. ``make`` gives the venue's feed, delivering to the sink that it is given."""

    def __init__(
        self,
        exchange: ExchangeId,
        make: MakeVenueFeed,
        publisher: ShardPublisher,
        letters: DeadLetterBox,
        health: Health,
        metrics: MarketMetrics,
        spawn: Spawn,
        log: BoundLogger,
    ) -> None:
        self._exchange: Final = exchange
        self._publisher: Final = publisher
        self._letters: Final = letters
        self._health: Final = health
        self._metrics: Final = metrics
        self._spawn: Final = spawn
        self._log: Final = log
        self._reason_name: Final = f"feed {exchange.value}"
        self._kinds_logged: set[str] = set()
        self._watch: asyncio.Task[None] | None = None
        self._venue: Final = make(self)

    @property
    def name(self) -> str:
        """Return the exchange's name."""
        return self._exchange.value

    async def start(self) -> None:
        """Connect, for ever if need be, and deliver in the background; raises VenueRefusal."""
        self._health.trouble(self._reason_name, "connecting")
        await self._venue.start(retry_connect=True)
        self._spawn(self._venue.wait(), f"feed {self.name}")
        self._look()
        self._watch = self._spawn(self._keep_looking(), f"watch {self.name}")

    async def stop(self) -> None:
        """Close the connections and publish what was received."""
        if self._watch is not None:
            self._watch.cancel()
        await self._venue.stop()
        self._publisher.close()

    def status(self) -> Mapping[str, Json]:
        """Return the connections, and what came of the venue's frames."""
        tally = self._venue.tally
        return {
            "source": "live",
            "connected": self._is_connected(),
            "items": self._publisher.sequence,
            "items_dropped": self._publisher.dropped,
            "connections": [_connection(status) for status in self._venue.connections],
            "events": dict(tally.events),
            "skipped": dict(tally.skipped),
            "unknown": dict(tally.unknown),
            "failed": dict(tally.failed),
        }

    def positions(self) -> Sequence[Position]:
        """Return the last number published."""
        return [self._publisher.position]

    # ------------------------------------------------------------------------------ what the venue's feed delivers

    def on_events(self, events: Sequence[MarketEvent]) -> None:
        """Publish the events of one frame."""
        self._publisher.add_all(events)

    def on_reconnecting(self, event: MarketReconnecting) -> None:
        """Publish that the feed was lost, and say so in health and log."""
        self._publisher.reconnecting(event)
        self._metrics.reconnections.labels(self.name).inc()
        self._health.trouble(self._reason_name, f"connection lost: {event.reason}")
        self._log.warning("feed lost, reconnecting", exchange=self.name, reason=event.reason)

    def on_frame_error(self, error: FrameError) -> None:
        """Count a bad frame and keep it; log the first of its kind."""
        self._metrics.frame_errors.labels(self.name, error.KIND).inc()
        self._letters.put(self.name, error.payload, str(error))
        if error.KIND not in self._kinds_logged:
            self._kinds_logged.add(error.KIND)
            self._log.warning("bad frame; more of its kind are counted only", kind=error.KIND, reason=str(error))

    def on_unknown_kind(self, unknown: UnknownKind) -> None:
        """Log a kind of frame that we do not know; it comes here once."""
        self._log.warning(
            "unknown kind of frame; more of it are counted only",
            exchange=self.name,
            kind=unknown.kind,
            frame=unknown.excerpt,
        )

    def on_attempt_failed(self, error: VenueConnectionError, retry_in_ms: int) -> None:
        """Say in health and log that the venue cannot be reached."""
        self._health.trouble(self._reason_name, str(error))
        self._log.warning("venue not reachable, retrying", reason=str(error), retry_in_ms=retry_in_ms)

    # ------------------------------------------------------------------------------ connected or not

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_PERIOD_S)
            self._look()

    def _look(self) -> None:
        """Clear the trouble once every connection delivers: the venue's feed reports losses, not recoveries."""
        if self._is_connected():
            self._health.clear(self._reason_name)

    def _is_connected(self) -> bool:
        return all(status.state is ConnectionState.STREAMING for status in self._venue.connections)


def _connection(status: ConnectionStatus) -> Json:
    return {
        "url": status.url,
        "state": status.state.value,
        "subscriptions": status.subscriptions,
        "attempts": status.attempts,
        "drops": status.drops,
        "last_error": status.last_error,
        "streaming_since_ns": status.streaming_since_ns,
        "last_frame_ns": status.last_frame_ns,
    }
