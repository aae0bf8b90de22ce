"""How a service connects to NATS, where that differs from the client library's defaults."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MESSAGE_FILL: Final = 0.9
"""Share of the server's max_payload that payload and headers of one message may take."""

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """Where to connect and as whom; times in seconds.

    ``service`` and ``instance`` name the connection on the server, and ``service`` the inbox prefix
    (``_INBOX_engine``), so that permissions can keep services out of each other's answers.
    At most one of user with password, ``nkey_seed_file`` and ``credentials_file`` is given.
    """

    servers: tuple[str, ...]
    service: str
    instance: str = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    nkey_seed_file: Path | None = None
    credentials_file: Path | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    connect_timeout_s: float = 2.0
    """One attempt, greeting included."""

    reconnect_wait_s_min: float = 0.1
    reconnect_wait_s_max: float = 0.25
    """Each connection draws its own wait between attempts from this range, so that services do not return in step."""

    ping_interval_s: float = 1.0
    pings_unanswered_max: int = 2
    """A frozen server or a half-open link shows after about 3 s instead of the library's 6 minutes."""

    outbound_bytes_max: int = 8 * MIB
    """What may wait for a server that reads slowly, per connection; beyond it messages are dropped and reported."""

    @property
    def inbox_prefix(self) -> str:
        """Return what the subjects of answers to this service begin with."""
        return f"_INBOX_{self.service}"
