"""Follow every journal of a running system from outside, and know at any time whether it is still sound."""

from typing import Self

from tests.support.oracles import Oracles
from tests.support.waiting import eventually
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalHandler, JournalMessage
from tradebus.config import Settings
from tradebus.wire import subjects

PATIENCE_S = 90.0


class Witness:
    """Reads all journals on a connection of its own, whatever happens to the services."""

    def __init__(self, bus: Bus, settings: Settings) -> None:
        self._bus = bus
        self._stream = subjects.audit_stream(settings.journal_id)
        index = settings.indexed_instruments()
        exchanges = [exchange for exchange in settings.exchanges if exchange in settings.execution]
        self._accounts = {settings.account(each): index.find_exchange_index(each) for each in exchanges}
        self.oracles = Oracles(self._accounts)
        self._readers: list[JournalReader] = []
        self.batches = 0

    async def start(self) -> Self:
        """Begin to read everything."""
        for name in self._accounts:
            self._readers.append(await self._bus.consume(subjects.acct_stream(name), 1, self._account(name)))
        self._readers.append(await self._bus.consume(self._stream, 1, self._on_audit))
        return self

    async def stop(self) -> None:
        """Read no more."""
        for reader in self._readers:
            await reader.stop()

    @property
    def sequence(self) -> int:
        """Return the last tick that is in the journal."""
        return self.oracles.audit.sequence

    def is_engine_shut_down(self) -> bool:
        """Tell whether the last tick of the journal is that of an ordered stop."""
        return self.oracles.audit.is_shut_down

    async def after(self, batches: int) -> None:
        """Return when so many more batches were appended: an instant that has nothing to do with wall time."""
        wanted = self.batches + batches
        await eventually(lambda: self.batches >= wanted or self._failed(), f"{batches} batches more", PATIENCE_S)
        self._raise()

    async def beyond(self, sequence: int) -> None:
        """Return when the journal holds a tick."""
        what = f"tick {sequence} in the journal"
        await eventually(lambda: self.sequence >= sequence or self._failed(), what, PATIENCE_S)
        self._raise()

    async def check(self, *, at_rest: bool = False) -> int:
        """Read the accounts as far as they go now, then check everything; return how many fills there are."""
        for name in self._accounts:
            end = (await self._bus.journal_state(subjects.acct_stream(name))).last_sequence
            verifier = self.oracles.accounts[name].verifier
            await eventually(
                lambda verifier=verifier, end=end: verifier.position >= end or self._failed(),  # type: ignore[misc]
                f"the journal of {name} is read",
                PATIENCE_S,
            )
        # What happened on an account was caused by ticks that were durable before.
        await self.beyond(max(account.verifier.audit_sequence for account in self.oracles.accounts.values()) - 1)
        self._raise()
        return self.oracles.check(at_rest=at_rest)

    def _on_audit(self, message: JournalMessage) -> None:
        self.oracles.take_audit(message)
        self.batches += 1

    def _account(self, name: str) -> JournalHandler:
        return lambda message: self.oracles.take_account(name, message)

    def _failed(self) -> bool:
        return any(reader.failure is not None for reader in self._readers)

    def _raise(self) -> None:
        for reader in self._readers:
            if reader.failure is not None:
                raise AssertionError(f"{reader.stream} cannot be followed: {reader.failure}")
