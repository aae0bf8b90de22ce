"""Leases: keys of the bucket ``leases`` that say who may try to act.

A lease chooses who tries; it is the fencing of journals that keeps two from succeeding. It is a key with a time to live
that its holder sets anew about every second, each time against the revision that it set itself: a holder that was
paused, cut off or killed is followed by another after the time to live, and finds that out before it acts again,
because it counts that time too, by its own monotonic clock and from before it asked.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final, final

from tradebus.bus.errors import BusError, BusUnavailable, WrongRevision
from tradebus.bus.interface import Bucket
from tradebus.bus.message import Entry
from tradebus.bus.topology import LEASE_TTL_S

RENEW_PERIOD_S: Final = 1.0
ATTEMPT_S: Final = 0.5
"""So long an attempt to renew may take before another is made."""
RETRY_S: Final = 0.1
ASK_PERIOD_S: Final = 0.25
"""So often who waits for a lease asks for it."""

_SEPARATOR: Final = " "


def holder_of(entry: Entry) -> str | None:
    """Return who holds the lease that an entry of the bucket tells of, none if nobody does."""
    return None if entry.value is None else entry.value.decode(errors="replace").partition(_SEPARATOR)[0]


@final
class Lease:
    """One key that this process holds, or asks for.

    ``lost`` is called with a reason when a lease that was held is held no more, for whatever reason but ``release``.
    ``clock`` gives monotonic seconds; ``ttl_s`` must be the bucket's. One call at a time of acquire, wait and release.
    ``token`` tells this process from others of its name, and ``is_dead`` whether the one with a token is known to have
    ended: then its lease is taken at once. Both are optional.
    """

    def __init__(
        self,
        bucket: Bucket,
        key: str,
        holder: str,
        lost: Callable[[str], None],
        *,
        ttl_s: float = LEASE_TTL_S,
        renew_period_s: float = RENEW_PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
        token: str | None = None,
        is_dead: Callable[[str], bool] = lambda _token: False,
    ) -> None:
        self.key: Final = key
        self.holder: Final = holder
        self._bucket: Final = bucket
        self._lost: Final = lost
        self._ttl_s: Final = ttl_s
        self._renew_period_s: Final = renew_period_s
        self._clock: Final = clock
        # Two processes that were given one name by mistake are two all the same.
        self._value: Final = f"{holder}{_SEPARATOR}{token or secrets.token_hex(8)}".encode()
        self._is_dead: Final = is_dead
        self._revision: int | None = None
        self._expires_s = 0.0
        self._keeping: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def is_held(self) -> bool:
        """Tell whether it is ours at this moment; ask right before acting, not once."""
        return self._revision is not None and self._clock() < self._expires_s

    async def acquire(self) -> bool:
        """Ask once and return whether it is ours now, and from now on renewed.

        Raises NotSent or UnknownOutcome when the broker cannot be asked, NoBucket when there are no leases.
        """
        if self.is_held:
            return True
        await self._end_keeping()
        if self._revision is not None:
            self._lose(self._expired())
        asked_s = self._clock()
        try:
            revision = await self._bucket.update(self.key, self._value, 0)
        except WrongRevision:
            found = await self._bucket.get(self.key)
            if found is None or not (found.value == self._value or self._is_of_the_dead(found)):
                return False
            # An attempt of ours whose answer was lost, or a lease of the dead: ours only if it can be renewed now.
            asked_s = self._clock()
            try:
                revision = await self._bucket.update(self.key, self._value, found.revision)
            except WrongRevision:
                return False
        if self._clock() >= asked_s + self._ttl_s:
            return False  # the answer took so long that another may hold it already
        self._hold(revision, asked_s)
        self._keeping = asyncio.get_running_loop().create_task(self._keep(), name=f"lease {self.key}")
        return True

    async def wait(self) -> None:
        """Ask until it is ours, however long that takes and whether the broker can be asked or not.

        Raises NoBucket, BusClosed, and PermissionDenied: all for good.
        """
        while True:
            try:
                if await self.acquire():
                    return
            except BusUnavailable as error:
                if not error.recoverable:
                    raise
            await asyncio.sleep(ASK_PERIOD_S)

    async def release(self) -> None:
        """Give it up, so that another need not wait until it expires; safe to repeat, never raises for the broker."""
        await self._end_keeping()
        revision = self._forget()
        if revision is not None:
            await self._give_back(revision)

    def _is_of_the_dead(self, entry: Entry) -> bool:
        """Tell whether a lease is that of a process that is known to have ended."""
        return entry.value is not None and self._is_dead(entry.value.decode(errors="replace").partition(_SEPARATOR)[2])

    def _hold(self, revision: int, asked_s: float) -> None:
        self._revision = revision
        self._expires_s = asked_s + self._ttl_s
        self._watch_expiry()

    def _watch_expiry(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        left_s = max(self._expires_s - self._clock(), 0.0)
        self._expiry = asyncio.get_running_loop().call_later(left_s, self._on_expiry)

    def _on_expiry(self) -> None:
        self._expiry = None
        if self._revision is None:
            return
        if self._clock() < self._expires_s:
            self._watch_expiry()  # the loop's clock runs ahead of ours by a little
            return
        self._lose(self._expired())

    def _expired(self) -> str:
        return f"not renewed within {self._ttl_s:g} s"

    def _forget(self) -> int | None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        revision, self._revision = self._revision, None
        return revision

    def _lose(self, reason: str) -> None:
        """Hold it no more and say so, once; the keeping ends by itself."""
        if self._forget() is not None:
            self._lost(reason)

    async def _keep(self) -> None:
        """Renew until it is lost."""
        wait_s = self._renew_period_s
        while True:
            await asyncio.sleep(wait_s)
            if self._revision is None:
                return
            asked_s = self._clock()
            if asked_s >= self._expires_s:
                # Paused for so long that another may hold it: not even asked for, it would be a new one.
                self._lose(self._expired())
                return
            wait_s = self._renew_period_s if await self._renew(self._revision, asked_s) else RETRY_S

    async def _renew(self, revision: int, asked_s: float) -> bool:
        """Make one attempt and return whether it succeeded; a lease found to be another's, or nobody's, is lost."""
        limit_s = min(ATTEMPT_S, self._expires_s - asked_s)
        try:
            async with asyncio.timeout(limit_s):
                try:
                    renewed = await self._bucket.update(self.key, self._value, revision)
                except WrongRevision:
                    await self._look()
                    return False
        except (TimeoutError, BusUnavailable):
            return False  # the expiry watches over how long this may go on
        except BusError as error:
            self._lose(str(error))
            return False
        if self._revision is None:
            return False  # expired meanwhile, and told so
        self._hold(renewed, asked_s)
        return True

    async def _look(self) -> None:
        """Find out why the revision is another one: an attempt of ours whose answer was lost, or we have lost it."""
        found = await self._bucket.get(self.key)
        if self._revision is None:
            return
        if found is None:
            self._lose("expired or deleted")
        elif found.value != self._value:
            self._lose(f"held by {holder_of(found)}")
        else:
            # Ours again only once it is renewed at this revision; until then the old expiry counts.
            self._revision = found.revision

    async def _give_back(self, revision: int) -> None:
        try:
            async with asyncio.timeout(ATTEMPT_S):
                await self._bucket.delete(self.key, revision)
        except (TimeoutError, BusError):
            return  # it expires by itself, or is another's already

    async def _end_keeping(self) -> None:
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
