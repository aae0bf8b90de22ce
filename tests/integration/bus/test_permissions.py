"""A user needs no more than what docs/subjects.md lists, and an inbox prefix of its own."""

import asyncio

import pytest

from tests.support.bus_clients import Connect
from tests.support.bus_events import EventLog
from tests.support.nats_server import TEST_SIZES, ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.errors import PermissionDenied
from tradebus.bus.events import PermissionViolation
from tradebus.bus.message import Message, Request
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.provision import provision
from tradebus.bus.topology import topology

PASSWORD = "p"  # noqa: S105 - of a server that lives as long as a test
USERS = """
authorization {
  users: [
    { user: provision, password: p }
    { user: engine, password: p, permissions: {
        publish: [ "audit.e", "exec.>", "hb.engine.>",
          "$JS.API.STREAM.INFO.AUDIT_e", "$JS.API.STREAM.MSG.GET.AUDIT_e",
          "$JS.API.STREAM.INFO.ACCT_a", "$JS.API.STREAM.MSG.GET.ACCT_a",
          "$JS.API.CONSUMER.CREATE.ACCT_a.>", "$JS.FC.ACCT_a.>",
          "$KV.leases.>", "$JS.API.STREAM.INFO.KV_leases", "$JS.API.STREAM.MSG.GET.KV_leases",
          "$JS.API.CONSUMER.CREATE.KV_leases.>", "$JS.FC.KV_leases.>" ]
        subscribe: [ "_INBOX_engine.>", "md.>" ] } }
    { user: execution, password: p, permissions: {
        publish: [ "acct.>", "$JS.API.STREAM.INFO.ACCT_a", "$JS.API.STREAM.MSG.GET.ACCT_a" ]
        subscribe: [ "_INBOX_execution.>", "exec.>" ]
        allow_responses: true } }
  ]
}
"""


async def test_each_service_can_do_its_work_and_no_more(new_nats_server: ServerFactory, connect: Connect) -> None:
    server = await asyncio.to_thread(new_nats_server, USERS)
    await provision(server.options(user="provision", password=PASSWORD), topology(["e"], ["a"], TEST_SIZES))
    log = EventLog()
    engine = await connect(server, "engine", log, user="engine", password=PASSWORD)
    execution = await connect(server, "execution", log, user="execution", password=PASSWORD)

    got: list[Message] = []
    entries: list[bytes] = []
    leases: list[bytes | None] = []
    await engine.subscribe("md.>", got.append)
    assert await engine.append("audit.e", b"tick", expected_last_sequence=0) == 1
    assert await engine.last_message("AUDIT_e") is not None
    assert await execution.append("acct.a", b"entry", expected_last_sequence=0) == 1
    reader = await engine.consume("ACCT_a", 1, lambda message: entries.append(message.payload))
    await reader.wait_caught_up()
    assert entries == [b"entry"]

    def accept(request: Request) -> None:
        assert request.reply(b"accepted")

    await execution.respond("exec.a", accept)
    assert (await engine.request("exec.a", b"order", timeout_s=5)).payload == b"accepted"
    await engine.bucket("leases").watch(lambda entry: leases.append(entry.value))
    await engine.bucket("leases").update("engine", b"me", 0)
    await eventually(lambda: leases == [b"me"])
    assert log.of(PermissionViolation) == []

    with pytest.raises(PermissionDenied):
        await execution.append("audit.e", b"forged", expected_last_sequence=1)
    with pytest.raises(PermissionDenied):
        await execution.journal_state("AUDIT_e")
    with pytest.raises(PermissionDenied):
        await execution.subscribe("_INBOX_engine.>", got.append)
    with pytest.raises(PermissionDenied):
        await engine.append("acct.a", b"forged", expected_last_sequence=1)
    assert (await engine.journal_state("AUDIT_e")).last_sequence == 1


async def test_answers_need_the_inbox_prefix_that_is_allowed(new_nats_server: ServerFactory) -> None:
    server = await asyncio.to_thread(new_nats_server, USERS)
    log = EventLog()
    with pytest.raises(PermissionDenied, match="_INBOX_other"):
        await NatsBus.connect(server.options("other", user="engine", password=PASSWORD), listener=log)
    assert log.of(PermissionViolation)
