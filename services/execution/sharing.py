"""Share the accounts between the replicas of the service: each comes to own as many as any other, but for one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, final

from services.execution.owner import AccountOwner
from services.execution.progress import Progress
from services.execution.shares import Ask, Give, next_move
from services.runtime import Runtime
from services.runtime.lease_locks import LeaseLocks, leased
from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.bus.lease_board import LeaseBoard
from tradebus.bus.leases import ASK_PERIOD_S
from tradebus.wire import subjects

_SERVICE: Final = "execution"


@final
class AccountSharing:
    """Asks for accounts and gives them up, as the leases of all replicas say. ``is_eligible`` tells whether we may ask.

    A replica says by a lease of its own that it takes part, as soon as it is eligible. One that owns nothing because
    there is nothing left to own is a standby: it follows everything, and takes over when an owner falls silent.
    """

    def __init__(
        self,
        runtime: Runtime,
        bus: Bus,
        owners: Sequence[AccountOwner],
        is_eligible: Callable[[], bool],
        progress: Progress,
        locks: LeaseLocks | None = None,
    ) -> None:
        engine = runtime.settings.journal_id
        bucket = bus.bucket(subjects.LEASES)
        self._runtime: Final = runtime
        self._owners: Final = {owner.account.name: owner for owner in owners}
        self._is_eligible: Final = is_eligible
        self._changed: Final = asyncio.Event()
        self._members: Final = f"member.{_SERVICE}."
        member = subjects.lease_member(_SERVICE, engine, runtime.instance)
        self._member: Final = leased(bus, member, runtime.instance, self._on_member_lost, locks)
        self._board: Final = LeaseBoard(
            bucket,
            [*(subjects.lease_account(name) for name in self._owners), subjects.lease_members(_SERVICE, engine)],
            self._on_change,
        )
        self._progress: Final = progress
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn who owns what, and begin to take part."""
        while True:
            try:
                await self._board.start()
            except BusUnavailable as error:
                if not error.recoverable:
                    raise
                await asyncio.sleep(ASK_PERIOD_S)
            else:
                break
        self._task = self._runtime.spawn(self._run(), "sharing of accounts")

    async def stop(self) -> None:
        """Take part no more, and give up what is ours, in order."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.gather(*(owner.leave() for owner in self._owners.values()))
        await self._member.release()
        await self._board.stop()

    def owners(self) -> Mapping[str, str]:
        """Return who owns each account that is owned, ourselves included."""
        holders = self._board.holders()
        found = {name: holders.get(subjects.lease_account(name), "") for name in self._owners}
        me = self._runtime.instance
        # Of ourselves we know better than the board.
        others = {name: holder for name, holder in found.items() if holder not in {"", me}}
        return others | {name: me for name, owner in self._owners.items() if owner.is_held}

    def is_settled(self) -> bool:
        """Tell whether every account has an owner, and those that are ours are taken."""
        owners = self.owners()
        return all(
            owner.is_owned or owners.get(name, self._runtime.instance) != self._runtime.instance
            for name, owner in self._owners.items()
        )

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            if self._is_eligible():
                try:
                    await self._move()
                except BusUnavailable as error:
                    if not error.recoverable:
                        raise
            try:
                async with asyncio.timeout(ASK_PERIOD_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _move(self) -> None:
        """Make the one move that is due, if any."""
        if not await self._member.acquire():
            return  # another process of our name takes part; it has to go first
        own = [name for name, owner in self._owners.items() if owner.is_held]
        members = {holder for key, holder in self._board.holders().items() if key.startswith(self._members)}
        move = next_move(list(self._owners), self.owners(), members, own, self._runtime.instance)
        if isinstance(move, Ask):
            if await self._owners[move.account].ask():
                self._changed.set()
        elif isinstance(move, Give):
            self._runtime.log.info("account given up for another replica", account=move.account)
            await self._owners[move.account].leave()

    def _on_change(self) -> None:
        self._changed.set()
        self._progress.tell()

    def _on_member_lost(self, reason: str) -> None:
        self._runtime.log.warning("not among the replicas any more", reason=reason)
