"""Know who acts at this moment: who leads the engine, who owns each account, who publishes each exchange's feed.

None of it is in the journal, and none of it is decided here: leases and heartbeats are watched, to be shown.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, final

from structlog.stdlib import BoundLogger

from tradebus.bus.errors import BusError
from tradebus.bus.interface import Bus, Subscription
from tradebus.bus.lease_board import LeaseBoard
from tradebus.bus.message import Message
from tradebus.wire import subjects
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.heartbeat import heartbeat_from_bytes

RETRY_S: Final = 1.0
SILENT_S: Final = 3.0
"""A publisher that was not heard for so long is none."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes a feed, and the epoch that its batches carry."""

    instance: str
    epoch: int


@final
class Holders:
    """The holders of one engine's leases and feeds, as far as this process has been told.

    ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        bus: Bus,
        engine: str,
        accounts: Iterable[str],
        log: BoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus: Final = bus
        self._engine: Final = subjects.lease_engine(engine)
        keys = [self._engine, *(subjects.lease_account(name) for name in accounts)]
        self._board: Final = LeaseBoard(bus.bucket(subjects.LEASES), keys, lambda: None)
        self._log: Final = log
        self._clock: Final = clock
        self._feeds: dict[str, tuple[Publisher, float]] = {}
        self._beats: Subscription | None = None

    async def run(self) -> None:
        """Begin to watch, as soon as there is something to watch, and until cancelled."""
        while True:
            try:
                if self._beats is None:
                    self._beats = await self._bus.subscribe(subjects.hb_service("market"), self._on_beat)
                await self._board.start()
            except BusError as error:
                self._log.debug("leases cannot be watched", reason=str(error))
                await self._board.stop()
                await asyncio.sleep(RETRY_S)
            else:
                return

    async def stop(self) -> None:
        """Watch no more."""
        await self._board.stop()
        if self._beats is not None:
            await self._beats.unsubscribe()

    def leader(self) -> str | None:
        """Return who leads the engine, none if nobody does."""
        return self._board.holders().get(self._engine)

    def owner(self, account: str) -> str | None:
        """Return who holds an account's lease, none if nobody does."""
        return self._board.holders().get(subjects.lease_account(account))

    def publisher(self, exchange: str) -> Publisher | None:
        """Return who publishes the feed of an exchange under the highest epoch, none if nobody is heard."""
        oldest_s = self._clock() - SILENT_S
        heard = [
            publisher
            for subject, (publisher, heard_s) in self._feeds.items()
            if heard_s >= oldest_s and subject.startswith(f"md.{exchange}.")
        ]
        return max(heard, key=lambda publisher: publisher.epoch, default=None)

    def _on_beat(self, message: Message) -> None:
        try:
            beat = heartbeat_from_bytes(message.payload)
        except DecodeError as error:
            self._log.debug("a heartbeat cannot be read", subject=message.subject, reason=str(error))
            return
        now_s = self._clock()
        for position in beat.positions:
            known = self._feeds.get(position.subject)
            is_behind = known is not None and known[0].epoch > position.epoch and known[1] >= now_s - SILENT_S
            if not is_behind:
                self._feeds[position.subject] = (Publisher(beat.instance, position.epoch), now_s)
