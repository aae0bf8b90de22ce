"""The service as a process on a real NATS server: restarts, outages, damage, and what it says when it ends."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.audit_process import TAMPERED, AuditProcess
from tests.support.audit_run import EngineRun, append_all
from tests.support.nats_server import NatsServer, ServerFactory
from tests.support.system import until
from tradebus.bus.nats_bus import NatsBus
from tradebus.journal.sealed import SealedBatch
from tradebus.wire import subjects


def hash_of(run: EngineRun) -> dict[str, Any]:
    own = run.engine.hash()
    return {"version": own.version, "core": own.core, "user": own.user}


async def test_audit_killed_in_the_middle_is_exact_again_after_its_restart(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun, tmp_path: Path
) -> None:
    batches = run.batches()
    engine_id = "demo" + unique("e").replace("-", "")
    await nats_server.provision((engine_id,))
    engine = await NatsBus.connect(nats_server.options("engine"))
    async with AuditProcess(engine_id, nats_server.url, tmp_path) as audit:
        await audit.wait_ready()
        await append_all(engine, engine_id, batches[:40])
        await audit.wait_sequence(batches[39].last)
        await audit.kill()
        await append_all(engine, engine_id, batches[40:80], after=40)
        await audit.start()
        await append_all(engine, engine_id, batches[80:], after=80)
        await audit.wait_sequence(batches[-1].last)
        ready = await audit.wait_ready()
        assert ready["replica"] == {
            "sequence": batches[-1].last,
            "is_started": True,
            "is_exact": True,
            "lag_events": 0,
            "lag_ms": 0,
            "time_stored": ready["replica"]["time_stored"],
        }
        status = await audit.status()
        assert status["hash"] == hash_of(run)
        assert status["verification"]["unequal"] == 0 < status["verification"]["equal"]
        assert status["events"] == run.market_events
        _, body = await audit.get("/v1/audit?from=0&limit=1000")
        assert [tick["sequence"] for tick in body["data"]] == list(range(1000))
        assert await audit.stop() == 0
        assert audit.logged("replica stopped")[-1]["is_exact"] is True
    await engine.close()


async def test_one_changed_decimal_is_seen(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun, tmp_path: Path
) -> None:
    batches = run.batches()
    engine_id = "demo" + unique("e").replace("-", "")
    await nats_server.provision((engine_id,))
    engine = await NatsBus.connect(nats_server.options("engine"))
    async with AuditProcess(engine_id, nats_server.url, tmp_path, TAMPERED) as audit:
        await audit.wait_ready()
        await append_all(engine, engine_id, batches)
        await audit.wait_sequence(batches[-1].last)
        ready = await audit.wait_ready(503)
        assert "is not the engine's at sequence" in ready["reasons"]["replica hash"]
        _, body = await audit.get("/v1/state")
        assert body["verification"]["equal"] is False
        assert body["verification"]["core"] == "unequal"
        assert body["verification"]["user"] == "equal"
        status = await audit.status()
        assert status["hash"]["core"] != hash_of(run)["core"]
        assert status["hash"]["user"] == hash_of(run)["user"]
        assert status["verification"]["equal"] == 1
        (line,) = audit.logged("the replica is not equal to the engine")
        assert line["level"] == "error"
    await engine.close()


async def test_nats_killed_under_load_is_told_and_survived(
    new_nats_server: ServerFactory, run: EngineRun, tmp_path: Path
) -> None:
    batches = run.batches()
    server = new_nats_server()
    await server.provision(("demo",))
    engine = await NatsBus.connect(server.options("engine"))
    async with AuditProcess("demo", server.url, tmp_path) as audit:
        await audit.wait_ready()
        last = await append_all(engine, "demo", batches[:60])
        await audit.wait_sequence(batches[59].last)
        server.kill()
        down = await audit.wait_ready(503)
        assert "to NATS at" in down["reasons"]["bus"]
        code, body = await audit.get("/v1/state")
        assert (code, body["sequence"]) == (200, batches[59].last)
        server.start()
        await until(lambda: _is_connected(engine), "the engine's connection")
        await append_all(engine, "demo", batches[60:], after=last)
        await audit.wait_sequence(batches[-1].last)
        await audit.wait_ready()
        assert (await audit.status())["hash"] == hash_of(run)
    await engine.close()


async def test_byte_flipped_on_the_stream_is_found(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun, tmp_path: Path
) -> None:
    batches = run.batches()
    engine_id = "demo" + unique("e").replace("-", "")
    await nats_server.provision((engine_id,))
    engine = await NatsBus.connect(nats_server.options("engine"))
    async with AuditProcess(engine_id, nats_server.url, tmp_path) as audit:
        await append_all(engine, engine_id, [*batches[:30], flipped(batches[30]), *batches[31:40]])
        ready = await audit.wait_ready(503)
        while "replica" not in ready["reasons"]:
            ready = await audit.wait_ready(503)
        assert ready["reasons"]["replica"].startswith(f"stopped at sequence {batches[29].last}: Tb-Crc32c")
        _, body = await audit.get("/v1/state")
        assert body["sequence"] == batches[29].last
        assert body["verification"]["equal"] is False
        letter = await until(lambda: engine.last_message(subjects.DLQ_STREAM), "the dead letter")
        assert letter.subject == "dlq.audit"
        (line,) = audit.logged("the journal cannot be followed any further")
        assert line["kind"] == "checksum"
        assert await audit.stop() == 0
    await engine.close()


async def test_service_waits_for_nats_and_starts_when_it_comes(
    new_nats_server: ServerFactory, run: EngineRun, tmp_path: Path
) -> None:
    server = new_nats_server()
    await server.provision(("demo",))
    engine = await NatsBus.connect(server.options("engine"))
    await append_all(engine, "demo", run.batches()[:5])
    await engine.close()
    server.kill()
    async with AuditProcess("demo", server.url, tmp_path) as audit:
        await until(lambda: _logged(audit, "NATS not reachable, retrying"), "the log line")
        server.start()
        await audit.wait_sequence(run.batches()[4].last)
        await audit.wait_ready()


async def test_taken_port_ends_the_process_with_1_and_a_clear_line(
    nats_server: NatsServer, unique: Callable[[str], str], tmp_path: Path
) -> None:
    audit = AuditProcess("demo", nats_server.url, tmp_path)
    port = int(audit.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        await audit.start()
        assert await audit.ended() == 1
    (line,) = audit.logged("failed, stopping")
    assert f"port {port} is already in use; it is for the REST API and the web page" in line["reason"]
    assert "api.listen" in line["reason"]
    assert "Traceback" not in audit.logged_text()


async def test_wrong_configuration_ends_the_process_with_3_and_every_problem(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    audit = AuditProcess("demo", nats_server.url, tmp_path)
    config = tmp_path / "audit.toml"
    text = config.read_text().replace("reading_without_key = true", 'reading_without_key = "perhaps"\nlistn = "x"')
    config.write_text(text)
    await audit.start()
    assert await audit.ended() == 3
    logged = audit.logged_text()
    assert "2 problems, nothing started" in logged
    assert "api.listn" in logged
    assert "api.reading_without_key" in logged


async def test_stop_while_requests_are_under_way_is_ordered(
    nats_server: NatsServer, unique: Callable[[str], str], run: EngineRun, tmp_path: Path
) -> None:
    engine_id = "demo" + unique("e").replace("-", "")
    await nats_server.provision((engine_id,))
    engine = await NatsBus.connect(nats_server.options("engine"))
    await append_all(engine, engine_id, run.batches())
    async with AuditProcess(engine_id, nats_server.url, tmp_path) as audit:
        await audit.wait_sequence(run.batches()[-1].last)
        asked = [asyncio.create_task(audit.get("/v1/audit?limit=1000")) for _ in range(4)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert await audit.stop() == 0
        answers = await asyncio.gather(*asked)
        assert {code for code, _ in answers} <= {0, 200}
    await engine.close()


async def _is_connected(bus: NatsBus) -> bool:
    return bus.is_connected


async def _logged(audit: AuditProcess, event: str) -> bool:
    return bool(audit.log_path.exists() and audit.logged(event))


def flipped(batch: SealedBatch) -> SealedBatch:
    """Return a batch with one bit of its payload turned, its headers as they were."""
    payload = bytearray(batch.payload)
    payload[len(payload) // 2] ^= 0x04
    return SealedBatch(bytes(payload), batch.headers, batch.chain, batch.first, batch.last)
