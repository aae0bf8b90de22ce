"""What every bus promises about journals: appended durably, in order, by one writer; read without a gap."""

import asyncio

import pytest

from tests.conformance.bus.harness import Harness
from tests.support.bus_events import EventLog
from tests.support.nats_server import TEST_SIZES
from tests.support.waiting import eventually
from tradebus.bus.errors import (
    BusClosed,
    HandlerRaised,
    JournalFull,
    JournalPruned,
    JournalRewound,
    NoJournal,
    NotSent,
    PayloadTooLarge,
    PermissionDenied,
    WrongLastSequence,
)
from tradebus.bus.events import ReaderFailed, ReaderResumed
from tradebus.bus.interface import Bus, JournalReader
from tradebus.bus.message import JournalMessage


async def write(bus: Bus, subject: str, first: int, count: int) -> None:
    """Append ``count`` messages whose payload is their sequence, the first of them at sequence ``first``."""
    for sequence in range(first, first + count):
        stored = await bus.append(subject, str(sequence).encode(), expected_last_sequence=sequence - 1)
        assert stored == sequence


class Collector:
    """A handler that keeps what it gets and checks that it is the next one."""

    def __init__(self) -> None:
        self.messages: list[JournalMessage] = []

    def __call__(self, message: JournalMessage) -> None:
        assert message.payload == str(message.sequence).encode()
        self.messages.append(message)

    @property
    def sequences(self) -> list[int]:
        return [message.sequence for message in self.messages]


class JournalsContract:
    # ------------------------------------------------------------------------------ appending

    async def test_appends_are_numbered_from_one(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 3)
        state = await bus.journal_state(harness.audit_stream)
        assert (state.first_sequence, state.last_sequence, state.messages) == (1, 3, 3)
        assert 0 < state.bytes_used < state.bytes_max == TEST_SIZES.audit

    async def test_an_empty_journal_has_no_last_message(self, harness: Harness) -> None:
        bus = await harness.bus()
        state = await bus.journal_state(harness.audit_stream)
        assert (state.first_sequence, state.last_sequence, state.messages, state.bytes_used) == (1, 0, 0, 0)
        assert await bus.last_message(harness.audit_stream) is None
        assert await bus.message(harness.audit_stream, 1) is None

    async def test_what_is_stored_is_what_was_written(self, harness: Harness) -> None:
        bus = await harness.bus()
        payload = bytes(range(256)) * 3
        headers = {"Tb-Crc32c": "0a1b2c3d", "Tb-Chain": "ff" * 16}
        await bus.append(harness.audit, payload, expected_last_sequence=0, headers=headers)
        read: list[JournalMessage] = []
        reader = await bus.consume(harness.audit_stream, 1, read.append)
        await reader.wait_caught_up()
        for stored in (await bus.last_message(harness.audit_stream), await bus.message(harness.audit_stream, 1), *read):
            assert stored is not None
            assert (stored.stream, stored.subject) == (harness.audit_stream, harness.audit)
            assert (stored.sequence, stored.payload, stored.pending) == (1, payload, 0)
            assert dict(stored.headers or {}) == headers
            assert stored.time_ns > 1_700_000_000 * 10**9

    async def test_a_message_as_large_as_is_allowed_can_be_read_back(self, harness: Harness) -> None:
        bus = await harness.bus()
        payload = bytes(bus.message_bytes_max - 200)
        await bus.append(harness.audit, payload, expected_last_sequence=0)
        last = await bus.last_message(harness.audit_stream)
        assert last is not None
        assert last.payload == payload
        read: list[JournalMessage] = []
        reader = await bus.consume(harness.audit_stream, 1, read.append)
        await reader.wait_caught_up()
        assert read[0].payload == payload
        with pytest.raises(PayloadTooLarge):
            await bus.append(harness.audit, bytes(bus.message_bytes_max + 1), expected_last_sequence=1)
        assert (await bus.journal_state(harness.audit_stream)).last_sequence == 1

    @pytest.mark.parametrize("expected", [0, 1, 3, 7])
    async def test_a_writer_that_is_wrong_about_the_end_is_refused(self, harness: Harness, expected: int) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 2)
        with pytest.raises(WrongLastSequence) as error:
            await bus.append(harness.audit, b"intruder", expected_last_sequence=expected)
        assert (error.value.expected, error.value.found, error.value.error_code) == (expected, 2, 10071)
        assert error.value.subject == harness.audit
        assert not error.value.recoverable
        assert (await bus.journal_state(harness.audit_stream)).last_sequence == 2
        await write(bus, harness.audit, 3, 1)

    async def test_of_racing_writers_exactly_one_wins_each_sequence(self, harness: Harness) -> None:
        buses = [await harness.bus() for _ in range(4)]
        for last in range(25):
            outcomes = await asyncio.gather(
                *(bus.append(harness.audit, b"x", expected_last_sequence=last) for bus in buses), return_exceptions=True
            )
            assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [last + 1]
            assert sum(isinstance(outcome, WrongLastSequence) for outcome in outcomes) == 3

    async def test_where_several_may_write_nobody_is_fenced(self, harness: Harness) -> None:
        one, other = await harness.bus(), await harness.bus()
        subject = f"cmd.{harness.engine}"
        assert await one.append(subject, b"1") == 1
        assert await other.append(subject, b"2") == 2

    async def test_a_full_journal_refuses_and_keeps_what_it_has(self, harness: Harness) -> None:
        bus = await harness.bus()
        payload = bytes(500_000)
        stored = 0
        for _ in range(TEST_SIZES.account // 500_000):
            stored = await bus.append(f"acct.{harness.account}", payload, expected_last_sequence=stored)
        with pytest.raises(JournalFull) as error:
            await bus.append(f"acct.{harness.account}", payload, expected_last_sequence=stored)
        assert error.value.recoverable
        stream = f"ACCT_{harness.account}"
        state = await bus.journal_state(stream)
        assert (state.first_sequence, state.last_sequence) == (1, stored)
        await harness.prune(stream, 2)
        assert await bus.append(f"acct.{harness.account}", payload, expected_last_sequence=stored) == stored + 1

    async def test_dead_letters_forget_their_oldest(self, harness: Harness) -> None:
        bus = await harness.bus()
        last = 0
        for _ in range(2 * TEST_SIZES.dead_letters // 500_000):
            last = await bus.append("dlq.engine", bytes(500_000))
        state = await bus.journal_state("DLQ")
        assert state.last_sequence == last
        assert state.first_sequence > 1
        assert state.bytes_used <= TEST_SIZES.dead_letters

    async def test_without_a_stream_there_is_no_journal(self, harness: Harness) -> None:
        bus = await harness.bus()
        with pytest.raises(NoJournal):
            await bus.append("audit.nobody", b"", expected_last_sequence=0)
        for asked in (
            bus.journal_state("AUDIT_nobody"),
            bus.last_message("AUDIT_nobody"),
            bus.message("AUDIT_nobody", 1),
            bus.consume("AUDIT_nobody", 1, lambda _message: None),
        ):
            with pytest.raises(NoJournal) as error:
                await asked
            assert error.value.name.endswith("nobody")

    async def test_a_forbidden_journal_says_so_at_once(self, harness: Harness) -> None:
        bus = await harness.bus()
        with pytest.raises(PermissionDenied):
            await bus.append(f"audit.{harness.forbidden}", b"", expected_last_sequence=0, timeout_s=30)

    async def test_an_append_in_an_outage_is_not_sent(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 1)
        await harness.start_outage()
        with pytest.raises(NotSent):
            await bus.append(harness.audit, b"2", expected_last_sequence=1)
        with pytest.raises(NotSent):
            await bus.last_message(harness.audit_stream)
        with pytest.raises(NotSent):
            await bus.journal_state(harness.audit_stream)
        with pytest.raises(NotSent):
            await bus.consume(harness.audit_stream, 1, lambda _message: None)
        await harness.end_outage()
        assert (await bus.journal_state(harness.audit_stream)).last_sequence == 1
        await write(bus, harness.audit, 2, 1)

    # ------------------------------------------------------------------------------ reading

    async def test_a_reader_gets_history_then_what_comes(self, harness: Harness) -> None:
        writer, bus = await harness.bus(), await harness.bus()
        await write(writer, harness.audit, 1, 200)
        got = Collector()
        reader = await bus.consume(harness.audit_stream, 1, got)
        assert (reader.stream, reader.end_sequence) == (harness.audit_stream, 200)
        await reader.wait_caught_up()
        assert reader.is_caught_up
        assert got.sequences == list(range(1, 201))
        assert [message.pending for message in got.messages] == list(range(199, -1, -1))
        await write(writer, harness.audit, 201, 20)
        await eventually(lambda: reader.next_sequence == 221)
        assert got.sequences == list(range(1, 221))
        assert reader.end_sequence == 200

    async def test_reading_can_begin_anywhere_up_to_the_end(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 10)
        middle, end = Collector(), Collector()
        from_middle = await bus.consume(harness.audit_stream, 6, middle)
        from_end = await bus.consume(harness.audit_stream, 11, end)
        await from_middle.wait_caught_up()
        await from_end.wait_caught_up()
        assert (middle.sequences, end.sequences) == ([6, 7, 8, 9, 10], [])
        await write(bus, harness.audit, 11, 1)
        await eventually(lambda: end.sequences == [11] and middle.sequences[-1] == 11)

    async def test_a_reader_of_an_empty_journal_is_caught_up(self, harness: Harness) -> None:
        bus = await harness.bus()
        got = Collector()
        reader = await bus.consume(harness.audit_stream, 1, got)
        assert reader.is_caught_up
        assert reader.end_sequence == 0
        await reader.wait_caught_up()
        await write(bus, harness.audit, 1, 1)
        await eventually(lambda: got.sequences == [1])

    async def test_a_slow_async_handler_misses_nothing(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 500)
        got: list[int] = []
        running = 0

        async def handle(message: JournalMessage) -> None:
            nonlocal running
            running += 1
            assert running == 1
            await asyncio.sleep(0.0 if message.sequence % 50 else 0.01)
            got.append(message.sequence)
            running -= 1

        reader = await bus.consume(harness.audit_stream, 1, handle)
        assert not reader.is_caught_up
        await reader.wait_caught_up()
        assert got == list(range(1, 501))

    async def test_several_readers_of_one_journal_each_get_everything(self, harness: Harness) -> None:
        writer, bus, other = await harness.bus(), await harness.bus(), await harness.bus()
        collectors = [Collector() for _ in range(3)]
        for owner, collector in zip((bus, bus, other), collectors, strict=True):
            await owner.consume(harness.audit_stream, 1, collector)
        await write(writer, harness.audit, 1, 50)
        await eventually(lambda: all(collector.sequences == list(range(1, 51)) for collector in collectors))

    async def test_a_reader_goes_on_after_an_outage_with_nothing_lost_or_repeated(self, harness: Harness) -> None:
        log = EventLog()
        writer, bus = await harness.bus(), await harness.bus(log)
        got = Collector()
        reader = await bus.consume(harness.audit_stream, 1, got)
        for round_number in range(3):
            first = round_number * 30 + 1
            await write(writer, harness.audit, first, 30)
            if round_number == 1:
                await eventually(lambda: reader.next_sequence == 61)
            await harness.start_outage()
            await harness.end_outage()
        await write(writer, harness.audit, 91, 10)
        await eventually(lambda: reader.next_sequence == 101)
        assert got.sequences == list(range(1, 101))
        assert reader.failure is None
        assert log.of(ReaderResumed)

    async def test_an_outage_does_not_interrupt_a_running_handler(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 3)
        release = asyncio.Event()
        trace: list[str] = []

        async def handle(message: JournalMessage) -> None:
            trace.append(f"begin {message.sequence}")
            await release.wait()
            trace.append(f"end {message.sequence}")

        reader = await bus.consume(harness.audit_stream, 1, handle)
        await eventually(lambda: trace)
        await harness.start_outage()
        await harness.end_outage()
        release.set()
        await reader.wait_caught_up()
        assert trace == [f"{step} {sequence}" for sequence in (1, 2, 3) for step in ("begin", "end")]

    async def test_a_handler_that_raises_ends_the_reader_there(self, harness: Harness) -> None:
        log = EventLog()
        bus = await harness.bus(log)
        await write(bus, harness.audit, 1, 5)
        got: list[int] = []

        def handle(message: JournalMessage) -> None:
            if message.sequence == 3:
                raise ValueError("cannot read this")
            got.append(message.sequence)

        reader = await bus.consume(harness.audit_stream, 1, handle)
        with pytest.raises(HandlerRaised) as error:
            await reader.wait_caught_up()
        assert (error.value.stream, error.value.sequence) == (harness.audit_stream, 3)
        assert isinstance(error.value.error, ValueError)
        assert reader.failure is error.value
        failed = await log.first(ReaderFailed)
        assert (failed.stream, failed.error, failed.fatal) == (harness.audit_stream, error.value, True)
        other = Collector()
        await (await bus.consume(harness.audit_stream, 1, other)).wait_caught_up()
        assert other.sequences == [1, 2, 3, 4, 5]
        assert got == [1, 2]
        assert len(log.of(ReaderFailed)) == 1

    async def test_reading_what_was_pruned_is_refused(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 10)
        await harness.prune(harness.audit_stream, 6)
        assert (await bus.journal_state(harness.audit_stream)).first_sequence == 6
        assert await bus.message(harness.audit_stream, 5) is None
        with pytest.raises(JournalPruned) as error:
            await bus.consume(harness.audit_stream, 5, lambda _message: None)
        assert (error.value.wanted, error.value.first) == (5, 6)
        got = Collector()
        await (await bus.consume(harness.audit_stream, 6, got)).wait_caught_up()
        assert got.sequences == [6, 7, 8, 9, 10]

    async def test_reading_beyond_the_end_is_refused_as_lost_history(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 3)
        with pytest.raises(JournalRewound) as error:
            await bus.consume(harness.audit_stream, 5, lambda _message: None)
        assert (error.value.wanted, error.value.last) == (5, 3)

    async def test_a_journal_made_anew_during_an_outage_ends_its_reader(self, harness: Harness) -> None:
        log = EventLog()
        bus, writer = await harness.bus(log), await harness.bus()
        await write(writer, harness.audit, 1, 5)
        reader = await bus.consume(harness.audit_stream, 1, lambda _message: None)
        await reader.wait_caught_up()
        await harness.remake(harness.audit_stream)
        await harness.start_outage()
        await harness.end_outage()
        failed = await log.first(ReaderFailed)
        assert isinstance(failed.error, JournalRewound)
        assert (failed.error.wanted, failed.error.last) == (6, 0)
        assert reader.failure is failed.error

    async def test_a_stopped_reader_gets_nothing_more(self, harness: Harness) -> None:
        bus = await harness.bus()
        got, control = Collector(), Collector()
        reader = await bus.consume(harness.audit_stream, 1, got)
        await bus.consume(harness.audit_stream, 1, control)
        await write(bus, harness.audit, 1, 2)
        await eventually(lambda: got.sequences == [1, 2])
        await reader.stop()
        await reader.stop()
        await write(bus, harness.audit, 3, 1)
        await eventually(lambda: control.sequences == [1, 2, 3])
        assert got.sequences == [1, 2]
        assert reader.failure is None

    async def test_a_reader_can_be_stopped_by_its_own_handler(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 20)
        got: list[int] = []
        readers: list[JournalReader] = []
        started = asyncio.Event()

        async def handle(message: JournalMessage) -> None:
            await started.wait()
            got.append(message.sequence)
            if message.sequence == 5:
                await readers[0].stop()

        readers.append(await bus.consume(harness.audit_stream, 1, handle))
        started.set()
        with pytest.raises(BusClosed):
            await readers[0].wait_caught_up()
        control = Collector()
        await (await bus.consume(harness.audit_stream, 1, control)).wait_caught_up()
        assert got == [1, 2, 3, 4, 5]

    async def test_stopping_awaits_the_handler_that_runs(self, harness: Harness) -> None:
        bus = await harness.bus()
        await write(bus, harness.audit, 1, 2)
        began, release = asyncio.Event(), asyncio.Event()
        ended: list[int] = []

        async def handle(message: JournalMessage) -> None:
            began.set()
            await release.wait()
            ended.append(message.sequence)

        reader = await bus.consume(harness.audit_stream, 1, handle)
        await began.wait()
        stopping = asyncio.create_task(reader.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        release.set()
        await stopping
        assert ended == [1]
