"""What is dropped from a stream is what every reader is past, and nothing else; a stream that fills up is told."""

import pytest
from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger, get_logger

from services.audit.pruner import ALARM_SHARE, Pruner, PrunerConfig
from services.runtime.health import Health
from services.runtime.lifecycle import Lifecycle
from tests.support.archives import journal
from tests.support.audit_settings import audit_settings
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import JournalMessage
from tradebus.bus.purging import StreamPurger
from tradebus.bus.topology import Sizes, topology
from tradebus.journal.positions import JournalMark, fingerprint_of, publish_positions
from tradebus.journal.pruning import PrunedStream
from tradebus.wire import subjects

STREAM = "AUDIT_demo"
ENGINE = subjects.engine_reader("demo")
ARCHIVE = subjects.archive_reader("demo")
OWNER = subjects.owner_reader("sim_alpha-paper")
READERS = (ENGINE, ARCHIVE, OWNER)
BYTES_MAX = 40_000


class BrokerPurger(StreamPurger):
    """Purges the streams of a memory broker."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self.steps: list[int] = []

    async def purge(self, stream: str, first_kept: int) -> int:
        before = self._broker.stream(stream).first_sequence
        self._broker.prune(stream, first_kept)
        self.steps.append(first_kept)
        return self._broker.stream(stream).first_sequence - before

    async def close(self) -> None:
        return


class World:
    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.broker.provision(topology(("demo",), (), Sizes(audit=BYTES_MAX)))
        self.bus = MemoryBus(self.broker)
        self.messages: list[JournalMessage] = []
        self.purger = BrokerPurger(self.broker)
        self.health = Health(Lifecycle(), lambda _report: None)
        self.log: BoundLogger = get_logger("test")
        self.registry = CollectorRegistry()

    async def append(self, count: int) -> None:
        last = self.messages[-1] if self.messages else None
        chain = fingerprint_of(last) if last else "0" * 32
        position = len(self.messages) + 1
        for message in journal([1] * count, position=position, sequence=position - 1, chain=chain):
            await self.bus.append("audit.demo", message.payload, headers=message.headers)
            self.messages.append(message)

    async def say(self, reader: str, position: int, fingerprint: str | None = None) -> None:
        name = fingerprint or (fingerprint_of(self.messages[position - 1]) if position else "")
        await publish_positions(self.bus, reader, "test", (JournalMark(STREAM, position, name, position),))

    async def say_all(self, position: int) -> None:
        for reader in READERS:
            await self.say(reader, position)

    async def look(self, *, prunes: bool = True, retention_s: float = 0.0) -> None:
        async def connect() -> StreamPurger:
            return self.purger

        stream = PrunedStream(STREAM, READERS)
        config = PrunerConfig((stream,), prunes, retention_s)
        self.registry = CollectorRegistry()
        self.pruner = Pruner(self.bus, connect, config, self.registry, self.health, self.log)
        await self.pruner.look(stream)

    @property
    def first(self) -> int:
        return self.broker.stream(STREAM).first_sequence

    @property
    def held_by(self) -> object:
        shown = self.pruner.status()[STREAM]
        assert isinstance(shown, dict)
        return shown["held_by"]


@pytest.fixture
async def world() -> World:
    made = World()
    await made.append(40)
    return made


async def test_everything_before_the_slowest_reader_goes(world: World) -> None:
    await world.say(ENGINE, 30)
    await world.say(ARCHIVE, 39)
    await world.say(OWNER, 12)
    await world.look()
    assert world.first == 12
    assert world.held_by == OWNER


@pytest.mark.parametrize("silent", READERS)
async def test_a_reader_that_said_nothing_keeps_everything(world: World, silent: str) -> None:
    for reader in READERS:
        if reader != silent:
            await world.say(reader, 30)
    await world.look()
    assert world.first == 1
    assert world.held_by == f"{silent} has not said how far it is"


async def test_a_reader_that_says_nothing_of_this_stream_keeps_everything(world: World) -> None:
    await world.say_all(30)
    await publish_positions(world.bus, ENGINE, "test", (JournalMark("CMD_demo", 3, "aa"),))
    await world.look()
    assert world.first == 1


async def test_an_unreadable_record_keeps_everything(world: World) -> None:
    await world.say_all(30)
    await world.bus.bucket(subjects.POSITIONS).put(ARCHIVE, b"\xff")
    await world.look()
    assert world.first == 1
    assert "positions/archive.demo" in str(world.held_by)


async def test_the_last_message_always_stays(world: World) -> None:
    await world.say_all(40)
    await world.look()
    assert world.first == 40
    await world.look()
    assert world.first == 40


async def test_a_mark_of_another_stream_keeps_everything(world: World) -> None:
    await world.say_all(30)
    await world.say(ARCHIVE, 30, "ab" * 16)
    await world.look()
    assert world.first == 1
    assert world.held_by == f"{ARCHIVE} is at another message 30 than the stream holds"


async def test_a_mark_behind_the_end_keeps_everything(world: World) -> None:
    await world.say_all(30)
    await world.say(ENGINE, 41, "ab" * 16)
    await world.look()
    assert world.first == 1
    assert "the stream ends with 40" in str(world.held_by)


async def test_what_is_young_stays_unless_the_stream_fills_up(world: World) -> None:
    await world.say_all(35)
    await world.look(retention_s=3_600)
    assert world.first == 1
    assert world.held_by == "what is younger than 3600 s"
    while world.broker.stream(STREAM).state().bytes_used < 0.65 * BYTES_MAX:
        await world.append(5)
    await world.look(retention_s=3_600)
    assert world.first == 35


async def test_nothing_goes_where_pruning_is_off(world: World) -> None:
    await world.say_all(35)
    await world.look(prunes=False)
    assert world.first == 1


async def test_a_stream_that_fills_up_is_told_until_there_is_room_again(world: World) -> None:
    while world.broker.stream(STREAM).state().bytes_used < ALARM_SHARE * BYTES_MAX:
        await world.append(5)
    await world.look()
    reason = world.health.report().reasons[f"stream {STREAM}"]
    assert reason.startswith(f"the stream {STREAM} is 7")
    assert reason.endswith(f"held by: {ENGINE} has not said how far it is")
    used = world.registry.get_sample_value("tradebus_stream_used_ratio", {"stream": STREAM})
    assert used is not None
    assert used >= ALARM_SHARE
    await world.say_all(len(world.messages))
    await world.look()
    assert world.health.report().reasons == {}
    pruned = world.registry.get_sample_value("tradebus_stream_pruned_messages_total", {"stream": STREAM})
    assert pruned == len(world.messages) - 1


def test_the_readers_of_each_stream_are_those_of_the_configuration() -> None:
    config = PrunerConfig.of(audit_settings(audit={"prune": True}))
    assert config.prunes
    assert config.retention_s == 3_600
    assert {each.stream: each.readers for each in config.streams} == {
        STREAM: (ENGINE, ARCHIVE, OWNER),
        "CMD_demo": (ENGINE,),
        "ACCT_sim_alpha-paper": (ENGINE, OWNER),
    }
