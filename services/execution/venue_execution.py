"""Own accounts at venues: take the engine's requests, carry them, and journal what comes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from services.execution.owner import AccountOwner
from services.execution.progress import Progress
from services.execution.resolving import ResolvePolicy
from services.execution.sharing import AccountSharing
from services.execution.venue import Venue
from services.execution.venue_account import VenueAccount
from services.runtime import Json, Position, Runtime, Service
from services.runtime.dead_letters import DeadLetterBox
from services.runtime.streams import wait_for_stream
from tradebus.bus.interface import Bus, Subscription
from tradebus.bus.message import Request
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.wire import subjects
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.exec import OrderRequests, order_reply_to_bytes, order_requests_from_bytes
from tradebus.wire.integrity import IntegrityError, checked_headers, verify_checksum

_DRAIN_SHARE: Final = 0.3
"""Of the time that a service has for its stop: for answers that are still to come."""


@dataclass(frozen=True, slots=True)
class VenueSetup:
    """One account: its name, the exchange whose requests it takes, and the client of its venue."""

    account: str
    exchange: ExchangeIndex
    venue: Venue


@final
class VenueExecution(Service):
    """One replica of the service for venue accounts. Who is not the owner of an account stays silent."""

    def __init__(
        self, runtime: Runtime, bus: Bus, setups: Sequence[VenueSetup], policy: ResolvePolicy | None = None
    ) -> None:
        self._runtime: Final = runtime
        self._bus: Final = bus
        self._progress: Final = Progress()
        used = policy or ResolvePolicy()
        self._accounts: Final = [
            VenueAccount(runtime, each.account, each.exchange, each.venue, self._progress, used) for each in setups
        ]
        self._owners: Final = [
            # Nothing outside its own journal explains a venue's account.
            AccountOwner(runtime, bus, account, lambda: 0, self._progress)
            for account in self._accounts
        ]
        self._sharing: Final = AccountSharing(runtime, bus, self._owners, lambda: True, self._progress)
        self._letters: Final = DeadLetterBox("execution", bus, runtime.metrics.registry, runtime.log)
        self._taking: Final[list[Subscription]] = []

    async def start(self) -> None:
        """Follow the accounts' journals and take requests; return when every account has an owner, us or another."""
        for stream in (
            subjects.audit_stream(self._runtime.settings.journal_id),
            *(subjects.acct_stream(account.name) for account in self._accounts),
        ):
            await wait_for_stream(self._runtime, self._bus, stream)
        self._runtime.spawn(self._letters.run(), "dead letters")
        for owner in self._owners:
            await owner.follower.start()
        await self._sharing.start()
        for owner, account in zip(self._owners, self._accounts, strict=True):
            self._taking.append(await self._respond(owner, account))
        await self._progress.until(self._sharing.is_settled)

    async def stop(self) -> None:
        """Take no more requests, wait for answers while there is time, and give the accounts up."""
        for subscription in self._taking:
            await subscription.unsubscribe()
        limit_s = self._runtime.settings.runtime.stop_timeout_ms / 1000 * _DRAIN_SHARE
        for account in self._accounts:
            await account.drain(limit_s)
        await self._sharing.stop()
        for owner in self._owners:
            await owner.follower.stop()

    def status(self) -> Mapping[str, Json]:
        """Return where each account stands, and who owns it."""
        owners = self._sharing.owners()
        return {
            "accounts": {
                account.name: {
                    "owner": owners.get(account.name, ""),
                    "is_owned": owner.is_owned,
                    "owner_epoch": owner.owner_epoch,
                    "entries": owner.entries,
                    "carried": account.carried,
                    "refused": account.refused,
                }
                for owner, account in zip(self._owners, self._accounts, strict=True)
            }
        }

    def positions(self) -> Sequence[Position]:
        """Return how far each journal that we own is on disk."""
        return [
            Position(subjects.acct(owner.account.name), owner.owner_epoch, owner.position)
            for owner in self._owners
            if owner.is_owned
        ]

    def leases(self) -> Sequence[str]:
        """Return the keys of the leases of the accounts that this process owns."""
        return [subjects.lease_account(owner.account.name) for owner in self._owners if owner.is_owned]

    async def _respond(self, owner: AccountOwner, account: VenueAccount) -> Subscription:
        def on_request(request: Request) -> None:
            owner.guard()
            if not owner.is_owned:
                return
            try:
                verify_checksum(request.payload, request.headers)
                requests = order_requests_from_bytes(request.payload)
            except (IntegrityError, DecodeError) as error:
                self._letters.put(request.subject, request.payload, str(error))
                return
            self._runtime.spawn(self._answer(account, request, requests), f"requests to {account.name}")

        return await self._bus.respond(subjects.exec_(account.name), on_request)

    async def _answer(self, account: VenueAccount, request: Request, requests: OrderRequests) -> None:
        reply = await account.answer(requests)
        if reply is not None:
            payload = order_reply_to_bytes(reply)
            request.reply(payload, checked_headers(payload))
