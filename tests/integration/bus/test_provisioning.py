"""Streams and buckets are made as wanted, once, and what cannot be as wanted is said."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.bus_clients import Connect
from tests.support.nats_server import TEST_SIZES, NatsServer, ServerFactory
from tradebus.bus.errors import ConnectFailed, Refused
from tradebus.bus.events import EventHub
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.provision import Outcome, ProvisioningConflict, inspect_server, main, provision, stream_configuration
from tradebus.bus.server import ServerSettings
from tradebus.bus.topology import MIB, Sizes, StreamSpec, topology


@pytest.fixture
async def server(new_nats_server: ServerFactory) -> NatsServer:
    return await asyncio.to_thread(new_nats_server)


async def call(server: NatsServer, operation: str, body: object = None) -> dict[str, object]:
    link = NatsLink("test", server.options(), EventHub())
    await link.open(5)
    try:
        return await JetStreamApi(link).call(operation, body)
    finally:
        await link.close(1)


async def test_provisioning_can_be_repeated_and_changes_nothing_then(server: NatsServer, connect: Connect) -> None:
    wanted = topology(["demo"], ["sim_alpha-paper", "sim_beta-paper"], TEST_SIZES)
    first = await provision(server.options(), wanted)
    assert set(first) == {
        "AUDIT_demo",
        "CMD_demo",
        "ACCT_sim_alpha-paper",
        "ACCT_sim_beta-paper",
        "DLQ",
        "KV_leases",
        "KV_snapshots",
        "KV_positions",
        "KV_control",
    }
    assert set(first.values()) == {Outcome.CREATED}
    bus = await connect(server)
    await bus.append("audit.demo", b"tick", expected_last_sequence=0)
    assert set((await provision(server.options(), wanted)).values()) == {Outcome.UNCHANGED}
    assert (await bus.journal_state("AUDIT_demo")).last_sequence == 1


async def test_what_is_added_is_made_beside_what_is_there(server: NatsServer) -> None:
    await provision(server.options(), topology(["demo"], ["a"], TEST_SIZES))
    outcomes = await provision(server.options(), topology(["demo", "replay-20240808a"], ["a"], TEST_SIZES))
    created = {name for name, outcome in outcomes.items() if outcome is Outcome.CREATED}
    assert created == {"AUDIT_replay-20240808a", "CMD_replay-20240808a"}


async def test_a_changed_size_is_brought_up_to_date_and_nothing_is_lost(server: NatsServer, connect: Connect) -> None:
    await provision(server.options(), topology(["demo"], [], TEST_SIZES))
    bus = await connect(server)
    await bus.append("audit.demo", b"tick", expected_last_sequence=0)
    larger = replace(TEST_SIZES, audit=16 * MIB)
    outcomes = await provision(server.options(), topology(["demo"], [], larger))
    assert {name for name, outcome in outcomes.items() if outcome is Outcome.UPDATED} == {"AUDIT_demo"}
    state = await bus.journal_state("AUDIT_demo")
    assert (state.bytes_max, state.last_sequence) == (16 * MIB, 1)


async def test_journals_are_files_that_refuse_and_delete_nothing(server: NatsServer, connect: Connect) -> None:
    await provision(server.options(), topology(["demo"], [], TEST_SIZES))
    info = await call(server, "STREAM.INFO.AUDIT_demo")
    config = info["config"]
    assert isinstance(config, dict)
    assert (config["storage"], config["discard"], config["max_bytes"]) == ("file", "new", TEST_SIZES.audit)
    assert (config["max_age"], config["max_msgs"], config["deny_delete"]) == (0, -1, True)
    assert not config.get("deny_purge")
    bus = await connect(server)
    await bus.append("audit.demo", b"tick", expected_last_sequence=0)
    with pytest.raises(Refused):
        await call(server, "STREAM.MSG.DELETE.AUDIT_demo", {"seq": 1})
    with pytest.raises(Refused):
        await call(server, "STREAM.UPDATE.AUDIT_demo", {**config, "deny_delete": False})


async def test_a_stream_that_cannot_be_changed_is_a_conflict_that_names_the_setting(server: NatsServer) -> None:
    spec = StreamSpec("AUDIT_demo", ("audit.demo",), TEST_SIZES.audit)
    await call(server, "STREAM.CREATE.AUDIT_demo", {**stream_configuration(spec), "storage": "memory"})
    with pytest.raises(ProvisioningConflict) as error:
        await provision(server.options(), topology(["demo"], [], TEST_SIZES))
    assert error.value.stream == "AUDIT_demo"
    assert error.value.differing == (("storage", "file", "memory"),)
    assert "expected 'file', found 'memory'" in str(error.value)


async def test_a_server_with_too_little_room_says_so(server: NatsServer) -> None:
    with pytest.raises(ProvisioningConflict, match=r"AUDIT_demo: cannot be created: .*storage"):
        await provision(server.options(), topology(["demo"], [], Sizes(audit=1024 * 1024 * MIB)))


async def test_how_the_server_syncs_is_learned_from_its_monitoring_address(new_nats_server: ServerFactory) -> None:
    always = await asyncio.to_thread(new_nats_server)
    lazy = await asyncio.to_thread(lambda: new_nats_server(sync_always=False))
    synced, unsynced = await inspect_server(always.monitoring_url), await inspect_server(lazy.monitoring_url)
    assert (synced.sync_always, unsynced.sync_always) == (True, False)
    assert synced.storage_bytes_max == ServerSettings(Path()).storage_bytes_max
    assert synced.version.startswith("2.")
    assert "every write is synced" in synced.describe()
    assert "NOT SYNCED" in unsynced.describe()
    unknown = await inspect_server(None, "2.15.1")
    assert (unknown.version, unknown.sync_always) == ("2.15.1", None)
    assert "cannot be checked" in unknown.describe()


async def test_an_absent_server_fails_with_its_address() -> None:
    with pytest.raises(ConnectFailed, match=r"127\.0\.0\.1:1"):
        await provision(NatsOptions(("nats://127.0.0.1:1",), "provision"), topology(["demo"], []), timeout_s=0.3)


def test_the_command_makes_streams_and_says_what_it_did(
    new_nats_server: ServerFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    server = new_nats_server()
    arguments = ["--url", server.url, "--engine", "demo", "--account", "a", "--monitoring-url", server.monitoring_url]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "every write is synced" in said
    assert "AUDIT_demo: created" in said
    assert main(arguments) == 0
    assert "AUDIT_demo: unchanged" in capsys.readouterr().out
    assert main(["--url", server.url, "--engine", "Demo"]) == 1
    assert "found 'Demo'" in capsys.readouterr().err
