"""What every bus promises about requests: money travels on them."""

import asyncio

import pytest

from tests.conformance.bus.harness import Harness
from tests.support.bus_events import EventLog
from tests.support.waiting import eventually
from tradebus.bus.errors import NoResponders, NotSent, PayloadTooLarge, PermissionDenied, UnknownOutcome
from tradebus.bus.events import HandlerFailed
from tradebus.bus.interface import Bus
from tradebus.bus.message import Message, Request


class RequestsContract:
    async def test_a_request_is_answered(self, harness: Harness) -> None:
        engine, owner = await harness.bus(), await harness.bus()

        def accept(request: Request) -> None:
            assert (request.subject, dict(request.headers or {})) == (harness.exec, {"Tb-Crc32c": "00000000"})
            assert request.reply(b"accepted " + request.payload, {"Tb-Kind": "reply"})

        await owner.respond(harness.exec, accept)
        answer = await engine.request(harness.exec, b"order", timeout_s=5, headers={"Tb-Crc32c": "00000000"})
        assert answer.payload == b"accepted order"
        assert dict(answer.headers or {}) == {"Tb-Kind": "reply"}

    async def test_answers_find_their_requests(self, harness: Harness) -> None:
        engine, owner = await harness.bus(), await harness.bus()
        waiting: list[Request] = []
        await owner.respond(harness.exec, waiting.append)
        asked = [
            asyncio.create_task(engine.request(harness.exec, str(number).encode(), timeout_s=5)) for number in range(50)
        ]
        await eventually(lambda: len(waiting) == 50)
        for request in reversed(waiting):
            request.reply(b"re " + request.payload)
        answers = await asyncio.gather(*asked)
        assert [answer.payload for answer in answers] == [b"re %d" % number for number in range(50)]

    async def test_only_the_first_answer_counts(self, harness: Harness) -> None:
        engine, owner, standby = await harness.bus(), await harness.bus(), await harness.bus()
        seen: list[bytes] = []

        def answer_twice(request: Request) -> None:
            request.reply(b"first")
            request.reply(b"second")

        await owner.respond(harness.exec, answer_twice)
        await standby.respond(harness.exec, lambda request: seen.append(request.payload))
        assert (await engine.request(harness.exec, b"1", timeout_s=5)).payload == b"first"
        assert (await engine.request(harness.exec, b"2", timeout_s=5)).payload == b"first"
        await eventually(lambda: seen == [b"1", b"2"])

    async def test_nobody_listening_is_told_at_once(self, harness: Harness) -> None:
        engine = await harness.bus()
        began = asyncio.get_running_loop().time()
        with pytest.raises(NoResponders) as error:
            await engine.request(harness.exec, b"order", timeout_s=10)
        assert asyncio.get_running_loop().time() - began < 5
        assert isinstance(error.value, NotSent)
        assert error.value.recoverable

    async def test_no_answer_in_time_is_an_unknown_outcome(self, harness: Harness) -> None:
        engine, silent = await harness.bus(), await harness.bus()
        seen: list[bytes] = []
        await silent.respond(harness.exec, lambda request: seen.append(request.payload))
        with pytest.raises(UnknownOutcome) as error:
            await engine.request(harness.exec, b"order", timeout_s=0.05)
        assert not isinstance(error.value, NotSent)
        await eventually(lambda: seen == [b"order"])

    async def test_an_answer_that_comes_too_late_disturbs_nothing(self, harness: Harness) -> None:
        engine, owner = await harness.bus(), await harness.bus()
        waiting: list[Request] = []
        await owner.respond(harness.exec, waiting.append)
        with pytest.raises(UnknownOutcome):
            await engine.request(harness.exec, b"1", timeout_s=0.02)
        await eventually(lambda: waiting)
        waiting[0].reply(b"late")
        asked = asyncio.create_task(engine.request(harness.exec, b"2", timeout_s=5))
        await eventually(lambda: len(waiting) == 2)
        waiting[1].reply(b"in time")
        assert (await asked).payload == b"in time"

    async def test_a_request_in_an_outage_is_not_sent_then_or_later(self, harness: Harness) -> None:
        engine, owner = await harness.bus(), await harness.bus()
        seen: list[bytes] = []

        def accept(request: Request) -> None:
            seen.append(request.payload)
            request.reply(b"")

        await owner.respond(harness.exec, accept)
        await harness.start_outage()
        for _ in range(20):
            with pytest.raises(NotSent):
                await engine.request(harness.exec, b"ghost", timeout_s=0.5)
        await harness.end_outage()
        await engine.request(harness.exec, b"real", timeout_s=5)
        assert seen == [b"real"]

    async def test_losing_the_connection_ends_the_waiting_with_an_unknown_outcome(self, harness: Harness) -> None:
        engine, silent = await harness.bus(), await harness.bus()
        seen: list[Request] = []
        await silent.respond(harness.exec, seen.append)
        asked = asyncio.create_task(engine.request(harness.exec, b"order", timeout_s=60))
        await eventually(lambda: seen)
        await harness.start_outage()
        with pytest.raises(UnknownOutcome) as error:
            await asyncio.wait_for(asked, 10)
        assert not isinstance(error.value, NotSent)

    async def test_a_plain_message_is_no_request(self, harness: Harness) -> None:
        bus = await harness.bus()
        requests: list[bytes] = []
        messages: list[Message] = []
        await bus.respond(harness.exec, lambda request: requests.append(request.payload))
        await bus.subscribe(harness.exec, messages.append)
        bus.publish(harness.exec, b"not asking")
        await eventually(lambda: messages)
        with pytest.raises(UnknownOutcome):
            await bus.request(harness.exec, b"asking", timeout_s=0.05)
        assert requests == [b"asking"]

    async def test_a_responder_that_raises_is_reported_and_goes_on(self, harness: Harness) -> None:
        log = EventLog()
        engine, owner = await harness.bus(), await harness.bus(log)

        async def accept(request: Request) -> None:
            await asyncio.sleep(0)
            if request.payload == b"bad":
                raise ValueError("bad")
            request.reply(b"ok")

        await owner.respond(harness.exec, accept)
        with pytest.raises(UnknownOutcome):
            await engine.request(harness.exec, b"bad", timeout_s=0.05)
        assert (await engine.request(harness.exec, b"good", timeout_s=5)).payload == b"ok"
        assert (await log.first(HandlerFailed)).subject == harness.exec

    async def test_sizes_are_bounded_both_ways(self, harness: Harness) -> None:
        log = EventLog()
        engine, owner = await harness.bus(), await harness.bus(log)

        def say_too_much(request: Request) -> None:
            request.reply(bytes(owner.message_bytes_max + 1))

        await owner.respond(harness.exec, say_too_much)
        with pytest.raises(PayloadTooLarge):
            await engine.request(harness.exec, bytes(engine.message_bytes_max + 1), timeout_s=1)
        with pytest.raises(UnknownOutcome):
            await engine.request(harness.exec, b"x", timeout_s=0.05)
        assert isinstance((await log.first(HandlerFailed)).error, PayloadTooLarge)
        assert owner.is_connected

    async def test_a_refused_request_says_so_at_once(self, harness: Harness) -> None:
        engine = await harness.bus()
        with pytest.raises(PermissionDenied):
            await engine.request(f"exec.{harness.forbidden}", b"order", timeout_s=30)
        with pytest.raises(PermissionDenied):
            await engine.respond(f"exec.{harness.forbidden}", lambda _request: None)

    async def test_nothing_is_asked_of_who_ended_its_subscription(self, harness: Harness) -> None:
        engine, owner = await harness.bus(), await harness.bus()
        subscription = await owner.respond(harness.exec, answer)
        await engine.request(harness.exec, b"1", timeout_s=5)
        await subscription.unsubscribe()
        await eventually_no_responders(engine, harness.exec)


def answer(request: Request) -> None:
    request.reply(b"")


async def eventually_no_responders(engine: Bus, subject: str) -> None:
    """The server learns of it a moment later: nothing waits for that."""
    for _ in range(1000):
        try:
            await engine.request(subject, b"", timeout_s=0.05)
        except NoResponders:
            return
        except UnknownOutcome:
            continue
    raise AssertionError(f"somebody still answers on {subject}")
