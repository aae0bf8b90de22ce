"""Name the engine's runs, so that a place in one is not taken for one in another: each journal begins at 0."""

import hashlib
from typing import Final

NAME_BYTES: Final = 4


def run_name(*parts: object) -> str:
    """Return a short name, 8 hexadecimal digits, of what the parts name together."""
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=NAME_BYTES).hexdigest()
