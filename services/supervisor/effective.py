"""The settings that the children really get: ports chosen, paths absolute, written to one file."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from services.runtime.ports import Listening, free_ports
from tradebus.config import Address, HttpSettings, Settings, toml
from tradebus.config.environment import ALLOW_LIVE, CONFIG

_PREFIX: Final = "TRADEBUS_"


def settle(settings: Settings, data_dir: Path, *, any_ports: bool) -> Settings:
    """Return the settings with absolute paths and with free ports where the configuration names none.

    The services' internal addresses get free ports unless configured. With `any_ports` API and NATS get free ones too.
    """
    runtime, api, nats, engine = settings.runtime, settings.api, settings.nats, settings.engine
    http = runtime.http
    names = list(HttpSettings.model_fields)
    ports = free_ports(len(names) + 2)
    if any_ports or http == HttpSettings():
        http = HttpSettings(**{name: Address("127.0.0.1", port) for name, port in zip(names, ports, strict=False)})
    if any_ports:
        listen, grpc = Address("127.0.0.1", ports[-1]), Address("127.0.0.1", ports[-2])
        api = api.model_copy(update={"listen": listen, "grpc_listen": None if api.grpc_listen is None else grpc})
        nats = nats.model_copy(update={"url": "nats://127.0.0.1:0"})
    store_dir = settings.nats.store_dir or data_dir / "nats"
    return settings.model_copy(
        update={
            "api": api,
            "nats": nats.model_copy(update={"store_dir": store_dir.resolve()}),
            "runtime": runtime.model_copy(update={"data_dir": data_dir.resolve(), "http": http}),
            "engine": engine.model_copy(update={"strategies_dir": str(Path(engine.strategies_dir).resolve())}),
            "recording": [path.resolve() for path in settings.recording],
        }
    )


def with_nats_url(settings: Settings, url: str, monitoring_url: str | None = None) -> Settings:
    """Return the settings with the addresses at which the broker really listens.

    A free port of its own may be one that was chosen for a service before; that service gets another one.
    """
    nats = settings.nats.model_copy(update={"url": url, "monitoring_url": monitoring_url})
    taken = {urlsplit(each).port for each in (url, monitoring_url) if each is not None}
    runtime, api = settings.runtime, settings.api
    http = runtime.http.model_copy(update=_elsewhere(runtime.http, tuple(HttpSettings.model_fields), taken))
    return settings.model_copy(
        update={
            "nats": nats,
            "runtime": runtime.model_copy(update={"http": http}),
            "api": api.model_copy(update=_elsewhere(api, ("listen", "grpc_listen"), taken)),
        }
    )


def _elsewhere(section: object, names: Sequence[str], taken: Collection[int | None]) -> dict[str, Address]:
    """Return free addresses for those of a section whose port is taken."""
    addresses = [(name, getattr(section, name)) for name in names]
    moved = [name for name, address in addresses if address is not None and address.port in taken]
    return {name: Address("127.0.0.1", port) for name, port in zip(moved, free_ports(len(moved)), strict=True)}


def with_users_dir(settings: Settings, folder: Path) -> Settings:
    """Return the settings with the folder of the keys of the broker's users."""
    return settings.model_copy(update={"nats": settings.nats.model_copy(update={"users_dir": folder})})


def write(settings: Settings, path: Path) -> None:
    """Write the settings as the one file that the children read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# Written at every start; what the services run with.\n{toml.dump(settings.as_data())}")


def environment(settings: Settings, config_file: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the children's environment: ours without settings, the file, the live switch, and `extra`.

    Settings in our environment have gone into the file already; a second time they would win over the ports in it.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
    inherited.update({name: os.environ[name] for name in _NOT_SETTINGS if name in os.environ})
    inherited[CONFIG] = str(config_file)
    if settings.allow_live:
        inherited[ALLOW_LIVE] = "yes"
    return inherited | dict(extra)


_NOT_SETTINGS: Final = ("TRADEBUS_CORE",)
"""Variables of ours that are no settings: which build of the core to insist on."""


def listening(settings: Settings) -> list[Listening]:
    """Return every address that must be free before anything starts."""
    wanted = [Listening(settings.api.listen, "the REST API and the web page", "api.listen")]
    if settings.api.grpc_listen is not None:
        wanted.append(Listening(settings.api.grpc_listen, "gRPC", "api.grpc_listen"))
    if settings.nats.embedded:
        wanted.append(Listening(settings.nats.address, "the NATS server", "nats.url", "nats://"))
    for name in HttpSettings.model_fields:
        address = getattr(settings.runtime.http, name)
        wanted.append(Listening(address, f"health and metrics of {name}", f"runtime.http.{name}"))
    return wanted
