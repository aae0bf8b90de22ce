"""Ask the children over HTTP how they are."""

from dataclasses import dataclass
from typing import Any, Final, Self, final

import aiohttp

_TIMEOUT: Final = aiohttp.ClientTimeout(total=2.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said to "are you ready?"; `reasons` say why not."""

    ready: bool
    state: str
    reasons: dict[str, str]

    @property
    def words(self) -> str:
        """The state and the reasons, for a person."""
        return f"{self.state}: {'; '.join(self.reasons.values())}" if self.reasons else self.state


NO_ANSWER: Final = Answer(ready=False, state="does not answer", reasons={})


@final
class Probe:
    """An HTTP client for the services' internal servers."""

    def __init__(self) -> None:
        self._session: Final = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def ready(self, url: str) -> Answer:
        """Return how the service at `url` is; whatever goes wrong is `NO_ANSWER`."""
        try:
            async with self._session.get(f"{url}/health/ready") as response:
                body = await response.json()
                return Answer(response.status == 200, str(body["state"]), dict(body["reasons"]))
        except (TimeoutError, aiohttp.ClientError, ValueError, KeyError, TypeError):
            return NO_ANSWER

    async def status(self, url: str) -> dict[str, Any] | None:
        """Return the body of `/status`, None when there is no answer."""
        try:
            async with self._session.get(f"{url}/status") as response:
                body = await response.json()
                return body if isinstance(body, dict) else None
        except (TimeoutError, aiohttp.ClientError, ValueError):
            return None

    async def broker_trouble(self, monitoring_url: str) -> str:
        """Return what the broker says is wrong with it; empty while it is well, or says nothing."""
        try:
            async with self._session.get(f"{monitoring_url}/healthz") as response:
                body = await response.json()
                return "" if response.status == 200 else str(body["error"])
        except (TimeoutError, aiohttp.ClientError, ValueError, KeyError, TypeError):
            return ""
