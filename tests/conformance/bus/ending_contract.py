"""What every bus promises about its connections and its end."""

import asyncio

import pytest

from tests.conformance.bus.harness import Harness
from tests.support.bus_events import EventLog
from tests.support.waiting import eventually
from tradebus.bus.errors import AppendUncertain, BusClosed, UnknownOutcome
from tradebus.bus.events import BusEvent, Closed, Connected, Disconnected, Reconnected
from tradebus.bus.interface import Bus
from tradebus.bus.message import Message, Request


def is_connected(bus: Bus) -> bool:
    """Ask anew each time (a checker takes a property for a constant)."""
    return bus.is_connected


class EndingContract:
    async def test_connection_changes_are_reported_in_order(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        assert is_connected(bus)
        connections = {event.connection for event in log.of(Connected)}
        assert connections
        await harness.start_outage()
        assert not is_connected(bus)
        await harness.end_outage()
        assert is_connected(bus)
        for connection in connections:
            changes = [
                type(event)
                for event in log.events
                if isinstance(event, Connected | Disconnected | Reconnected) and event.connection == connection
            ]
            assert changes == [Connected, Disconnected, Reconnected]
        assert all(event.outage_s >= 0 for event in log.of(Reconnected))

    async def test_a_listener_that_raises_harms_nobody(self, harness: Harness) -> None:
        def raises(event: BusEvent) -> None:
            raise RuntimeError(f"cannot handle {event}")

        def fail(message: Message) -> None:
            raise RuntimeError(f"cannot handle {message}")

        after = EventLog()
        bus = await harness.bus()
        bus.add_listener(raises)
        bus.add_listener(after)
        got: list[Message] = []
        await bus.subscribe(harness.md, got.append)
        await bus.subscribe(f"hb.{harness.account}.x", fail)
        await harness.start_outage()
        await harness.end_outage()
        bus.publish(f"hb.{harness.account}.x", b"")
        bus.publish(f"md.{harness.forbidden}.0", b"")
        bus.publish(harness.md, b"")
        await eventually(lambda: got)
        assert after.of(Disconnected)
        assert after.of(Reconnected)

    async def test_closing_handles_what_has_arrived(self, harness: Harness) -> None:
        sender, receiver = await harness.bus(), await harness.bus()
        release = asyncio.Event()
        got: list[bytes] = []

        async def handle(message: Message) -> None:
            await release.wait()
            got.append(message.payload)

        subscription = await receiver.subscribe(harness.md, handle)
        for number in range(200):
            sender.publish(harness.md, b"%d" % number)
        await eventually(lambda: subscription.pending == 199)
        closing = asyncio.create_task(receiver.close())
        release.set()
        await closing
        assert got == [b"%d" % number for number in range(200)]

    async def test_closing_sends_what_was_published(self, harness: Harness) -> None:
        sender, receiver = await harness.bus(), await harness.bus()
        got: list[Message] = []
        await receiver.subscribe(harness.md, got.append)
        for _ in range(500):
            sender.publish(harness.md, bytes(2000))
        await sender.close()
        await eventually(lambda: len(got) == 500)

    async def test_a_handler_may_use_the_bus_while_it_closes(self, harness: Harness) -> None:
        sender, receiver = await harness.bus(), await harness.bus()
        began, release = asyncio.Event(), asyncio.Event()
        stored: list[int] = []

        async def handle(message: Message) -> None:
            began.set()
            await release.wait()
            stored.append(await receiver.append(harness.audit, message.payload))

        await receiver.subscribe(harness.md, handle)
        sender.publish(harness.md, b"last words")
        await began.wait()
        closing = asyncio.create_task(receiver.close())
        await asyncio.sleep(0)
        release.set()
        await closing
        assert stored == [1]

    async def test_closing_does_not_wait_for_ever(self, harness: Harness) -> None:
        bus = await harness.bus()
        began = asyncio.Event()

        async def stuck(_message: Message) -> None:
            began.set()
            await asyncio.Event().wait()

        await bus.subscribe(harness.md, stuck)
        bus.publish(harness.md, b"")
        await began.wait()
        await asyncio.wait_for(bus.close(timeout_s=0.2), 5)

    async def test_closing_ends_what_waits_with_an_unknown_outcome(self, harness: Harness) -> None:
        bus, silent = await harness.bus(), await harness.bus()
        seen: list[Request] = []
        await silent.respond(harness.exec, seen.append)
        asked = asyncio.create_task(bus.request(harness.exec, b"", timeout_s=60))
        await eventually(lambda: seen)
        await bus.close()
        with pytest.raises(UnknownOutcome):
            await asyncio.wait_for(asked, 5)

    async def test_a_closed_bus_says_so(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        await bus.consume(harness.audit_stream, 1, lambda _message: None)
        await bus.close()
        await bus.close()
        assert not bus.is_connected
        assert not bus.publish(harness.md, b"")
        for attempt in (
            bus.append(harness.audit, b"", expected_last_sequence=0),
            bus.request(harness.exec, b"", timeout_s=1),
            bus.subscribe(harness.md, lambda _message: None),
            bus.respond(harness.exec, lambda _request: None),
            bus.consume(harness.audit_stream, 1, lambda _message: None),
            bus.last_message(harness.audit_stream),
            bus.flush(),
        ):
            with pytest.raises(BusClosed):
                await attempt
        assert log.of(Closed) == []
        assert log.of(Disconnected) == []

    async def test_closing_in_an_outage_is_quick_and_quiet(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        await bus.subscribe(harness.md, lambda _message: None)
        await bus.consume(harness.audit_stream, 1, lambda _message: None)
        await bus.bucket("positions").watch(lambda _entry: None, harness.engine)
        await harness.start_outage()
        await asyncio.wait_for(bus.close(), 5)
        assert log.of(Closed) == []

    async def test_an_append_that_waits_when_the_bus_closes_is_uncertain_or_stored(self, harness: Harness) -> None:
        bus, other = await harness.bus(), await harness.bus()
        appending = asyncio.create_task(bus.append(harness.audit, b"1", expected_last_sequence=0))
        await asyncio.sleep(0)
        await bus.close()
        try:
            stored = await appending
        except AppendUncertain:
            stored = 0
        assert (await other.journal_state(harness.audit_stream)).last_sequence >= stored
