"""The file that keeps the API keys: written whole, for its owner's eyes only, by one at a time.

The running audit service and the `tradebus key` command share it: who changes it holds a lock, and who reads it sees
the file before or after a change, never half of one. When a key was used last stands in a file of its own beside it,
which only the service writes.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, final

from tradebus.access.keys import NAME, ApiKey, NewKey, new_key
from tradebus.access.role import Role

KEYS_MAX: Final = 1_000
"""Keys in the file at most; the oldest revoked ones make room."""

_FORMAT: Final = 1
_MODE: Final = 0o600


class KeyFileError(Exception):
    """The file cannot be read or written; the text says which, where and why."""


@final
class KeyFile:
    """The keys at a path. A file that is not there holds no keys."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def read(self) -> dict[str, ApiKey]:
        """Return all keys by id, revoked ones too. Raises KeyFileError."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise KeyFileError(f"{self.path}: cannot be read ({error.strerror})") from error
        try:
            return _parsed(content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise KeyFileError(f"{self.path}: expected a file of API keys, found {error!r}") from error

    def stamp(self) -> tuple[int, int, int] | None:
        """Return what changes with the file's content: a file that was replaced is another one. None without a file."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyFileError(f"{self.path}: cannot be read ({error.strerror})") from error
        return found.st_ino, found.st_mtime_ns, found.st_size

    def add(self, name: str, role: Role, now_ns: int, expires_ns: int | None = None) -> NewKey:
        """Make a key and keep it; its text is in the answer and nowhere else.

        Raises ValueError for a name or an expiry that cannot be, KeyFileError.
        """
        with self._changing() as keys:
            made = new_key(name, role, now_ns, expires_ns)
            while made.key.id in keys:
                made = new_key(name, role, now_ns, expires_ns)
            _make_room(keys, self.path)
            keys[made.key.id] = made.key
        return made

    def revoke(self, key_id: str, now_ns: int) -> ApiKey | None:
        """Make a key worthless; return it, or None if there is none. Again changes nothing. Raises KeyFileError."""
        with self._changing() as keys:
            key = keys.get(key_id)
            if key is not None and key.revoked_ns is None:
                key = keys[key_id] = replace(key, revoked_ns=now_ns)
        return key

    def last_uses(self) -> dict[str, int]:
        """Return when keys were used last, in nanoseconds since the epoch, by id. Raises KeyFileError."""
        try:
            content = self._uses_path.read_bytes()
            return {str(key_id): int(time_ns) for key_id, time_ns in json.loads(content).items()}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise KeyFileError(f"{self._uses_path}: cannot be read ({error.strerror})") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise KeyFileError(f"{self._uses_path}: expected times by key, found {error!r}") from error

    def write_last_uses(self, uses: Mapping[str, int]) -> None:
        """Keep when keys were used last; for the audit service alone. Raises KeyFileError."""
        self._write(self._uses_path, json.dumps(uses, indent=1).encode(), durable=False)

    @property
    def _uses_path(self) -> Path:
        return self.path.with_name(f"{self.path.stem}-used.json")

    @contextmanager
    def _changing(self) -> Iterator[dict[str, ApiKey]]:
        """Hold the lock, and write what was changed in between."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, _MODE)
        except OSError as error:
            raise KeyFileError(f"{self.path}: cannot be changed ({error.strerror})") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self.read()
            before = dict(keys)
            yield keys
            if keys != before:
                self._write(self.path, _written(keys), durable=True)
        finally:
            os.close(lock)

    def _write(self, path: Path, content: bytes, *, durable: bool) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
            if durable:
                _sync_folder(path.parent)
        except OSError as error:
            raise KeyFileError(f"{path}: cannot be written ({error.strerror})") from error


def _make_room(keys: dict[str, ApiKey], path: Path) -> None:
    if len(keys) < KEYS_MAX:
        return
    revoked = [key for key in keys.values() if key.revoked_ns is not None]
    if not revoked:
        raise KeyFileError(f"{path}: expected fewer than {KEYS_MAX} keys in use; revoke some first")
    del keys[min(revoked, key=lambda key: key.created_ns).id]


def _written(keys: Mapping[str, ApiKey]) -> bytes:
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "role": key.role.value,
            "salt": key.salt.hex(),
            "digest": key.digest.hex(),
            "created_ns": key.created_ns,
            "expires_ns": key.expires_ns,
            "revoked_ns": key.revoked_ns,
        }
        for key in keys.values()
    ]
    return json.dumps({"format": _FORMAT, "keys": rows}, indent=1).encode() + b"\n"


def _parsed(content: bytes) -> dict[str, ApiKey]:
    data = json.loads(content)
    if data["format"] != _FORMAT:
        raise ValueError(f"format: expected {_FORMAT}, found {data['format']!r}")
    keys = [_key(row) for row in data["keys"]]
    found = {key.id: key for key in keys}
    if len(found) != len(keys):
        raise ValueError("two keys of one id")
    return found


def _key(row: Mapping[str, Any]) -> ApiKey:
    name = str(row["name"])
    if NAME.fullmatch(name) is None:
        raise ValueError(f"the name {name[:80]!r}")
    digest, salt = bytes.fromhex(row["digest"]), bytes.fromhex(row["salt"])
    if (len(digest), len(salt)) != (32, 16):
        raise ValueError(f"a hash of {len(digest)} and a salt of {len(salt)} bytes")
    expires, revoked = row["expires_ns"], row["revoked_ns"]
    return ApiKey(
        id=str(row["id"]),
        name=name,
        role=Role(row["role"]),
        salt=salt,
        digest=digest,
        created_ns=int(row["created_ns"]),
        expires_ns=None if expires is None else int(expires),
        revoked_ns=None if revoked is None else int(revoked),
    )


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable: a revoked key must not come back with a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
