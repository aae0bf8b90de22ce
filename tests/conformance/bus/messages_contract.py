"""What every bus promises about messages that are published and subscribed to."""

import asyncio

import pytest

from tests.conformance.bus.harness import Harness
from tests.support.bus_events import EventLog
from tests.support.waiting import eventually
from tradebus.bus.errors import InvalidHeader, InvalidSubject, NotSent, PayloadTooLarge, PermissionDenied
from tradebus.bus.events import HandlerFailed, OutboundDropped, PermissionViolation, SlowConsumer
from tradebus.bus.message import Message


class MessagesContract:
    async def test_a_message_arrives_with_subject_payload_and_headers(self, harness: Harness) -> None:
        sender, receiver = await harness.bus(), await harness.bus()
        got: list[Message] = []
        await receiver.subscribe(harness.md, got.append)
        assert sender.publish(harness.md, b"\x00payload\r\n", {"Tb-Kind": "trade"})
        await eventually(lambda: got)
        assert (got[0].subject, got[0].payload) == (harness.md, b"\x00payload\r\n")
        assert dict(got[0].headers or {}) == {"Tb-Kind": "trade"}

    async def test_a_message_without_headers_arrives_with_none(self, harness: Harness) -> None:
        bus = await harness.bus()
        got: list[Message] = []
        await bus.subscribe(harness.md, got.append)
        bus.publish(harness.md, b"")
        await eventually(lambda: got)
        assert (got[0].payload, got[0].headers) == (b"", None)

    async def test_wildcards_select_subjects(self, harness: Harness) -> None:
        bus = await harness.bus()
        one: list[str] = []
        rest: list[str] = []
        exact: list[str] = []
        await bus.subscribe(f"md.{harness.account}.*", lambda message: one.append(message.subject))
        await bus.subscribe(f"hb.{harness.account}.>", lambda message: rest.append(message.subject))
        await bus.subscribe(f"md.{harness.account}.2", lambda message: exact.append(message.subject))
        sent = [f"md.{harness.account}.1", f"hb.{harness.account}.1", f"hb.{harness.account}.1.2", harness.md + ".x"]
        last = f"md.{harness.account}.2"
        for subject in (*sent, last):
            bus.publish(subject, b"")
        await eventually(lambda: exact)
        assert one == [sent[0], last]
        assert rest == [sent[1], sent[2]]

    async def test_messages_of_one_bus_arrive_in_the_order_of_publishing(self, harness: Harness) -> None:
        sender, receiver = await harness.bus(), await harness.bus()
        got: list[int] = []
        await receiver.subscribe(f"md.{harness.account}.>", lambda message: got.append(int(message.payload)))
        for number in range(3000):
            assert sender.publish(f"md.{harness.account}.{number % 3}", str(number).encode())
        await eventually(lambda: len(got) == 3000)
        assert got == list(range(3000))

    async def test_an_async_handler_is_awaited_before_the_next_message(self, harness: Harness) -> None:
        bus = await harness.bus()
        trace: list[tuple[str, bytes]] = []

        async def handle(message: Message) -> None:
            trace.append(("begin", message.payload))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            trace.append(("end", message.payload))

        await bus.subscribe(harness.md, handle)
        for payload in (b"a", b"b", b"c"):
            bus.publish(harness.md, payload)
        await eventually(lambda: len(trace) == 6)
        assert trace == [(step, payload) for payload in (b"a", b"b", b"c") for step in ("begin", "end")]

    async def test_no_handler_runs_inside_publish(self, harness: Harness) -> None:
        bus = await harness.bus()
        got: list[bytes] = []
        await bus.subscribe(harness.md, lambda message: got.append(message.payload))
        bus.publish(harness.md, b"x")
        assert got == []
        await eventually(lambda: got)

    async def test_a_handler_that_raises_is_reported_and_gets_the_next_message(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        got: list[bytes] = []

        def handle(message: Message) -> None:
            if message.payload == b"bad":
                raise ValueError("cannot read this")
            got.append(message.payload)

        await bus.subscribe(harness.md, handle)
        for payload in (b"bad", b"good"):
            bus.publish(harness.md, payload)
        await eventually(lambda: got == [b"good"])
        failed = await log.first(HandlerFailed)
        assert failed.subject == harness.md
        assert isinstance(failed.error, ValueError)
        assert bus.is_connected

    async def test_a_handler_that_always_raises_does_not_flood_the_listener(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        got: list[bytes] = []

        def handle(message: Message) -> None:
            got.append(message.payload)
            raise ValueError(f"message {message.payload!r}")

        subscription = await bus.subscribe(harness.md, handle)
        for number in range(500):
            bus.publish(harness.md, b"%d" % number)
        await eventually(lambda: len(got) == 500)
        await subscription.unsubscribe()
        reports = log.of(HandlerFailed)
        assert sum(report.repeated for report in reports) == 500
        assert len(reports) <= 3
        assert str(reports[-1].error) == "message b'499'"

    async def test_a_slow_handler_loses_the_newest_and_is_reported_once_a_period(self, harness: Harness) -> None:
        log = EventLog()
        sender, receiver = await harness.bus(), await harness.bus(log)
        release = asyncio.Event()
        got: list[int] = []

        async def handle(message: Message) -> None:
            got.append(int(message.payload))
            await release.wait()

        subscription = await receiver.subscribe(harness.md, handle, pending_messages_max=100)
        sender.publish(harness.md, b"0")
        await eventually(lambda: got == [0])
        for number in range(1, 1001):
            sender.publish(harness.md, str(number).encode())
        await eventually(lambda: subscription.dropped == 900)
        reports_while_dropping = len(log.of(SlowConsumer))
        release.set()
        await eventually(lambda: len(got) == 101)
        assert got == list(range(101))
        await eventually(lambda: sum(report.dropped for report in log.of(SlowConsumer)) == 900)
        reports = log.of(SlowConsumer)
        assert reports_while_dropping == 1
        assert len(reports) == 2
        assert (reports[-1].subject, reports[-1].dropped_total) == (harness.md, 900)
        sender.publish(harness.md, b"1001")
        await eventually(lambda: got[-1] == 1001)

    async def test_nothing_arrives_after_unsubscribing(self, harness: Harness) -> None:
        sender, receiver = await harness.bus(), await harness.bus()
        ended: list[bytes] = []
        going_on: list[bytes] = []
        subscription = await receiver.subscribe(harness.md, lambda message: ended.append(message.payload))
        await receiver.subscribe(harness.md, lambda message: going_on.append(message.payload))
        sender.publish(harness.md, b"1")
        await eventually(lambda: ended and going_on)
        await subscription.unsubscribe()
        await subscription.unsubscribe()
        sender.publish(harness.md, b"2")
        await eventually(lambda: going_on == [b"1", b"2"])
        assert ended == [b"1"]

    async def test_flush_returns_when_the_server_has_everything(self, harness: Harness) -> None:
        bus = await harness.bus()
        for _ in range(1000):
            bus.publish(harness.md, bytes(1000))
        await bus.flush()

    async def test_what_is_published_in_an_outage_is_dropped_reported_and_never_delivered(
        self, harness: Harness
    ) -> None:
        log = EventLog()
        sender, receiver = await harness.bus(log), await harness.bus()
        got: list[bytes] = []
        await receiver.subscribe(harness.md, lambda message: got.append(message.payload))
        await harness.start_outage()
        assert [sender.publish(harness.md, b"stale") for _ in range(50)] == [False] * 50
        with pytest.raises(NotSent):
            await sender.flush()
        await harness.end_outage()
        await eventually(lambda: sum(report.dropped for report in log.of(OutboundDropped)) == 50)
        assert len(log.of(OutboundDropped)) <= 2
        assert sender.publish(harness.md, b"fresh")
        await eventually(lambda: got)
        assert got == [b"fresh"]

    async def test_a_subscription_made_in_an_outage_is_there_afterwards(self, harness: Harness) -> None:
        sender, receiver = await harness.bus(), await harness.bus()
        got: list[bytes] = []
        await harness.start_outage()
        await receiver.subscribe(harness.md, lambda message: got.append(message.payload))
        await harness.end_outage()
        assert sender.publish(harness.md, b"x")
        await eventually(lambda: got == [b"x"])

    async def test_the_size_of_payload_and_headers_together_is_bounded(self, harness: Harness) -> None:
        bus = await harness.bus()
        got: list[Message] = []
        await bus.subscribe(harness.md, got.append)
        assert 900_000 < bus.message_bytes_max < 1024 * 1024
        assert bus.publish(harness.md, bytes(bus.message_bytes_max))
        with pytest.raises(PayloadTooLarge) as error:
            bus.publish(harness.md, bytes(bus.message_bytes_max), {"Tb-Kind": "x"})
        assert error.value.size > error.value.size_max == bus.message_bytes_max
        await eventually(lambda: got)
        assert len(got[0].payload) == bus.message_bytes_max
        assert bus.is_connected

    @pytest.mark.parametrize("subject", ["", "md..x", "md.x y", "md.x\r\nPUB y 0", "md.*.0", "md.>", ".md", "md."])
    async def test_a_subject_that_would_break_the_protocol_is_refused(self, harness: Harness, subject: str) -> None:
        bus = await harness.bus()
        with pytest.raises(InvalidSubject):
            bus.publish(subject, b"")

    @pytest.mark.parametrize("pattern", ["", "md..x", "md.>.x", "md.x*", "md x"])
    async def test_a_pattern_out_of_form_is_refused(self, harness: Harness, pattern: str) -> None:
        bus = await harness.bus()
        with pytest.raises(InvalidSubject):
            await bus.subscribe(pattern, lambda _message: None)

    @pytest.mark.parametrize("headers", [{"A b": "x"}, {"": "x"}, {"A": "x\r\ny"}, {"A": "x\ny"}])
    async def test_a_header_that_would_break_the_protocol_is_refused(
        self, harness: Harness, headers: dict[str, str]
    ) -> None:
        bus = await harness.bus()
        with pytest.raises(InvalidHeader):
            bus.publish(harness.md, b"", headers)

    async def test_a_refused_publication_is_reported(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        subject = f"md.{harness.forbidden}.0"
        bus.publish(subject, b"")
        violation = await log.first(PermissionViolation)
        assert (violation.operation, violation.subject) == ("publish", subject)
        assert bus.is_connected

    async def test_a_refused_subscription_raises_and_is_reported(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        subject = f"md.{harness.forbidden}.0"
        with pytest.raises(PermissionDenied) as error:
            await bus.subscribe(subject, lambda _message: None)
        assert (error.value.subject, error.value.recoverable) == (subject, False)
        violation = await log.first(PermissionViolation)
        assert (violation.operation, violation.subject) == ("subscription", subject)
        got: list[Message] = []
        await bus.subscribe(harness.md, got.append)
        bus.publish(harness.md, b"")
        await eventually(lambda: got)
