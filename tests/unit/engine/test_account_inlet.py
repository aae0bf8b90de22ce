"""What stands in an account's journal reaches the engine once and in order; what belongs to an earlier run does not."""

from collections.abc import AsyncIterator

import pytest

from services.engine.account_inlet import AccountInlet
from services.execution.account_journal import AccountJournal, account_end
from tests.support.builders import (
    ALPHA,
    BETA,
    account_event,
    asset_balance,
    balance_told,
    fill,
    filled,
    order_key,
    simulated_account,
    usual_index,
)
from tests.support.bus_events import EventLog
from tests.support.waiting import eventually
from tradebus.bus.events import ReaderFailed
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.event import AccountEvent, AccountReconnecting, OwnerChanged, TradeReceived
from tradebus.core.engine.event_base import EngineEvent
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import AccountRecord, RequestOutcome, RequestResult
from tradebus.wire.integrity import checked_headers

ACCOUNT = simulated_account()


class Loop:
    def __init__(self) -> None:
        self.events: list[EngineEvent] = []

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> object | None:
        if isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived) and event.data.trade.id == "bad":
            raise InvalidEvent("a fill of nothing")
        self.events.append(event)
        return event


class Owner:
    """Writes an account's journal as its owner."""

    def __init__(self, bus: MemoryBus, name: str = "execution-1", fingerprint: str = "") -> None:
        self._bus = bus
        self._name = name
        self._fingerprint = fingerprint or usual_index().fingerprint()

    async def writes(self, *records: AccountRecord, batch: int = 100) -> None:
        """Take the account and append records, so many a message."""
        end = await account_end(self._bus, ACCOUNT.account)
        journal = AccountJournal(self._bus, ACCOUNT.account, self._name, self._fingerprint, end)
        journal.take_ownership(0)
        for first in range(0, len(records), batch):
            for record in records[first : first + batch]:
                journal.add(record, 1, 1)
            sealed = journal.next_batch(journal.writer.chain)
            assert sealed is not None
            journal.writer.position = await self._bus.append(
                subjects.acct(ACCOUNT.account),
                sealed.payload,
                expected_last_sequence=journal.writer.position,
                headers=sealed.headers,
            )
            journal.writer.chain = sealed.chain


class Read:
    def __init__(self, bus: MemoryBus, first_tick: int) -> None:
        self.loop = Loop()
        self.rejected: list[tuple[str, bytes, str]] = []
        self.inlet = AccountInlet(bus, ACCOUNT, self.loop, first_tick, lambda *letter: self.rejected.append(letter))

    async def begin(self) -> None:
        await self.inlet.note_end()
        await self.inlet.start()

    async def events(self, count: int) -> list[EngineEvent]:
        await eventually(lambda: len(self.loop.events) >= count)
        assert len(self.loop.events) == count
        return self.loop.events


@pytest.fixture
async def read(bus: MemoryBus) -> AsyncIterator[Read]:
    """An inlet of an engine that began with tick 10."""
    read = Read(bus, 10)
    yield read
    await read.inlet.stop()


def fills(*causes: int) -> list[AccountEvent]:
    return [filled(fill(f"t{cause}"), cause, 1) for cause in causes]


def owner(name: str = "execution-1", epoch: int = 1) -> AccountEvent:
    return AccountEvent(ALPHA, 0, 0, OwnerChanged(name, epoch))


async def test_entries_become_events_in_order(read: Read, other_bus: MemoryBus) -> None:
    await read.begin()
    sent = fills(10, 11, 12, 13, 14)
    await Owner(other_bus).writes(*sent, batch=2)
    assert await read.events(6) == [owner(), *sent]
    assert read.inlet.events == 6


async def test_what_an_earlier_run_wrote_is_checked_and_left_out(read: Read, other_bus: MemoryBus) -> None:
    await Owner(other_bus, fingerprint="another index").writes(*fills(1, 2, 3), balance_told(asset_balance(99)))
    await read.begin()
    await Owner(other_bus, "execution-2").writes(*fills(12))
    assert await read.events(2) == [owner("execution-2", 2), *fills(12)]
    assert read.rejected == []


async def test_what_ticks_of_an_earlier_run_caused_is_left_out_whenever_it_is_written(
    read: Read, other_bus: MemoryBus
) -> None:
    await read.begin()
    await Owner(other_bus).writes(*fills(8, 9, 10, 11))
    assert await read.events(3) == [owner(), *fills(10, 11)]


async def test_an_entry_that_does_not_fit_is_kept_and_the_next_one_taken(read: Read, other_bus: MemoryBus) -> None:
    await read.begin()
    foreign = account_event(TradeReceived(fill()), BETA, 11, 1)
    bad = filled(
        fill("bad"),
        12,
        1,
    )
    await Owner(other_bus).writes(*fills(10), foreign, bad, *fills(13))
    assert await read.events(3) == [owner(), *fills(10, 13)]
    assert read.inlet.refused == 2
    reasons = [reason for _, _, reason in read.rejected]
    assert reasons == [
        "account alpha-paper is on exchange 0, its journal holds an event of exchange 1",
        "a fill of nothing",
    ]
    assert read.rejected[0][0] == "acct.alpha-paper"


async def test_a_lost_link_to_the_venue_is_passed_on_and_results_are_not(read: Read, other_bus: MemoryBus) -> None:
    await read.begin()
    lost = AccountReconnecting(ALPHA, "the venue is away")
    result = RequestResult(order_key(), 1, RequestOutcome.EXPIRED, "too late")
    await Owner(other_bus).writes(lost, result, *fills(10))
    assert await read.events(3) == [owner(), lost, *fills(10)]


async def test_a_damaged_journal_ends_the_reader_rather_than_guess(broker: MemoryBroker, other_bus: MemoryBus) -> None:
    reported = EventLog()
    bus = MemoryBus(broker, listener=reported)
    read = Read(bus, 10)
    await read.begin()
    await Owner(other_bus).writes(*fills(10))
    await read.events(2)
    garbage = b"\xff\xff"
    await other_bus.append(subjects.acct(ACCOUNT.account), garbage, headers=checked_headers(garbage))
    failed = await reported.first(ReaderFailed)
    assert "message 2" in str(failed.error)
    assert failed.fatal
    await bus.close()
