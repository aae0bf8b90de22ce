"""Run the audit service: follow the journal, serve what it says."""

from collections.abc import Mapping
from typing import Final, final

from services.audit.api.server import ApiServer
from services.audit.config import AuditConfig
from services.audit.fold import Fold
from services.audit.follower import Follower
from services.audit.status import audit_status
from services.runtime import Json, Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from tradebus.config import Address

DRAIN_S: Final = 1.0


@final
class AuditService(Service):
    """The replica and its API."""

    def __init__(
        self, runtime: Runtime, config: AuditConfig, fold: Fold, follower: Follower, letters: DeadLetterBox
    ) -> None:
        self.fold: Final = fold
        self.follower: Final = follower
        self.address: Address | None = None
        """Where the API listens, once it does."""
        self._runtime: Final = runtime
        self._config: Final = config
        self._letters: Final = letters
        self._server: ApiServer | None = None

    async def serve(self, server: ApiServer) -> None:
        """Listen, before anything else is begun. Raises CannotListen."""
        self.address = server.listen()
        self._server = server
        self._runtime.spawn(server.run(), "api")
        self._runtime.log.info("the API listens", url=self.address.url)

    async def start(self) -> None:
        """Read the journal as far as it goes; the API says meanwhile that the replica is behind."""
        self._runtime.spawn(self._letters.run(), "dead letters")
        self._runtime.spawn(self.follower.watch_lag(), "lag")
        await self.follower.start()

    async def stop(self) -> None:
        """Answer what was asked, take in what was read, keep what could not be read."""
        if self._server is not None:
            await self._server.stop()
        await self.follower.stop()
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
        return audit_status(self.fold, self._config.stream, is_caught_up=self.follower.is_caught_up)
