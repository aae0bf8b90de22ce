"""Make the streams and buckets of a deployment, or bring them up to date. Safe to repeat at every start.

Run by a user of its own: services cannot create, change or delete streams.

    python -m tradebus.bus.provision --url nats://127.0.0.1:4222 --engine demo --account sim_alpha-paper
"""

import argparse
import asyncio
import json
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from tradebus.bus.errors import BusError, NoJournal, Refused
from tradebus.bus.events import EventHub
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_bucket import bucket_stream, bucket_subject
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.topology import BucketSpec, StreamSpec, Topology, topology
from tradebus.wire.subjects import InvalidToken

CONNECT_TIMEOUT_S: Final = 10.0
HTTP_TIMEOUT_S: Final = 3.0
DELETE_MARKER_TTL_S: Final = 1.0
"""How long the marker of an expired lease stays for watchers to see; the server allows no less."""

_NANOSECONDS: Final = 1_000_000_000
_DUPLICATE_WINDOW_S: Final = 120.0


class ProvisioningConflict(BusError):
    """A stream is there with settings that cannot be changed to the wanted ones, or there is no room for it.

    ``differing`` names the settings as (name, expected, found).
    """

    def __init__(self, stream: str, differing: tuple[tuple[str, object, object], ...], reason: str) -> None:
        details = "; ".join(f"{name}: expected {expected!r}, found {found!r}" for name, expected, found in differing)
        super().__init__(f"{stream}: {reason}" + (f" ({details})" if details else ""))
        self.stream: Final = stream
        self.differing: Final = differing
        self.reason: Final = reason


class Outcome(Enum):
    """What provisioning did with one stream or bucket."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class ServerFindings:
    """What could be learned of the server's own settings; None where it could not.

    ``sync_always``: every acknowledged write is on disk (the server's default is every two minutes).
    """

    version: str
    sync_always: bool | None
    storage_bytes_max: int | None

    def describe(self) -> str:
        """Return one line for people."""
        sync = {
            True: "every write is synced",
            False: "WRITES ARE NOT SYNCED: a power cut loses acknowledged entries (set sync_interval: always)",
            None: "whether writes are synced cannot be checked without a monitoring address",
        }[self.sync_always]
        return f"nats-server {self.version}: {sync}"


async def provision(
    options: NatsOptions, wanted: Topology, *, timeout_s: float = CONNECT_TIMEOUT_S
) -> dict[str, Outcome]:
    """Make or update every stream and bucket of ``wanted`` and return what was done with each, by stream name.

    Raises ProvisioningConflict, ConnectFailed, BusUnavailable.
    """
    link = NatsLink("provision", options, EventHub())
    await link.open(timeout_s)
    try:
        api = JetStreamApi(link)
        # Buckets first: who waits for its streams may count on them.
        configurations = [
            *(bucket_configuration(bucket) for bucket in wanted.buckets),
            *(stream_configuration(stream) for stream in wanted.streams),
        ]
        return {str(each["name"]): await _bring_up_to_date(api, each) for each in configurations}
    finally:
        await link.close(1.0)


async def inspect_server(monitoring_url: str | None, version: str = "") -> ServerFindings:
    """Return what the server's monitoring address tells of its settings. Raises OSError when it does not answer."""
    if monitoring_url is None:
        return ServerFindings(version, None, None)
    found = await asyncio.to_thread(_get_json, f"{monitoring_url.rstrip('/')}/varz")
    jetstream = found.get("jetstream", {}).get("config", {})
    storage = jetstream.get("max_storage")
    return ServerFindings(
        str(found.get("version", version)),
        bool(jetstream.get("sync_always", False)) if jetstream else None,
        None if storage is None else int(storage),
    )


def stream_configuration(spec: StreamSpec) -> dict[str, Any]:
    """Return the server's configuration of a journal or of the dead letters."""
    return {
        "name": spec.name,
        "subjects": list(spec.subjects),
        "retention": "limits",
        "storage": "file",
        "discard": "old" if spec.drop_oldest else "new",
        "max_bytes": spec.bytes_max,
        "max_msgs": -1,
        "max_age": 0,
        "num_replicas": 1,
        "deny_delete": True,
        "deny_purge": False,
        "duplicate_window": int(_DUPLICATE_WINDOW_S * _NANOSECONDS),
    }


def bucket_configuration(spec: BucketSpec) -> dict[str, Any]:
    """Return the server's configuration of a bucket: the layout of ADR-8, on file also for leases.

    (A stream in memory is gone after a restart of the server, with its configuration.)
    """
    ttl_s = spec.ttl_s or 0.0
    configuration: dict[str, Any] = {
        "name": bucket_stream(spec.name),
        "subjects": [bucket_subject(spec.name, ">")],
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_bytes": spec.bytes_max,
        "max_msgs": -1,
        "max_msgs_per_subject": 1,
        "max_age": int(ttl_s * _NANOSECONDS),
        "num_replicas": 1,
        "deny_delete": True,
        "deny_purge": False,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "duplicate_window": int(min(ttl_s or _DUPLICATE_WINDOW_S, _DUPLICATE_WINDOW_S) * _NANOSECONDS),
    }
    if ttl_s:
        # Without markers nobody who watches would learn that a lease has expired.
        configuration["allow_msg_ttl"] = True
        configuration["subject_delete_marker_ttl"] = int(DELETE_MARKER_TTL_S * _NANOSECONDS)
    return configuration


async def _bring_up_to_date(api: JetStreamApi, wanted: dict[str, Any]) -> Outcome:
    name = str(wanted["name"])
    try:
        found: dict[str, Any] = (await api.call(f"STREAM.INFO.{name}"))["config"]
    except NoJournal:
        try:
            await api.call(f"STREAM.CREATE.{name}", wanted)
        except Refused as error:
            raise ProvisioningConflict(name, (), f"cannot be created: {error.description}") from error
        return Outcome.CREATED
    differing = tuple(
        (setting, value, found.get(setting))
        for setting, value in wanted.items()
        if not _same(value, found.get(setting))
    )
    if not differing:
        return Outcome.UNCHANGED
    try:
        await api.call(f"STREAM.UPDATE.{name}", {**found, **wanted})
    except Refused as error:
        raise ProvisioningConflict(name, differing, f"cannot be changed: {error.description}") from error
    return Outcome.UPDATED


def _same(wanted: object, found: object) -> bool:
    """Compare one setting; the server leaves out what is false or zero."""
    return wanted == found or (not wanted and not found)


def _get_json(url: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"expected a monitoring address beginning with http:// or https://, found {url!r}")
    with urllib.request.urlopen(url, timeout=HTTP_TIMEOUT_S) as answer:  # noqa: S310 - checked above
        return dict(json.load(answer))


async def _run(arguments: argparse.Namespace) -> int:
    options = NatsOptions(
        servers=(arguments.url,), service="provision", user=arguments.user, password=arguments.password
    )
    try:
        findings = await inspect_server(arguments.monitoring_url)
        outcomes = await provision(options, topology(arguments.engine, arguments.account))
    except (BusError, InvalidToken, OSError, ValueError) as error:
        sys.stderr.write(f"provisioning failed: {error}\n")
        return 1
    sys.stdout.write(f"{findings.describe()}\n")
    for name, outcome in outcomes.items():
        sys.stdout.write(f"{name}: {outcome.value}\n")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Provision from the command line and return the exit status: 0 when all is as wanted, 1 when it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m tradebus.bus.provision", description="Make streams and buckets.")
    parser.add_argument("--url", default="nats://127.0.0.1:4222", help="where the server is")
    parser.add_argument("--engine", action="append", default=[], metavar="ID", help="an engine; may be repeated")
    parser.add_argument("--account", action="append", default=[], metavar="ID", help="an account; may be repeated")
    parser.add_argument("--monitoring-url", help="the server's monitoring address, to check how it syncs")
    parser.add_argument("--user", help="the user that may make streams")
    parser.add_argument("--password", help="its password")
    return asyncio.run(_run(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
