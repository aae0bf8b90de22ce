"""Hold whether links work: of feeds and accounts (health), and whether an account takes requests (link)."""

from enum import Enum


class Health(Enum):
    """Whether events arrive over a link."""

    HEALTHY = 1
    RECONNECTING = 2


class AccountLink(Enum):
    """Whether requests can be handed over: unhealthy may recover, terminated and not configured never do."""

    HEALTHY = 1
    UNHEALTHY = 2
    TERMINATED = 3
    NOT_CONFIGURED = 4
