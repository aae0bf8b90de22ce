"""Commands are applied once; what cannot be read or must not be carried out is told and kept, and the next one read."""

from collections.abc import AsyncIterator

import pytest

from services.engine.command_inlet import CommandInlet
from tests.support.builders import BTC, command_of, market_request, usual_index
from tests.support.engine_service import send_command
from tests.support.market_bus import KeptLog
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import ByInstruments, CancelOrders, Command, CommandRejected, SendOpenRequests
from tradebus.core.engine.event import Shutdown, TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.commands import AppliedCommand, CommandLog
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import InstrumentIndex
from tradebus.wire import subjects
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.integrity import CRC_HEADER, checked_headers

NOW_NS = 1_000


class Loop:
    def __init__(self, applied: CommandLog) -> None:
        self.applied = applied
        self.events: list[EngineEvent] = []
        self.refuses = False
        self.is_ended = False

    def step(self, event: EngineEvent, event_bytes: bytes | None = None) -> object | None:
        if self.refuses and not isinstance(event, CommandRejected):
            raise InvalidEvent("does not fit")
        if self.is_ended:
            return None
        self.events.append(event)
        if isinstance(event, Command | CommandRejected):
            self.applied.note(event.id, event.position, NOW_NS)
        elif isinstance(event, TradingStateUpdate | Shutdown):
            self.applied.note(event.command_id, event.position, NOW_NS)
        return event


class Commanded:
    def __init__(self, bus: MemoryBus, log: KeptLog, applied: CommandLog | None = None) -> None:
        self.bus = bus
        self.applied = CommandLog(0, []) if applied is None else applied
        self.loop = Loop(self.applied)
        self.log = log
        self.rejected: list[tuple[str, bytes, str]] = []
        self.inlet = CommandInlet(
            bus,
            "demo",
            usual_index(),
            self.applied,
            self.loop,
            lambda *letter: self.rejected.append(letter),
            log.bound,
            lambda: NOW_NS,
            is_resumed=applied is not None,
        )

    async def send_raw(self, payload: bytes, headers: dict[str, str] | None = None) -> None:
        await self.bus.append(
            subjects.cmd("demo"), payload, headers=checked_headers(payload) if headers is None else headers
        )

    async def refused(self, count: int = 1) -> list[str]:
        """Wait for refusals and return their reasons, as they were logged."""
        await eventually(lambda: self.inlet.refused >= count)
        assert len(self.rejected) == count
        reasons = [str(fields["reason"]) for fields in self.log.of("command refused")]
        assert reasons == [reason for _, _, reason in self.rejected]
        return reasons

    async def goes_on(self) -> None:
        """Check that the next command is applied."""
        before = self.inlet.commands
        await send_command(self.bus, "demo", TradingStateUpdate(TradingState.ENABLED, "operator"))
        await eventually(lambda: self.inlet.commands == before + 1)


@pytest.fixture
async def commanded(bus: MemoryBus, log: KeptLog) -> AsyncIterator[Commanded]:
    commanded = Commanded(bus, log)
    await commanded.inlet.note_end()
    await commanded.inlet.start()
    yield commanded
    await commanded.inlet.stop()


async def test_every_kind_of_command_is_applied_in_order(commanded: Commanded) -> None:
    sent: list[Command | TradingStateUpdate | Shutdown] = [
        command_of(SendOpenRequests((market_request(),)), "a"),
        command_of(CancelOrders(ByInstruments((BTC,))), "b"),
        TradingStateUpdate(TradingState.DISABLED, "operator"),
        Shutdown(),
    ]
    for event in sent:
        name = "stop" if isinstance(event, Shutdown) else "given"
        await send_command(commanded.bus, "demo", event, command_id=name)
    await eventually(lambda: commanded.inlet.commands == 4)
    assert commanded.loop.events == [
        Command("a", "operator", SendOpenRequests((market_request(),)), 1),
        Command("b", "operator", CancelOrders(ByInstruments((BTC,))), 2),
        TradingStateUpdate(TradingState.DISABLED, "operator", "given", 3),
        Shutdown("stop", 4, "operator"),
    ]
    assert [fields["command"] for fields in commanded.log.of("command applied")] == [
        "Command",
        "Command",
        "TradingStateUpdate",
        "Shutdown",
    ]


async def test_commands_from_before_the_engine_began_are_for_another_run(bus: MemoryBus, log: KeptLog) -> None:
    await send_command(bus, "demo", Shutdown())
    commanded = Commanded(bus, log)
    await commanded.inlet.note_end()
    update = TradingStateUpdate(TradingState.ENABLED, "operator")
    # Between looking and reading: for this run.
    await send_command(bus, "demo", update)
    await commanded.inlet.start()
    await eventually(lambda: commanded.inlet.commands == 1)
    assert [type(event) for event in commanded.loop.events] == [TradingStateUpdate]
    await commanded.inlet.stop()


async def test_an_engine_that_goes_on_reads_what_came_meanwhile_and_nothing_twice(bus: MemoryBus, log: KeptLog) -> None:
    for command_id in ("a", "b", "a", "c"):
        await send_command(bus, "demo", Shutdown(), command_id=command_id)
    commanded = Commanded(bus, log, CommandLog(2, [AppliedCommand("a", 1), AppliedCommand("b", 1)]))
    await commanded.inlet.note_end()
    await commanded.inlet.start()
    await eventually(lambda: commanded.inlet.commands == 1)
    assert commanded.loop.events == [Shutdown("c", 4, "operator")]
    assert len(log.of("command repeated, ignored")) == 1
    await commanded.inlet.stop()


async def test_a_repeated_command_is_applied_once(commanded: Commanded) -> None:
    for _ in range(3):
        await send_command(commanded.bus, "demo", command_of(SendOpenRequests((market_request(),)), "same"))
    await commanded.goes_on()
    assert len(commanded.loop.events) == 2
    assert len(commanded.log.of("command repeated, ignored")) == 2
    assert commanded.rejected == []


async def test_an_expired_command_is_not_carried_out(commanded: Commanded) -> None:
    await send_command(commanded.bus, "demo", Shutdown(), command_id="late", expiry_ns=NOW_NS - 1)
    reason = "command late expired before it was read"
    assert await commanded.refused() == [reason]
    assert commanded.loop.events == [CommandRejected("late", "operator", reason, 1)]
    await send_command(commanded.bus, "demo", Shutdown(), command_id="just", expiry_ns=NOW_NS)
    await eventually(lambda: commanded.inlet.commands == 1)
    await commanded.goes_on()


async def test_a_command_with_a_wrong_checksum_is_not_carried_out(commanded: Commanded) -> None:
    good = command_message_to_bytes(CommandMessage("c", "operator", 1, 0, Shutdown()))
    await commanded.send_raw(good, {CRC_HEADER: "00000000"})
    await commanded.send_raw(good, {})
    reasons = await commanded.refused(2)
    assert "the header says 00000000" in reasons[0]
    assert reasons[1] == f"expected the header {CRC_HEADER}, found none"
    assert commanded.rejected[0][:2] == ("cmd.demo", good)
    await commanded.goes_on()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff\x00garbage", ""),
        (b"", "expected"),
        (command_message_to_bytes(CommandMessage("c", "operator", 1, 0, Shutdown()))[:-2], ""),
        (
            command_message_to_bytes(
                CommandMessage(
                    "c",
                    "operator",
                    1,
                    0,
                    Command("c", "operator", CancelOrders(ByInstruments((InstrumentIndex(99),)))),
                )
            ),
            "expected an instrument below 3, found 99",
        ),
        (
            command_message_to_bytes(
                CommandMessage(
                    "c",
                    "operator",
                    1,
                    0,
                    Command("c", "operator", SendOpenRequests((market_request(instrument=99),))),
                )
            ),
            "expected an instrument below 3, found 99",
        ),
    ],
    ids=["garbage", "empty", "truncated", "filter out of range", "order out of range"],
)
async def test_a_malformed_command_is_kept_and_the_engine_goes_on(
    commanded: Commanded, payload: bytes, reason: str
) -> None:
    await commanded.send_raw(payload)
    assert reason in (await commanded.refused())[0]
    assert commanded.rejected[0][:2] == ("cmd.demo", payload)
    await commanded.goes_on()


async def test_a_command_that_the_engine_refuses_is_kept_and_rejected_for_good(commanded: Commanded) -> None:
    commanded.loop.refuses = True
    await send_command(commanded.bus, "demo", Shutdown(), command_id="again")
    assert await commanded.refused() == ["does not fit"]
    commanded.loop.refuses = False
    # Its sender has been told that it is not carried out, so it never is.
    await send_command(commanded.bus, "demo", Shutdown(), command_id="again")
    await commanded.goes_on()
    rejected = CommandRejected("again", "operator", "does not fit", 1)
    assert commanded.loop.events[:-1] == [rejected]


async def test_a_command_after_the_end_is_left_for_the_next_run(commanded: Commanded) -> None:
    commanded.loop.is_ended = True
    await send_command(commanded.bus, "demo", Shutdown(), command_id="late")
    await eventually(lambda: len(commanded.log.of("command left for the next run")) == 1)
    assert (commanded.inlet.commands, commanded.rejected) == (0, [])
