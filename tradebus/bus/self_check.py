"""Ask the server at the start what we may, and compare that with what we need.

Without it a missing permission shows when the first message is refused, which for most of what a service sends is an
asynchronous word from the server long after.
"""

import json
from collections.abc import Iterable
from typing import Any, Final, final

from tradebus.bus.errors import BusError, PermissionDenied
from tradebus.bus.matching import covers
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.permissions import USER_INFO, Permissions

CHECK_TIMEOUT_S: Final = 5.0


@final
class MissingPermissions(BusError):
    """The user we connect as may not do all that its service does; the text names user and subjects."""

    def __init__(self, user: str, publish: Iterable[str], subscribe: Iterable[str]) -> None:
        self.user: Final = user
        self.publish: Final = tuple(publish)
        self.subscribe: Final = tuple(subscribe)
        missing = [
            *(f"publish to {subject}" for subject in self.publish),
            *(f"subscribe to {subject}" for subject in self.subscribe),
        ]
        super().__init__(
            f"NATS user {user}: expected to be allowed what docs/subjects.md lists, found it may not "
            f"{'; '.join(missing)}"
        )


async def check_permissions(link: NatsLink, user: str, needed: Permissions) -> None:
    """Return if the server lets us do all that is needed. Raises MissingPermissions, BusUnavailable."""
    try:
        answer = await link.request(USER_INFO, b"", CHECK_TIMEOUT_S)
    except PermissionDenied as error:
        raise MissingPermissions(user, [USER_INFO], []) from error
    found: dict[str, Any] | None = json.loads(answer.data).get("data", {}).get("permissions")
    if found is None:
        return  # a user without limits, or a server without users
    publish = _not_covered(needed.publish, found.get("publish"))
    subscribe = _not_covered(needed.subscribe, found.get("subscribe"))
    if needed.answers and not found.get("responses"):
        publish.append("the answers that requests want (allow_responses)")
    if publish or subscribe:
        raise MissingPermissions(user, publish, subscribe)


def _not_covered(needed: Iterable[str], found: dict[str, Any] | None) -> list[str]:
    """Return what is needed and not allowed, or denied."""
    if found is None:
        return []
    allowed = found.get("allow")
    denied = found.get("deny") or []
    return [
        subject
        for subject in needed
        if (allowed is not None and not any(covers(pattern, subject) for pattern in allowed))
        or any(covers(pattern, subject) or covers(subject, pattern) for pattern in denied)
    ]
