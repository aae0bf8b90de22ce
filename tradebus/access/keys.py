"""One API key: what is told once, and what is kept of it.

A key is 256 random bits behind a short public id: ``tb_1f00ab42_<43 characters>``. Only a salted hash of it is kept.
One round of BLAKE2b is enough for that: what slow hashes protect, words that somebody can guess, is not here to guess.
"""

import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from typing import Final

from tradebus.access.role import Role

SECRET_BYTES: Final = 32
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")
NAME_WORDS: Final = "1 to 64 letters, digits, spaces and . _ @ -, beginning with a letter or a digit"
_TEXT: Final = re.compile(r"tb_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_ID_BYTES: Final = 4
_SALT_BYTES: Final = 16
_PERSON: Final = b"tradebus-api-key"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key. Times are nanoseconds since the epoch."""

    id: str
    """Public: what the key is called in lists and logs."""
    name: str
    """Whose it is, or what for."""
    role: Role
    salt: bytes
    digest: bytes
    created_ns: int
    expires_ns: int | None = None
    revoked_ns: int | None = None

    def is_of(self, text: str) -> bool:
        """Return whether this is the key of a text, in a time that does not depend on how much of it is right."""
        return compare_digest(self.digest, digest_of(text, self.salt))

    def is_expired(self, now_ns: int) -> bool:
        """Return whether the key's time is over."""
        return self.expires_ns is not None and now_ns >= self.expires_ns


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the one moment at which its text is known."""

    key: ApiKey
    text: str


def new_key(name: str, role: Role, now_ns: int, expires_ns: int | None = None) -> NewKey:
    """Draw a key. Raises ValueError for a name or an expiry that cannot be."""
    if NAME.fullmatch(name) is None:
        raise ValueError(f"name: expected {NAME_WORDS}, found {name[:80]!r}")
    if expires_ns is not None and expires_ns <= now_ns:
        raise ValueError("expiry: expected a time to come")
    key_id = secrets.token_hex(_ID_BYTES)
    secret = urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()
    text = f"tb_{key_id}_{secret}"
    salt = secrets.token_bytes(_SALT_BYTES)
    return NewKey(ApiKey(key_id, name, role, salt, digest_of(text, salt), now_ns, expires_ns), text)


def id_in(text: str) -> str | None:
    """Return the public id in the text of a key; None for what is no key at all."""
    match = _TEXT.fullmatch(text)
    return None if match is None else match[1]


def digest_of(text: str, salt: bytes) -> bytes:
    """Return what is kept of a key's text."""
    return blake2b(text.encode(), digest_size=32, salt=salt, person=_PERSON).digest()
