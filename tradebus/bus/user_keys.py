"""The keys of the server's users: made at the first start, one file each, and the server's side of them.

A user proves who it is by signing what the server asks with an nkey (Ed25519). The server knows public keys only; the
seed of each stands in ``<folder>/<user>.nk``, readable by its owner alone.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import nkeys

from tradebus.bus.permissions import Permissions, System, User, permissions

SUFFIX: Final = ".nk"
_SEED_BYTES: Final = 32
_MODE: Final = 0o600


class UserKeyError(Exception):
    """A user's key cannot be read or written; the text says which file and why."""


def seed_file(folder: Path, user: str) -> Path:
    """Return where a user's seed stands."""
    return folder / f"{user}{SUFFIX}"


def ensure_keys(folder: Path, users: Iterable[str], mode: int = _MODE) -> dict[str, str]:
    """Make the seeds that are missing, and return all public keys by user. Raises UserKeyError.

    ``mode`` is that of new files: where a folder is all that a service sees of them, others in it may read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {user: _public_key(seed_file(folder, user), mode) for user in users}
    except OSError as error:
        raise UserKeyError(f"{error.filename or folder}: cannot be made ({error.strerror})") from error


def authorization(public_keys: Mapping[str, str], allowed: Mapping[str, Permissions]) -> str:
    """Return the server's configuration of these users; whoever is none of them is refused."""
    users = ",\n".join(_user_block(user, key, allowed[user]) for user, key in public_keys.items())
    return f"authorization {{\n  users: [\n{users}\n  ]\n}}\n"


def server_users(folder: Path, system: System) -> str:
    """Make the seeds of a system's users where they are missing; return the server's side. Raises UserKeyError."""
    keys = ensure_keys(folder, [user.value for user in User])
    return authorization(keys, {user.value: permissions(user, system) for user in User})


def _public_key(path: Path, mode: int) -> str:
    if not path.exists():
        seed = nkeys.encode_seed(secrets.token_bytes(_SEED_BYTES), nkeys.PREFIX_BYTE_USER)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(seed)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    try:
        return str(nkeys.from_seed(path.read_bytes().strip()).public_key.decode())
    except (nkeys.NkeysError, ValueError) as error:
        raise UserKeyError(f"{path}: expected the seed of a NATS user, found something else") from error


def _user_block(user: str, public_key: str, allowed: Permissions) -> str:
    lines = [
        f"    {{ # {user}",
        f"      nkey: {public_key}",
        "      permissions: {",
        f"        publish: {{ allow: [{_listed(allowed.publish)}] }}",
        f"        subscribe: {{ allow: [{_listed(allowed.subscribe)}] }}",
        *(['        allow_responses: { max: 1, expires: "1m" }'] if allowed.answers else []),
        "      }",
        "    }",
    ]
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(json.dumps(name) for name in names)
