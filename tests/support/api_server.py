"""The API of a run that goes on, over HTTP and gRPC on ports of its own, with an engine that reads commands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from services.audit.api.security import Guard
from services.audit.api.server import ApiServer
from services.audit.api.stream.limits import StreamLimits
from services.audit.rpc.server import RpcServer
from services.runtime.ports import Listening
from tests.support.audit_run import EngineRun
from tests.support.commanded import Commanded
from tradebus.bus.errors import BusUnavailable
from tradebus.config import Address

LOOK_PERIOD_S = 0.01
ANY_PORT = Address("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Served:
    """A running API: where it is, the key of its operator, and what a test does to its engine."""

    api: Commanded
    url: str
    grpc_target: str
    key: str


@asynccontextmanager
async def served_api(events: int = 80) -> AsyncIterator[Served]:
    """Serve until the block ends."""
    run = EngineRun(events=events, is_ended=False)
    async with Commanded(run, StreamLimits()) as api:
        await api.feed(run.batches())
        server = ApiServer(Guard(api.app, api.metrics), Listening(ANY_PORT, "the API", "api.listen"))
        rpc = RpcServer(api.context, Listening(ANY_PORT, "gRPC", "api.grpc_listen"), 1_000)
        url, target = server.listen().url, str(await rpc.listen())
        serving = asyncio.create_task(server.run())
        engine = asyncio.create_task(_read_commands(api))
        try:
            yield Served(api, url, target, api.operator["Authorization"].removeprefix("Bearer "))
        finally:
            engine.cancel()
            with suppress(asyncio.CancelledError):
                await engine
            await rpc.stop()
            await server.stop()
            await serving


async def _read_commands(api: Commanded) -> None:
    """Be the engine: process each command when it comes."""
    done = 0
    while True:
        with suppress(BusUnavailable):
            if len(await api.sent()) > done:
                await api.engine_reads()
                done = len(await api.sent())
        await asyncio.sleep(LOOK_PERIOD_S)
