"""Check at the start that what the journal acknowledges is on disk, where that was asked for."""

from typing import Final

from structlog.stdlib import BoundLogger

from tradebus.bus.provision import inspect_server
from tradebus.config import ConfigError, Settings
from tradebus.config.sections.modes import Mode

KEY: Final = ("nats", "sync_always")


async def check_durability(settings: Settings, log: BoundLogger) -> None:
    """Compare the server's own settings with ``nats.sync_always``; say in the log what was found.

    Raises ConfigError where the server does not sync although it was configured, and in mode live also where the server
    does not tell.
    """
    if not settings.nats.sync_always:
        return
    address = settings.nats.monitoring_url
    expected = "a server that runs with `sync_interval: always`"
    try:
        found = await inspect_server(address)
    except OSError as error:
        if settings.mode is Mode.LIVE:
            problem = settings.problem(KEY, expected, f"no answer from {address}: {error}")
            raise ConfigError([problem]) from error
        log.warning("whether the server syncs every write cannot be checked", monitoring_url=address, error=str(error))
        return
    if found.sync_always is False or (settings.mode is Mode.LIVE and not found.sync_always):
        raise ConfigError([settings.problem(KEY, expected, found.describe())])
    log.info("checked the server's durability", found=found.describe())
