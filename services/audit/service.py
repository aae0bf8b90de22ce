"""Run the audit service: follow the journal, serve what it says."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from services.audit.api.server import ApiServer
from services.audit.api.stream.hub import StreamHub
from services.audit.archivist import Archivist
from services.audit.config import AuditConfig
from services.audit.fold import Fold
from services.audit.follower import Follower
from services.audit.past import Past
from services.audit.pruner import Pruner
from services.audit.rpc.server import RpcServer
from services.audit.status import audit_status
from services.runtime import Json, Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.streams import wait_for_stream
from tradebus.bus.interface import Bus
from tradebus.config import Address
from tradebus.journal.archive.lineage import Lineage
from tradebus.wire import subjects
from tradebus.wire.codec.heartbeat import StreamPosition

DRAIN_S: Final = 1.0
HEALTH_PERIOD_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class Keeping:
    """What keeps the journal on disk, where it is kept."""

    archivist: Archivist
    past: Past


@final
class AuditService(Service):
    """The replica and its API."""

    def __init__(
        self, runtime: Runtime, config: AuditConfig, bus: Bus, fold: Fold, follower: Follower, letters: DeadLetterBox
    ) -> None:
        self.fold: Final = fold
        self.follower: Final = follower
        self.address: Address | None = None
        """Where the API listens, once it does."""
        self.grpc_address: Address | None = None
        """Where gRPC listens, where it does."""
        self._runtime: Final = runtime
        self._config: Final = config
        self._bus: Final = bus
        self._letters: Final = letters
        self._server: ApiServer | None = None
        self._rpc: RpcServer | None = None
        self._keeping: Keeping | None = None
        self._pruner: Pruner | None = None
        self._hub: StreamHub | None = None

    def look_after(self, pruner: Pruner) -> None:
        """Shorten the streams, from the start on."""
        self._pruner = pruner

    def stream(self, hub: StreamHub) -> None:
        """End the streams when the service stops."""
        self._hub = hub

    def keep(self, keeping: Keeping) -> None:
        """Keep the journal on disk, from the start on."""
        self._keeping = keeping

    async def serve(self, server: ApiServer) -> None:
        """Listen, before anything else is begun. Raises CannotListen."""
        self.address = server.listen()
        self._server = server
        self._runtime.spawn(server.run(), "api")
        self._runtime.log.info("the API listens", url=self.address.url)

    async def serve_rpc(self, server: RpcServer) -> None:
        """Listen for gRPC, too. Raises CannotListen."""
        self.grpc_address = await server.listen()
        self._rpc = server
        self._runtime.on_exit(server.stop)
        self._runtime.spawn(self._tell_health(server), "gRPC health")
        self._runtime.log.info("gRPC listens", address=str(self.grpc_address))

    async def start(self) -> None:
        """Read the journal as far as it goes; the API says meanwhile that the replica is behind."""
        self._runtime.spawn(self._letters.run(), "dead letters")
        self._runtime.spawn(self.follower.watch_lag(), "lag")
        if self._pruner is not None:
            self._runtime.spawn(self._pruner.run(), "pruner")
        await self._start_keeping()
        await self.follower.start()

    async def stop(self) -> None:
        """Answer what was asked, take in what was read, keep what could not be read."""
        if self._hub is not None:
            self._hub.close()
        if self._server is not None:
            await self._server.stop()
        if self._rpc is not None:
            await self._rpc.stop()
        await self.follower.stop()
        if self._keeping is not None:
            self._keeping.past.freeze_last()
            await self._keeping.archivist.stop()
            await self._keeping.past.write()
        await self._letters.drain(DRAIN_S)
        self._runtime.log.info(
            "replica stopped",
            sequence=self.fold.sequence,
            ticks=self.fold.ticks,
            checks_equal=self.fold.verification.equal,
            checks_unequal=self.fold.verification.unequal,
            is_exact=self.fold.is_exact,
        )

    def status(self) -> Mapping[str, Json]:
        """Return where the replica stands."""
        data = audit_status(self.fold, self._config.stream, is_caught_up=self.follower.is_caught_up)
        if self._keeping is not None:
            data["archive"] = self._keeping.archivist.status()
        if self._pruner is not None:
            data["streams"] = self._pruner.status()
        return data

    def positions(self) -> Sequence[StreamPosition]:
        """Return how far the journal is archived and on disk."""
        end = None if self._keeping is None else self._keeping.archivist.end
        engine = self._runtime.settings.journal_id
        return () if end is None else (StreamPosition(subjects.audit(engine), self.fold.epoch, end.position),)

    async def _tell_health(self, server: RpcServer) -> None:
        while True:
            await server.tell_health(is_ready=self._runtime.health.report().ready)
            await asyncio.sleep(HEALTH_PERIOD_S)

    async def _start_keeping(self) -> None:
        """Open the archive, which the replica begins with unless it is that of another stream."""
        keeping = self._keeping
        if keeping is None:
            return
        await wait_for_stream(self._runtime, self._bus, self._config.stream)
        if await keeping.archivist.open() is not Lineage.FOREIGN:
            self.follower.begin_with(keeping.past)
        self._runtime.spawn(keeping.archivist.run(), "archive")
        self._runtime.spawn(keeping.past.run(), "checkpoints")
