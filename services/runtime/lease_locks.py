"""Prove that who held a lease is dead, so that its successor need not wait until the lease expires.

Each process holds a lock on a file of its own, named after the token that its leases carry, in a folder of its
service's volume. The kernel releases the lock when the process ends, however it ends, and not while it is paused. So
who shares the volume, the restarted process above all, can tell a lease of the dead from one of the living. Where that
cannot be told, because the file is not here or the volume has no locks, the lease expires as usual. This only chooses
who tries sooner: what makes two writers impossible is the fencing of the journals.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, final

from services.runtime.runtime import Runtime
from tradebus.bus.interface import Bus
from tradebus.bus.leases import Lease
from tradebus.wire import subjects

_SUFFIX: Final = ".lock"
SWEPT_AFTER_S: Final = 60.0
"""The files of the dead are removed when no lease of theirs can stand any more."""


@final
class LeaseLocks:
    """The lock of this process, held as long as it lives, and what those of others tell.

    Raises OSError where the folder cannot be written. ``token`` names this process among all that ever were.
    """

    def __init__(self, folder: Path, token: str | None = None) -> None:
        self.token: Final = token or secrets.token_hex(8)
        self._folder: Final = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        self._descriptor: Final = os.open(self._path(self.token), os.O_CREAT | os.O_RDWR, 0o600)
        self.is_locked: Final = _lock(self._descriptor)
        """Whether the volume has locks; without one nobody is told that we are dead."""
        if not self.is_locked:
            self._path(self.token).unlink(missing_ok=True)

    def is_dead(self, token: str) -> bool:
        """Tell whether the process that took a lease with a token is known to have ended."""
        if token == self.token or not token.isalnum():
            return False
        try:
            return _is_free(self._path(token))
        except OSError:
            return False  # not of this volume, or nothing can be said of it

    def close(self) -> None:
        """Release the lock: this process takes no part any more, whatever leases it could not give back."""
        os.close(self._descriptor)

    def _path(self, token: str) -> Path:
        return self._folder / f"{token}{_SUFFIX}"

    def _sweep(self) -> None:
        oldest_s = time.time() - SWEPT_AFTER_S
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                if path.stat().st_mtime < oldest_s and _is_free(path):
                    path.unlink()
            except OSError:
                continue  # another process was faster, or nothing can be said of it


def lease_locks(runtime: Runtime) -> LeaseLocks | None:
    """Return the locks on the service's volume, released when the service has stopped; none where it takes nothing."""
    try:
        locks = LeaseLocks(runtime.settings.runtime.data_dir / runtime.service / "leases")
    except OSError as error:
        runtime.log.warning("no locks for leases, they are waited for when we end suddenly", reason=str(error))
        return None

    async def close() -> None:
        locks.close()

    runtime.on_exit(close)
    return locks


def leased(bus: Bus, key: str, holder: str, lost: Callable[[str], None], locks: LeaseLocks | None) -> Lease:
    """Return a lease that this process may ask for; without locks the dead are waited for like the living."""
    bucket = bus.bucket(subjects.LEASES)
    if locks is None:
        return Lease(bucket, key, holder, lost)
    return Lease(bucket, key, holder, lost, token=locks.token, is_dead=locks.is_dead)


def _is_free(path: Path) -> bool:
    """Tell whether nobody holds the lock of a file that is there. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
