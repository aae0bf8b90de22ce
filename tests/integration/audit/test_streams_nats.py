"""A stream of the service as a process on a real NATS server: killed, started again, and gone on with."""

from collections.abc import Callable
from pathlib import Path

import aiohttp

from services.audit.api.stream.event import Message, Topic
from services.audit.api.stream.selection import Selection
from tests.support.audit_process import AuditProcess
from tests.support.audit_run import EngineRun, append_all, messages_of
from tests.support.nats_server import NatsServer
from tests.support.stream_reader import HandFedHub
from tests.support.stream_server import open_stream
from tradebus.bus.nats_bus import NatsBus

STEPS = frozenset(Topic) - {Topic.MARKET}
QUERY = "/v1/stream?topics=" + ",".join(sorted(STEPS))


def all_events(run: EngineRun, begun: int) -> list[Message]:
    """Return what a reader is told that began behind a batch and was never cut, with ids as on the wire."""
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:begun])
    reader = fed.open(Selection(STEPS))
    fed.feed(messages[begun:])
    return [each._replace(id=f"{each.id}{fed.hub.id_suffix}") for each in fed.drain(reader)[1:]]


async def test_stream_goes_on_over_the_death_of_the_service(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun, tmp_path: Path
) -> None:
    """What came while nobody served is in the archive and the journal, so it is told afterwards."""
    batches = run.batches()
    expected = all_events(run, 20)
    engine_id = "demo" + unique("e").replace("-", "")
    await nats_server.provision((engine_id,))
    engine = await NatsBus.connect(nats_server.options("engine"))
    told: list[Message] = []
    async with (
        AuditProcess(engine_id, nats_server.url, tmp_path, audit={"archive": True}) as audit,
        aiohttp.ClientSession() as session,
    ):
        await append_all(engine, engine_id, batches[:20])
        await audit.wait_sequence(batches[19].last)
        await audit.wait_ready()
        async with open_stream(session, audit.url + QUERY) as reader:
            (snapshot,) = await reader.until(1)
            assert snapshot.id is not None
            assert snapshot.id.startswith(f"{batches[19].last}@")
            await append_all(engine, engine_id, batches[20:60], after=20)
            told += await reader.until(30)
        await audit.kill()
        await append_all(engine, engine_id, batches[60:], after=60)
        await audit.start()
        await audit.wait_sequence(batches[-1].last)
        await audit.wait_ready()
        async with open_stream(session, audit.url + QUERY, reader.last_id) as reader:
            while len(told) < len(expected):
                told += await reader.some()
        assert told == expected
        _, status = await audit.get("/health/ready")
        assert status["ready"], status
        assert await audit.stop() == 0
    await engine.close()
