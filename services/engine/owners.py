"""Watch who owns the accounts: an owner that falls silent is a lost link, told once, until one is heard again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from tradebus.core.engine.event import AccountEvent, AccountReconnecting, AccountSetup, OwnerChanged
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.wire import subjects
from tradebus.wire.codec.heartbeat import Heartbeat


@dataclass(slots=True)
class _Owner:
    exchange: ExchangeIndex
    instance: str
    heard_ns: int
    is_silent: bool


@final
class OwnerWatch:
    """The owners by the subject of their account's journal. Times are the shell's monotonic clock in nanoseconds."""

    def __init__(
        self,
        accounts: tuple[AccountSetup, ...],
        silence_ns: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._silence_ns: Final = silence_ns
        self._clock: Final = clock
        now_ns = clock()
        self._owners: Final = {
            subjects.acct(account.account): _Owner(account.exchange, "", now_ns, is_silent=True) for account in accounts
        }

    def on_heartbeat(self, heartbeat: Heartbeat) -> list[EngineEvent]:
        """Take in an execution service's heartbeat; return an event for each account whose owner is heard again."""
        events: list[EngineEvent] = []
        for position in heartbeat.positions:
            owner = self._owners.get(position.subject)
            if owner is None:
                continue
            owner.heard_ns = self._clock()
            if owner.is_silent:
                events.append(AccountEvent(owner.exchange, 0, 0, OwnerChanged(heartbeat.instance, position.epoch)))
            owner.instance = heartbeat.instance
            owner.is_silent = False
        return events

    def silent(self) -> list[EngineEvent]:
        """Return an event for each account whose owner fell silent since the last call."""
        now_ns = self._clock()
        events: list[EngineEvent] = []
        for owner in self._owners.values():
            if not owner.is_silent and now_ns - owner.heard_ns > self._silence_ns:
                owner.is_silent = True
                events.append(AccountReconnecting(owner.exchange, f"nothing heard of {owner.instance}"))
        return events
