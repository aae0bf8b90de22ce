"""Wait for streams that somebody else makes: services start in any order."""

import asyncio
from typing import Final

from services.runtime.nats import provision_streams, wanted_topology
from services.runtime.runtime import Runtime
from tradebus.bus.errors import BusUnavailable, NoJournal, PermissionDenied
from tradebus.bus.interface import Bus
from tradebus.bus.nats_bucket import bucket_stream
from tradebus.wire import subjects

_WAIT_S: Final = 0.2


async def wait_for_stream(runtime: Runtime, bus: Bus, stream: str) -> None:
    """Return when a stream exists; until then the health report says that it is waited for."""
    trouble = f"stream {stream}"
    while True:
        try:
            await bus.journal_state(stream)
        except PermissionDenied:
            raise
        except (NoJournal, BusUnavailable) as error:
            runtime.health.trouble(trouble, str(error))
            await asyncio.sleep(_WAIT_S)
        else:
            runtime.health.clear(trouble)
            return


async def prepare_streams(runtime: Runtime, bus: Bus) -> None:
    """Return when the streams of this system exist.

    Where the server has users they are made by the one who may, before or meanwhile; on a server without, here.
    """
    if runtime.settings.nats.users_dir is None:
        await provision_streams(runtime.settings)
        return
    for stream in wanted_topology(runtime.settings).streams:
        if stream.name != subjects.DLQ_STREAM:
            await wait_for_stream(runtime, bus, stream.name)
    await wait_for_bucket(runtime, bus, subjects.LEASES)


async def wait_for_bucket(runtime: Runtime, bus: Bus, bucket: str) -> None:
    """Return when a bucket exists; until then the health report says that it is waited for."""
    await wait_for_stream(runtime, bus, bucket_stream(bucket))
