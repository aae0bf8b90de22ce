"""Who a request is from, and the reasons why one is refused."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tradebus.access import Role

ANONYMOUS: Final = "anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what a command's audit entry and the access log name."""

    name: str
    """The key's name; `anonymous` where reading needs no key."""
    role: Role
    key_id: str | None
    """The key's public id."""
    address: str
    """Where the request came from, as the server saw it; behind a proxy the proxy's."""

    @property
    def label(self) -> str:
        """Who this is in a text: `alice (key 1f00ab42)`."""
        return self.name if self.key_id is None else f"{self.name} (key {self.key_id})"


class Denial(StrEnum):
    """Why a request was refused; the `code` of the problem."""

    KEY_REQUIRED = "key_required"
    KEY_UNKNOWN = "key_unknown"
    KEY_REVOKED = "key_revoked"
    KEY_EXPIRED = "key_expired"
    TOO_MANY_BAD_KEYS = "too_many_bad_keys"
    KEYS_UNREADABLE = "keys_unreadable"
    ROLE_REQUIRED = "role_required"
    TOO_MANY_REQUESTS = "too_many_requests"


class AccessDenied(Exception):
    """A request that is refused for who it is from."""

    def __init__(self, denial: Denial, detail: str, caller: Caller | None = None, retry_after_s: int = 0) -> None:
        super().__init__(detail)
        self.denial: Final = denial
        self.detail: Final = detail
        self.caller: Final = caller
        """Who it was, where that is known."""
        self.retry_after_s: Final = retry_after_s
        """After how many seconds it is worth another try; 0 where that is not the point."""
