"""The internal HTTP server: health, metrics and status, for supervisors and not for users."""

from collections.abc import Callable, Mapping
from typing import Final, final

from aiohttp import web

from services.runtime.health import Health
from services.runtime.lifecycle import State
from services.runtime.metrics import CONTENT_TYPE, Metrics
from services.runtime.ports import CannotListen, Listening
from services.runtime.service import Json
from tradebus.config import Address

_SHUTDOWN_TIMEOUT_S: Final = 1.0


@final
class InternalServer:
    """Serves `/health/live`, `/health/ready`, `/metrics` and `/status`."""

    def __init__(
        self, listening: Listening, health: Health, metrics: Metrics, status: Callable[[], Mapping[str, Json]]
    ) -> None:
        self._listening: Final = listening
        self._health: Final = health
        self._metrics: Final = metrics
        self._status: Final = status
        app = web.Application()
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/metrics", self._scrape)
        app.router.add_get("/status", self._show)
        self._runner: Final = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)

    async def start(self) -> Address:
        """Listen, and return the address, its port chosen if it was 0. Raises CannotListen."""
        await self._runner.setup()
        wanted = self._listening.address
        try:
            await web.TCPSite(self._runner, wanted.host, wanted.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise CannotListen(self._listening, error) from error
        return Address(wanted.host, int(self._runner.addresses[0][1]))

    async def stop(self) -> None:
        """Stop listening; requests under way get a second."""
        await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        """Alive means: the event loop answers and the process is not at its end."""
        state = self._health.report().state
        return web.json_response({"state": state.value}, status=503 if state is State.STOPPED else 200)

    async def _ready(self, _: web.Request) -> web.Response:
        report = self._health.report()
        body = {"ready": report.ready, "state": report.state.value, "reasons": report.reasons}
        return web.json_response(body, status=200 if report.ready else 503)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def _show(self, _: web.Request) -> web.Response:
        return web.json_response(dict(self._status()))
