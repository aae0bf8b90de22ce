"""What both clients have in common below their methods: address, headers, limits."""

from typing import Final

import httpx2

from tradebus import __version__
from tradebus.client.errors import ClientError, Unreachable

DEFAULT_URL: Final = "http://127.0.0.1:8000"
DEFAULT_TIMEOUT_S: Final = 10.0
STREAM_SILENCE_S: Final = 60.0
"""A stream that says nothing for so long, not even that it is alive, counts as cut."""

COMMAND_TRIES: Final = 3
"""A command is sent so often before the service counts as not reachable: under one key nothing happens twice."""

STREAM_HEADERS: Final = {"Accept": "text/event-stream", "Cache-Control": "no-store"}


def headers_of(key: str | None) -> dict[str, str]:
    """Return what every request says."""
    shown = {} if key is None else {"Authorization": f"Bearer {key}"}
    return {"User-Agent": f"tradebus/{__version__}", "Accept": "application/json", **shown}


def unreachable(url: str, error: httpx2.TransportError) -> ClientError:
    """Return the exception for a request that nobody answered."""
    reason = str(error) or type(error).__name__
    return Unreachable(f"nobody answers at {url}: {reason}")
