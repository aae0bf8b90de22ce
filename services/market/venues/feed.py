"""Run a venue's feed: as many connections as the subscriptions need, one sink, one set of counts.

feed = VenueFeed(BinanceSpot(), exchange, subscriptions, sink)
await feed.start()      # raises when the venue cannot be reached or refuses
await feed.wait()       # until stopped; raises only for a mistake of our own
await feed.stop()       # from elsewhere; ordered, no marker is emitted
"""

from __future__ import annotations

import asyncio
import random as random_module
from collections.abc import Callable, Iterable

from services.market.venues.clock import Clock, SystemClock
from services.market.venues.connection import ConnectionSettings, ConnectionStatus, VenueConnection
from services.market.venues.interface import ConnectionPlan, FeedSink, Subscription, Translator, Venue
from services.market.venues.link import Connector, WebsocketConnector
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.tally import FrameTally
from tradebus.core.model.identifiers import ExchangeIndex


class VenueFeed:
    """The live feed of one exchange. Start it once; after `stop` make another."""

    def __init__(
        self,
        venue: Venue,
        exchange: ExchangeIndex,
        subscriptions: Iterable[Subscription],
        sink: FeedSink,
        *,
        url: str | None = None,
        settings: ConnectionSettings | None = None,
        sequences: InstrumentSequences | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = random_module.random,
        connector: Connector | None = None,
    ) -> None:
        """Plan the connections. Raises UnsupportedSubscription or ValueError, as `Venue.plan` does.

        ``url`` replaces the venue's own websocket address; ``random`` gives numbers in [0, 1) for the jitter;
        ``connector`` replaces the network.
        """
        self.venue = venue
        self.exchange = exchange
        self.tally = FrameTally()
        self.sequences = InstrumentSequences() if sequences is None else sequences
        settings = ConnectionSettings() if settings is None else settings
        self._websockets = WebsocketConnector(venue.exchange, connect_timeout_s=settings.connect_timeout_s)
        self._connections = [
            VenueConnection(
                venue,
                exchange,
                plan,
                connector=self._websockets.open if connector is None else connector,
                new_translator=self._translator_maker(plan),
                tally=self.tally,
                sink=sink,
                settings=settings,
                clock=SystemClock() if clock is None else clock,
                random=random,
            )
            for plan in venue.plan(subscriptions, url)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def connections(self) -> list[ConnectionStatus]:
        """The status of each connection, in the order planned; live objects, to be read only."""
        return [connection.status for connection in self._connections]

    async def start(self, *, retry_connect: bool = False) -> None:
        """Open every connection and have its subscriptions acknowledged, then deliver in the background.

        With ``retry_connect`` a venue that cannot be reached is tried again for ever instead of raising; the sink
        hears of it. A refusal always raises: it will not change by itself.

        Raises ConnectivityError or VenueRefusal, of the first connection that failed; nothing is left open then.
        """
        firsts = [asyncio.create_task(connection.first(retry=retry_connect)) for connection in self._connections]
        try:
            outcomes = await asyncio.gather(*firsts, return_exceptions=True)
        except asyncio.CancelledError:  # which reached the attempts too: they are closing what they opened
            await self._abandon(firsts)
            raise
        failed = next((outcome for outcome in outcomes if outcome is not None), None)
        if failed is not None:
            await self._abandon(firsts)
            raise failed
        self._tasks = [asyncio.create_task(connection.run()) for connection in self._connections]

    async def wait(self) -> None:
        """Return once the feed is stopped; raises what went wrong in our own code, or in the sink's."""
        if not self._tasks:
            return
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            if not task.cancelled():
                task.result()

    async def stop(self) -> None:
        """End every connection with a goodbye; nothing reaches the sink after this returns. May be called twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._let_go()

    async def _abandon(self, firsts: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*firsts, return_exceptions=True)
        await self._let_go()

    async def _let_go(self) -> None:
        # A task that is cancelled before its first step never runs, and so never takes what the attempt opened.
        await asyncio.gather(*(connection.discard() for connection in self._connections))
        await self._websockets.close()

    def _translator_maker(self, plan: ConnectionPlan) -> Callable[[], Translator]:
        return lambda: self.venue.translator(self.exchange, plan.subscriptions, self.sequences, self.tally)
