"""Connect to NATS as a service does, and make the streams that a system needs."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Final

from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.provision import Outcome, provision
from tradebus.bus.topology import Sizes, Topology, topology
from tradebus.config import Settings

ATTEMPT_TIMEOUT_S: Final = 2.0
"""One attempt to connect; between attempts the health report can say that we wait."""


def connector(settings: Settings, service: str, instance: str) -> Callable[[Listener], Awaitable[Bus]]:
    """Return what makes one attempt to connect to the configured server."""
    options = NatsOptions(servers=(settings.nats.url,), service=service, instance=instance)
    if service == "engine":
        # Noticed within `ping_ms`: an unanswered ping is counted when the next but one is due.
        interval_s = settings.engine.health.ping_ms / 1000 / (options.pings_unanswered_max + 1)
        options = replace(options, ping_interval_s=interval_s)

    async def connect(listener: Listener) -> Bus:
        return await NatsBus.connect(options, listener=listener, timeout_s=ATTEMPT_TIMEOUT_S)

    return connect


def wanted_topology(settings: Settings, accounts: Iterable[str] | None = None) -> Topology:
    """Return the streams and buckets of this system: its engine's, its accounts' (all configured ones), the shared."""
    sizes = settings.nats.streams
    return topology(
        (settings.journal_id,),
        (settings.account(exchange) for exchange in settings.exchanges) if accounts is None else accounts,
        Sizes(
            audit=sizes.audit_bytes,
            account=sizes.account_bytes,
            commands=sizes.command_bytes,
            dead_letters=sizes.dead_letter_bytes,
        ),
    )


async def provision_streams(settings: Settings) -> dict[str, Outcome]:
    """Make or update the streams and buckets of this system; safe to repeat. Raises what `provision` raises."""
    options = NatsOptions(servers=(settings.nats.url,), service="provision")
    return await provision(options, wanted_topology(settings))
