"""Connect to NATS as a service does, and see to the streams that a system needs."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Final

from tradebus.bus.events import Listener
from tradebus.bus.interface import Bus
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.permissions import System, User, permissions
from tradebus.bus.provision import Outcome, provision
from tradebus.bus.topology import Sizes, Topology, topology
from tradebus.bus.user_keys import seed_file
from tradebus.config import ConfigError, Settings
from tradebus.config.sections.modes import Mode

ATTEMPT_TIMEOUT_S: Final = 2.0
"""One attempt to connect; between attempts the health report can say that we wait."""


def connector(settings: Settings, service: str, instance: str) -> Callable[[Listener], Awaitable[Bus]]:
    """Return what makes one attempt to connect to the configured server, as the service's user where it has users.

    An attempt raises ConnectFailed, and MissingPermissions where the user may not do all that it has to.
    Raises ConfigError where the user's key is not there, an attempt also in mode live where the server has no users.
    """
    options = options_of(settings, service, instance)
    if service == "engine":
        # Noticed within `ping_ms`: an unanswered ping is counted when the next but one is due.
        interval_s = settings.engine.health.ping_ms / 1000 / (options.pings_unanswered_max + 1)
        options = replace(options, ping_interval_s=interval_s)

    async def connect(listener: Listener) -> Bus:
        bus = await NatsBus.connect(options, listener=listener, timeout_s=ATTEMPT_TIMEOUT_S)
        try:
            _check_users(settings, bus)
            if options.nkey_seed_file is not None:
                await bus.check_permissions(service, permissions(User(service), system_of(settings)))
        except BaseException:
            await bus.close(0.5)
            raise
        return bus

    return connect


def _check_users(settings: Settings, bus: NatsBus) -> None:
    """Raise ConfigError for a server that lets anybody in, where money is at stake."""
    if settings.mode is Mode.LIVE and not bus.knows_users:
        expected = "a server with users in mode `live`, which lets nobody else in"
        raise ConfigError([settings.problem(("nats", "url"), expected, "one that asks nobody for a key")])


def options_of(settings: Settings, user: str, instance: str = "") -> NatsOptions:
    """Return how a user connects to the configured server. Raises ConfigError where its key is not there."""
    folder = settings.nats.users_dir
    seed = None if folder is None else seed_file(folder, user)
    if seed is not None and not seed.is_file():
        expected = f"a folder with the key of the NATS user {user}, {seed.name}"
        raise ConfigError([settings.problem(("nats", "users_dir"), expected, f"no such file in {folder}")])
    return NatsOptions(servers=(settings.nats.url,), service=user, instance=instance, nkey_seed_file=seed)


def system_of(settings: Settings) -> System:
    """Return the engine and the accounts whose subjects the users of this system need."""
    return System((settings.journal_id,), tuple(settings.account(exchange) for exchange in settings.exchanges))


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
    return await provision(options_of(settings, User.PROVISION), wanted_topology(settings))
