"""Watch who owns the accounts: an owner that falls silent is a lost link, told once, until one is heard again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    AccountSetup,
    OwnerChanged,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.wire import subjects
from tradebus.wire.codec.heartbeat import Heartbeat


@dataclass(slots=True)
class _Owner:
    exchange: ExchangeIndex
    is_venue: bool
    instance: str = ""
    epoch: int = 0
    heard_ns: int = 0
    is_silent: bool = True


@final
class OwnerWatch:
    """The owners by the subject of their account's journal. ``clock`` measures silence, in nanoseconds.

    An owner is who says so under the highest epoch: the journal's number of the record by which it took the account.
    Who was replaced may still believe to be the owner, until its next entry is refused; it keeps no link alive. While
    nobody is heard a lower epoch is believed too, so that one wrong number does not deafen us.

    Orders are sent to a venue's account only while its owner is heard. A simulated account takes them always: its owner
    finds them in the journal.
    """

    def __init__(self, accounts: tuple[AccountSetup, ...], silence_ns: int, clock: Callable[[], int]) -> None:
        self._silence_ns: Final = silence_ns
        self._clock: Final = clock
        self._owners: Final = {
            subjects.acct(account.account): _Owner(account.exchange, account.simulation is None) for account in accounts
        }

    def on_heartbeat(self, heartbeat: Heartbeat) -> list[EngineEvent]:
        """Take in an execution service's heartbeat; return an event for each account with a new owner, or one again."""
        events: list[EngineEvent] = []
        for position in heartbeat.positions:
            owner = self._owners.get(position.subject)
            if owner is None or (position.epoch < owner.epoch and not owner.is_silent):
                continue
            if owner.is_silent or (heartbeat.instance, position.epoch) != (owner.instance, owner.epoch):
                events.append(AccountEvent(owner.exchange, 0, 0, OwnerChanged(heartbeat.instance, position.epoch)))
            if owner.is_silent and owner.is_venue:
                events.append(AccountLinkChanged(owner.exchange, AccountLink.HEALTHY))
            owner.instance = heartbeat.instance
            owner.epoch = position.epoch
            owner.heard_ns = self._clock()
            owner.is_silent = False
        return events

    def silent(self) -> list[EngineEvent]:
        """Return an event for each account whose owner fell silent since the last call."""
        now_ns = self._clock()
        events: list[EngineEvent] = []
        for owner in self._owners.values():
            if not owner.is_silent and now_ns - owner.heard_ns > self._silence_ns:
                owner.is_silent = True
                if owner.is_venue:
                    events.append(AccountLinkChanged(owner.exchange, AccountLink.UNHEALTHY))
                events.append(AccountReconnecting(owner.exchange, f"nothing heard of {owner.instance}"))
        return events
