"""Build the execution service: the only place that makes its concrete parts."""

from services.execution.paper import PaperExecution
from services.execution.replay import ReplayExecution
from services.runtime import Runtime, Service
from services.runtime.lease_locks import lease_locks
from services.runtime.nats import connector
from tradebus.config.sections.modes import Mode


async def bootstrap(runtime: Runtime) -> Service:
    """Return the execution service for the configured mode."""
    settings = runtime.settings
    bus = await runtime.connect(connector(settings, "execution", runtime.instance))
    if settings.mode is Mode.REPLAY:
        return ReplayExecution(runtime, bus)
    simulated = [
        settings.account(exchange)
        for exchange in settings.exchanges
        if exchange in settings.execution and settings.execution[exchange].connector == "simulated"
    ]
    return PaperExecution(runtime, bus, simulated, lease_locks(runtime))
