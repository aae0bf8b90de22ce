"""The supervisor starts, watches, restarts and stops a system of (fake) services over a real NATS server."""

import asyncio
import os
import signal
import socket
import tomllib
from pathlib import Path

import pytest

from services.runtime.nats import options_of
from services.supervisor import AlreadyRunning, NotReady, SupervisorError
from tests.integration.supervisor.conftest import Bench, is_gone, until
from tests.support.audit_run import EngineRun, append_all
from tradebus.bus.nats_bus import NatsBus
from tradebus.config import Address, ApiSettings
from tradebus.wire import subjects
from tradebus.wire.codec.heartbeat import Heartbeat, heartbeat_from_bytes


async def test_a_system_comes_up_answers_and_goes_down_in_order(bench: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    supervisor = bench.make("market", "engine", "execution", "audit", trace=str(trace))
    async with supervisor:
        names = ("market", "engine", "execution", "audit", "nats")
        pids = {name: supervisor.pid(name) for name in names}
        assert all(pids.values())
        status = await supervisor.status("engine")
        assert status is not None
        assert (status["service"], status["mode"], status["state"]) == ("engine", "demo", "ready")
        effective = tomllib.loads((bench.folder / "run/tradebus.toml").read_text())
        assert effective["nats"]["url"] == supervisor.nats_url
        assert effective["runtime"]["data_dir"] == str(bench.folder)
        assert supervisor.http_url("audit") == f"http://{effective['runtime']['http']['audit']}"
        assert '"event": "starting"' in supervisor.log_file("market").read_text()
    summary = await supervisor.stop()
    assert trace.read_text().split() == ["market", "engine", "execution", "audit"]
    assert (summary.events, summary.orders, summary.fills, summary.sequence) == (1234, 56, 7, 1290)
    assert summary.clean
    assert summary.restarts == 0
    assert summary.words.startswith("1,234 events, 56 orders, 7 fills, sequence 1,290 in ")
    assert all(pid is not None and is_gone(pid) for pid in pids.values())
    assert [line for line in bench.told.lines if line.endswith("stopped")] == [
        "market stopped",
        "engine stopped",
        "execution stopped",
        "audit stopped",
        "nats stopped",
    ]


async def test_a_service_that_crashes_is_started_again_and_that_is_said(bench: Bench, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    supervisor = bench.make("market", "audit", market=f"crash until {mended}")
    await supervisor.start()
    await supervisor.wait_ready(names=["audit"])
    await until(lambda: bench.told.told("! market crashed exit status 1, again in"))
    assert any("could not start" in line for line in bench.told.lines)
    mended.touch()
    await supervisor.wait_ready()
    assert (await supervisor.stop()).restarts >= 1


async def test_a_service_killed_from_outside_comes_back(bench: Bench) -> None:
    async with bench.make("market") as supervisor:
        before = supervisor.pid("market")
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await until(lambda: bench.told.told("! market crashed killed by SIGKILL"))
        await until(lambda: supervisor.pid("market") not in {None, before})
        await supervisor.wait_ready()


async def test_a_failed_task_ends_the_service_with_a_reason(bench: Bench) -> None:
    supervisor = bench.make("market", market="task fails")
    await supervisor.start()
    await until(lambda: bench.told.told("! market crashed exit status 1"))
    assert any("the work of this fake fails" in line for line in bench.told.lines)


async def test_a_crash_loop_is_given_up_with_the_log_named(bench: Bench, tmp_path: Path) -> None:
    supervisor = bench.make("market", "audit", market=f"crash until {tmp_path / 'never'}")
    await supervisor.start()
    with pytest.raises(SupervisorError, match="market crashed more than 2 times within 60 s") as caught:
        await supervisor.wait_ready()
    assert (
        "Its last error: failed, stopping | reason=could not start: RuntimeError('this fake cannot start yet')"
        in str(caught.value)
    )
    assert any("this fake cannot start yet" in line for line in bench.told.lines if line.startswith("! market failed"))
    assert str(supervisor.log_file("market")) in str(caught.value)
    with pytest.raises(SupervisorError, match="market crashed"):
        await supervisor.wait()


async def test_a_refused_configuration_is_not_tried_again(bench: Bench) -> None:
    supervisor = bench.make("market")
    supervisor._environment["TRADEBUS__ENGINE__ID"] = "NOT AN ID"
    await supervisor.start()
    with pytest.raises(SupervisorError, match="market refused its configuration"):
        await supervisor.wait_ready()
    assert any("TRADEBUS__ENGINE__ID: engine.id: expected" in line for line in bench.told.lines)
    assert not bench.told.told("! market crashed")


async def test_who_is_not_ready_in_time_is_named_with_the_reason(bench: Bench) -> None:
    supervisor = bench.make("market", market="never ready")
    await supervisor.start()
    await until(lambda: "state" in supervisor.log_file("market").read_text())
    with pytest.raises(NotReady, match=r"market .*the fake feed is away"):
        await supervisor.wait_ready(timeout_s=3.0)


async def test_a_killed_service_stays_down_until_restarted(bench: Bench) -> None:
    async with bench.make("market", "audit") as supervisor:
        before = supervisor.pid("market")
        await supervisor.kill("market")
        assert supervisor.pid("market") is None
        assert await supervisor.status("market") is None
        assert (await supervisor.status("audit")) is not None
        await supervisor.restart("market")
        await supervisor.wait_ready()
        assert supervisor.pid("market") not in {None, before}
        assert not bench.told.told("! market crashed")


async def test_an_ordered_restart_stops_first(bench: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    async with bench.make("market", trace=str(trace)) as supervisor:
        await supervisor.restart("market")
        await supervisor.wait_ready()
        assert trace.read_text().split() == ["market"]


async def test_health_tells_the_truth_while_nats_is_away(bench: Bench) -> None:
    async with bench.make("market") as supervisor:
        await supervisor.kill("nats")
        await until(lambda: bench.told.told("! market degraded connection"))
        status = await supervisor.status("market")
        assert status is not None
        assert supervisor.nats_url in status["reasons"]["bus"]
        await supervisor.restart("nats")
        await until(lambda: bench.told.told("market ready"))
        await supervisor.wait_ready()


async def test_a_crashed_nats_is_started_again_where_it_was(bench: Bench) -> None:
    async with bench.make("market") as supervisor:
        url, before = supervisor.nats_url, supervisor.pid("nats")
        assert before is not None
        os.kill(before, signal.SIGKILL)
        await until(lambda: supervisor.pid("nats") not in {None, before})
        assert supervisor.nats_url == url
        await until(lambda: bench.told.told(f"nats up {url}"))
        await supervisor.wait_ready()


async def test_a_service_that_does_not_stop_is_killed_and_that_is_said(bench: Bench) -> None:
    supervisor = bench.make("market", settings=bench.settings(runtime__stop_timeout_ms="100"), market="deaf")
    await supervisor.start()
    await until(lambda: "deaf" in supervisor.log_file("market").read_text())
    pid = supervisor.pid("market")
    summary = await supervisor.stop()
    assert not summary.clean
    assert "not everything stopped in order" in summary.words
    assert bench.told.told("! market killed had not stopped within")
    assert pid is not None
    assert is_gone(pid)


async def test_a_port_in_use_is_said_before_anything_starts(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        supervisor = bench.make("market")
        supervisor.settings = supervisor.settings.model_copy(update={"api": ApiSettings(listen=address)})
        with pytest.raises(SupervisorError, match=f"port {address.port} is already in use; it is for the REST API"):
            await supervisor.start()
        assert not (bench.folder / "nats").exists()
        assert not (bench.folder / "logs").exists()
    again = bench.make("market")
    async with again:
        assert again.pid("market") is not None


async def test_a_second_system_in_the_same_folder_is_refused(bench: Bench) -> None:
    async with bench.make("market") as first:
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}, mode demo, {first.api_url}"):
            await bench.make("market").start()
        assert first.pid("market") is not None


async def test_a_stop_while_starting_leaves_nothing_behind(bench: Bench) -> None:
    supervisor = bench.make("market", market="never starts")
    await supervisor.start()
    waiting = asyncio.create_task(supervisor.wait_ready())
    await until(lambda: '"starting"' in supervisor.log_file("market").read_text())
    waiting.cancel()
    pids = [supervisor.pid("market"), supervisor.pid("nats")]
    assert (await supervisor.stop()).clean
    assert all(pid is not None and is_gone(pid) for pid in pids)


async def test_streams_are_kept_unless_a_fresh_start_is_asked_for(bench: Bench) -> None:
    run = EngineRun(events=20)
    async with bench.make("market") as supervisor:
        bus = await NatsBus.connect(options_of(supervisor.settings, "engine"))
        await append_all(bus, supervisor.settings.journal_id, run.batches())
        await bus.close()
    kept = bench.folder / "engine/snapshot"
    kept.parent.mkdir()
    kept.write_text("of the journal")
    async with bench.make("market"):
        pass
    said = f"goes on behind sequence {run.ticks[-1].sequence} of run {run.engine.started.run}"
    assert sum(said in line for line in bench.told.lines) == 1
    assert kept.exists()
    async with bench.make("market", fresh=True):
        assert not kept.exists()
    assert sum("begins afresh: journals of earlier runs are removed" in line for line in bench.told.lines) == 1
    assert sum(line.startswith("tradebus removed") for line in bench.told.lines) == 2
    async with bench.make("market"):
        pass
    assert sum("empty streams" in line for line in bench.told.lines) == 2


async def test_services_say_on_the_bus_that_they_live(bench: Bench) -> None:
    beats: list[Heartbeat] = []
    async with bench.make("market", "audit") as supervisor:
        bus = await NatsBus.connect(options_of(supervisor.settings, "audit"))
        try:
            await bus.subscribe(subjects.hb_all(), lambda message: beats.append(heartbeat_from_bytes(message.payload)))
            await until(lambda: {beat.service for beat in beats} == {"market", "audit"})
        finally:
            await bus.close()
    assert {(beat.mode, beat.state) for beat in beats} == {("demo", "ready")}
    assert all(beat.instance and beat.time_ns > 0 for beat in beats)
