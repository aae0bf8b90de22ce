"""`[api]`, `[nats]`, `[runtime]`: what the services listen on, connect to and keep on disk."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from tradebus.config.sections.base import Section
from tradebus.config.values import Address, ListenAddress, text_like

ByteCount = Annotated[int, Field(ge=1_048_576)]
Token = Annotated[str, text_like(r"^[a-z0-9][a-z0-9-]{0,47}$", "1 to 48 lower-case letters, digits and -")]

NatsUrl = Annotated[str, text_like(r"^(nats|tls)://[^\s/@]+:[0-9]{1,5}$", "nats://host:port without user and password")]


class ApiSettings(Section):
    """`[api]`: the REST API and web page of the audit service."""

    listen: ListenAddress = Address("127.0.0.1", 8000)
    """Where the API listens. Loopback unless something else guards it."""
    grpc_listen: ListenAddress | None = Address("127.0.0.1", 50051)
    """Where gRPC listens. As `listen` otherwise."""
    reading_without_key: bool = False
    """Whether anyone who reaches the port may read; the demo sets it. Commands need a key in any case."""
    requests_per_s: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """How many requests one key, or one address without a key, may make on average; twice as many at once."""
    body_bytes_max: Annotated[int, Field(ge=1_024, le=16_777_216)] = 262_144
    """The largest body of a request that is read."""
    keys_file: Path | None = None
    """The file of API keys, see `tradebus key`; `<data_dir>/access/keys.json` when left out."""


class AuditSettings(Section):
    """`[audit]`: what the audit service keeps on disk, and what it lets the streams forget."""

    archive: bool = True
    """Whether the engine's journal is kept on disk, under `runtime.data_dir`. Replays are not: they can be repeated."""
    segment_bytes: ByteCount = 67_108_864
    """How much of the journal, before compression, one file of the archive holds."""
    sync_ms: Annotated[int, Field(ge=10, le=1_000)] = 500
    """After how long at most what was archived is on disk."""
    checkpoint_ticks: Annotated[int, Field(ge=1_000)] = 250_000
    """A state is kept after so many ticks: what a restart has to read again, at most."""
    prune: bool = True
    """Whether streams are shortened of what the archive, the engine and the accounts' owners have safe."""
    retention_hours: Annotated[int, Field(ge=0, le=8_760)] = 1
    """What is younger stays in the streams, unless they are more than 60 % full."""


class StreamSizes(Section):
    """`[nats.streams]`: how much each JetStream stream may hold, in bytes, before it refuses."""

    audit_bytes: ByteCount = 8_589_934_592
    account_bytes: ByteCount = 268_435_456
    command_bytes: ByteCount = 67_108_864
    dead_letter_bytes: ByteCount = 67_108_864
    """This one drops its oldest."""


class NatsSettings(Section):
    """`[nats]`: the broker."""

    url: NatsUrl = "nats://127.0.0.1:4222"
    """Address of the server."""
    embedded: bool = True
    """Whether `make up` starts a server of its own at this address. Refused for live."""
    users: bool = True
    """Whether that server has a user for each service, with its own key and only the subjects that it needs."""
    users_dir: Path | None = None
    """Folder of the users' keys, `<user>.nk`: as which user a service connects is its own name. `make up` fills it in.

    Left out with a server of one's own, everybody connects without a user, and the engine makes the streams. Mode
    `live` requires it, and a server that has the users."""
    store_dir: Path | None = None
    """JetStream's folder of the embedded server; `<data_dir>/nats` when left out."""
    sync_always: bool = False
    """Fsync every message before it is acknowledged: the embedded server is started so, another one must be set so.

    The engine checks it at its start where `monitoring_url` is known. Mode `live` requires both."""
    monitoring_url: str | None = None
    """The server's monitoring address, as `http://127.0.0.1:8222`; `make up` fills it in for the embedded server."""
    streams: StreamSizes = StreamSizes()

    @property
    def address(self) -> Address:
        """Host and port of the server."""
        parts = urlsplit(self.url)
        return Address(parts.hostname or "", parts.port or 0)


class HttpSettings(Section):
    """`[runtime.http]`: where each service answers for its health and metrics."""

    market: ListenAddress = Address("127.0.0.1", 8101)
    engine: ListenAddress = Address("127.0.0.1", 8102)
    execution: ListenAddress = Address("127.0.0.1", 8103)
    audit: ListenAddress = Address("127.0.0.1", 8104)


class RuntimeSettings(Section):
    """`[runtime]`: what all services share."""

    data_dir: Path = Path(".tradebus")
    """Folder for everything that a service keeps on disk."""
    instance: Token | None = None
    """Name of this process in heartbeats; host name and process id when left out."""
    run: Token | None = None
    """Replay: name of this run, part of its stream names."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    """`console` is for reading at a terminal."""
    heartbeat_ms: Annotated[int, Field(ge=100, le=60_000)] = 1_000
    """Time between heartbeats."""
    stop_timeout_ms: Annotated[int, Field(ge=100, le=600_000)] = 20_000
    """How long an ordered stop may take before the process ends anyway."""
    http: HttpSettings = HttpSettings()
