"""Each user tries every subject and every API call of every row: what is listed works, the rest is refused and noticed.

The table here is written down anew, user by user, and not derived from what it checks.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.bus_events import EventLog
from tests.support.nats_server import TEST_SIZES, NatsServer
from tradebus.bus.errors import BusError, ConnectFailed, PermissionDenied
from tradebus.bus.events import EventHub, PermissionViolation
from tradebus.bus.message import Message, Request
from tradebus.bus.nats_bus import NatsBus
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_options import NatsOptions
from tradebus.bus.permissions import Permissions, System, User, permissions
from tradebus.bus.provision import Outcome, provision
from tradebus.bus.purging import NatsPurger
from tradebus.bus.self_check import MissingPermissions
from tradebus.bus.topology import topology
from tradebus.bus.user_keys import authorization, ensure_keys, seed_file, server_users

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM = System(("e",), ("a",))
M, E, X, A, P, O = "market", "engine", "execution", "audit", "pruner", "operator"  # noqa: E741
R, V = "repair", "provision"
ALL = {M, E, X, A, P, O, R, V}
STREAMS = ("AUDIT_e", "ACCT_a", "CMD_e", "DLQ", "KV_leases", "KV_positions", "KV_control", "KV_snapshots")

LOOK = {
    "AUDIT_e": {E, X, A, O, R},
    "ACCT_a": {E, X, A},
    "CMD_e": {E, A},
    "DLQ": {A},
    "KV_leases": {M, E, X, A},
    "KV_positions": {E, X, A, P},
    "KV_control": {E, X, O},
    "KV_snapshots": {E, X, A},
}
READ = {**LOOK, "CMD_e": {E}, "KV_positions": {A}, "KV_control": {E, X}, "KV_snapshots": {A}}

MAY_PUBLISH: dict[str, set[str]] = {
    "md.x.0": {M},
    "audit.e": {E, R},
    "audit.other": set(),
    "exec.a": {E},
    "acct.a": {X},
    "acct.other": set(),
    "cmd.e": {A, O},
    "cmd.other": set(),
    "flow.e": {E},
    **{f"hb.{name}.1": {name} for name in (M, E, X, A)},
    "hb.other.1": set(),
    **{f"dlq.{name}": {name} for name in (M, E, X, A)},
    "dlq.other": set(),
    "$KV.leases.engine.e": {E},
    "$KV.leases.account.a": {X},
    "$KV.leases.member.execution.e.1": {X},
    "$KV.leases.member.market.e.1": {M},
    "$KV.leases.other": set(),
    "$KV.positions.engine.e": {E},
    "$KV.positions.execution.a": {X},
    "$KV.positions.archive.e": {A},
    "$KV.positions.other": set(),
    "$KV.control.kill": {O},
    "$KV.snapshots.engine.e": {E},
    "$KV.snapshots.paper.a": {X},
    "$KV.snapshots.other": set(),
    "$KV.other.key": set(),
    "$SYS.REQ.USER.INFO": ALL,
    "$SYS.REQ.SERVER.PING": set(),
    "$JS.API.INFO": set(),
    "$JS.API.STREAM.NAMES": set(),
    "$JS.API.STREAM.LIST": set(),
    "_INBOX_engine.x": set(),
    "_INBOX_market.x": set(),
    "other": set(),
    **{f"$JS.API.STREAM.INFO.{stream}": users | {V} for stream, users in LOOK.items()},
    **{f"$JS.API.STREAM.MSG.GET.{stream}": users for stream, users in LOOK.items()},
    **{f"$JS.API.CONSUMER.CREATE.{stream}.x": users for stream, users in READ.items()},
    **{f"$JS.FC.{stream}.x": users for stream, users in READ.items()},
    **{
        f"$JS.API.STREAM.PURGE.{stream}": {P} if stream.startswith(("AUDIT", "ACCT", "CMD")) else set()
        for stream in STREAMS
    },
    **{f"$JS.API.STREAM.CREATE.{stream}": {V, R} if stream == "AUDIT_e" else {V} for stream in STREAMS},
    **{f"$JS.API.STREAM.DELETE.{stream}": {R} if stream == "AUDIT_e" else set() for stream in STREAMS},
    **{f"$JS.API.STREAM.UPDATE.{stream}": {V} for stream in STREAMS},
    **{
        f"$JS.API.{call}": set()
        for stream in STREAMS
        for call in (
            f"STREAM.MSG.DELETE.{stream}",
            f"STREAM.SNAPSHOT.{stream}",
            f"STREAM.RESTORE.{stream}",
            f"CONSUMER.CREATE.{stream}",
            f"CONSUMER.DURABLE.CREATE.{stream}.x",
            f"CONSUMER.DELETE.{stream}.x",
            f"CONSUMER.INFO.{stream}.x",
            f"CONSUMER.NAMES.{stream}",
            f"CONSUMER.MSG.NEXT.{stream}.x",
            f"DIRECT.GET.{stream}",
            f"DIRECT.GET.{stream}.x",
        )
    },
    "$JS.API.STREAM.CREATE.OTHER": set(),
    "$JS.API.STREAM.INFO.OTHER": set(),
    "$JS.ACK.AUDIT_e.x.1.1.1.1.0": set(),
}

MAY_SUBSCRIBE: dict[str, set[str]] = {
    "md.>": {E},
    "md.x.0": {E},
    "flow.>": {M},
    "exec.>": {X},
    "exec.a": {X},
    "hb.>": {E, X, A, O},
    "hb.market.*": {E, X, A, O},
    "audit.e": set(),
    "acct.a": set(),
    "cmd.e": set(),
    "dlq.>": set(),
    "$KV.leases.>": set(),
    "$JS.API.>": set(),
    "$JS.EVENT.>": set(),
    "$SYS.>": set(),
    "_INBOX.>": set(),
    ">": set(),
    "*": set(),
    **{f"_INBOX_{name}.>": {name} for name in ALL},
    "*.>": set(),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "keys"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[NatsServer]:
    made = NatsServer(folder.parent / "nats", server_users(folder, SYSTEM))
    yield made
    made.embedded.stop()


def options(server: NatsServer, folder: Path, user: str) -> NatsOptions:
    return NatsOptions((server.url,), user, nkey_seed_file=seed_file(folder, user))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provisioned(server: NatsServer, folder: Path) -> NatsServer:
    """The user `provision` makes every stream and bucket, and finds them as they should be the second time."""
    wanted = topology(["e"], ["a"], TEST_SIZES)
    made = await provision(options(server, folder, V), wanted)
    assert set(made) == set(STREAMS)
    assert set(made.values()) == {Outcome.CREATED}
    assert set((await provision(options(server, folder, V), wanted)).values()) == {Outcome.UNCHANGED}
    larger = topology(["e"], ["a"], type(TEST_SIZES)(**{**_sizes(), "audit": TEST_SIZES.audit * 2}))
    assert (await provision(options(server, folder, V), larger))["AUDIT_e"] is Outcome.UPDATED
    return server


def _sizes() -> dict[str, int]:
    return {name: getattr(TEST_SIZES, name) for name in TEST_SIZES.__slots__}


@pytest_asyncio.fixture(loop_scope="module")
async def buses(provisioned: NatsServer, folder: Path) -> AsyncIterator[dict[str, NatsBus]]:
    """A bus for each service that has one; whatever is refused to any of them fails the test."""
    # `repair` may delete the journal, and has, where it tried all that it may.
    await provision(options(provisioned, folder, V), topology(["e"], ["a"], TEST_SIZES))
    log = EventLog()
    made = {name: await NatsBus.connect(options(provisioned, folder, name), listener=log) for name in (M, E, X, A, O)}
    yield made
    for bus in made.values():
        await bus.flush()
        await bus.close(0.5)
    assert log.of(PermissionViolation) == []


@pytest.mark.parametrize("user", sorted(ALL))
async def test_what_may_be_published(provisioned: NatsServer, folder: Path, user: str) -> None:
    log = EventLog()
    events = EventHub()
    events.add(log)
    link = NatsLink("test", options(provisioned, folder, user), events)
    await link.open(5.0)
    try:
        for subject in MAY_PUBLISH:
            assert link.send(subject, b"")
        await link.flush(5.0)
    finally:
        await link.close(1.0)
    refused = {event.subject for event in log.of(PermissionViolation) if event.operation == "publish"}
    assert refused == {subject.lower() for subject, users in MAY_PUBLISH.items() if user not in users}


@pytest.mark.parametrize("user", sorted(ALL))
async def test_what_may_be_subscribed_to(provisioned: NatsServer, folder: Path, user: str) -> None:
    log = EventLog()
    events = EventHub()
    events.add(log)
    link = NatsLink("test", options(provisioned, folder, user), events)
    await link.open(5.0)

    async def ignore(_message: object) -> None:
        return

    refused: set[str] = set()
    try:
        for subject in MAY_SUBSCRIBE:
            try:
                await link.subscribe(subject, ignore, 10)
            except PermissionDenied:
                refused.add(subject)
    finally:
        await link.close(1.0)
    assert refused == {subject for subject, users in MAY_SUBSCRIBE.items() if user not in users}
    assert {event.subject for event in log.of(PermissionViolation)} == {subject.lower() for subject in refused}


async def test_services_do_all_their_work_with_what_they_may(
    buses: dict[str, NatsBus], provisioned: NatsServer, folder: Path
) -> None:
    for name, bus in buses.items():
        await bus.check_permissions(name, permissions(User(name), SYSTEM))
    market, engine, execution, audit, operator = (buses[name] for name in (M, E, X, A, O))
    got: list[Message] = []
    await engine.subscribe("md.>", got.append)
    await market.subscribe("flow.>", got.append)
    assert market.publish("md.x.0", b"batch")
    assert engine.publish("flow.e", b"credit")
    for name in (M, E, X, A):
        assert buses[name].publish(f"hb.{name}.1", b"beat")
        await buses[name].append(f"dlq.{name}", b"letter")

    def accept(request: Request) -> None:
        assert request.reply(b"taken")

    await execution.respond("exec.a", accept)
    assert (await engine.request("exec.a", b"order", timeout_s=5)).payload == b"taken"

    # Enough to make the server ask whether we keep up: its flow control is answered on a subject of its own.
    first = (await engine.journal_state("AUDIT_e")).last_sequence
    for number in range(300):
        await engine.append("audit.e", b"x" * 8_000, expected_last_sequence=first + number)
    await execution.append("acct.a", b"entry")
    await operator.append("cmd.e", b"command")
    await audit.append("cmd.e", b"command")
    for bus, stream in (
        *((engine, stream) for stream in ("AUDIT_e", "ACCT_a", "CMD_e")),
        *((execution, stream) for stream in ("AUDIT_e", "ACCT_a")),
        *((audit, stream) for stream in ("AUDIT_e", "ACCT_a", "DLQ")),
        (operator, "AUDIT_e"),
    ):
        count = 0

        def take(_message: object) -> None:
            nonlocal count
            count += 1

        state = await bus.journal_state(stream)
        reader = await bus.consume(stream, state.first_sequence, take)
        await reader.wait_caught_up()
        await reader.stop()
        assert count == state.messages
        assert await bus.last_message(stream) is not None

    seen: list[bytes | None] = []
    await audit.bucket("leases").watch(lambda entry: seen.append(entry.value))
    for bus, bucket, key in (
        (engine, "leases", "engine.e"),
        (execution, "leases", "account.a"),
        (execution, "leases", "member.execution.e.1"),
        (market, "leases", "member.market.e.1"),
        (engine, "positions", "engine.e"),
        (execution, "positions", "execution.a"),
        (audit, "positions", "archive.e"),
        (engine, "snapshots", "engine.e"),
        (execution, "snapshots", "paper.a"),
        (operator, "control", "kill"),
    ):
        entry = await bus.bucket(bucket).get(key)
        await bus.bucket(bucket).put(key, b"mine")
        assert entry is None or entry.value in {b"", b"mine"}
        assert (await bus.bucket(bucket).get(key)) is not None
    await engine.bucket("control").watch(lambda entry: seen.append(entry.value))
    assert b"mine" in seen

    purger = await NatsPurger.connect(options(provisioned, folder, P))
    last = (await audit.journal_state("AUDIT_e")).last_sequence
    assert await purger.purge("AUDIT_e", last) > 0
    with pytest.raises(PermissionDenied):
        await purger.purge("DLQ", 1)
    await purger.close()


async def test_refusals_are_errors_where_somebody_waits(provisioned: NatsServer, folder: Path) -> None:
    bus = await NatsBus.connect(options(provisioned, folder, M))
    try:
        for attempt in (
            bus.append("audit.e", b"forged"),
            bus.request("exec.a", b"order", timeout_s=5),
            bus.journal_state("AUDIT_e"),
            bus.consume("ACCT_a", 1, lambda _: None),
            bus.bucket("leases").put("engine.e", b"stolen"),
            bus.subscribe("exec.>", lambda _: None),
        ):
            with pytest.raises(PermissionDenied):
                await attempt
    finally:
        await bus.close(0.5)


@pytest.mark.parametrize("how", ["nobody", "stranger", "password"])
async def test_nobody_else_gets_in(provisioned: NatsServer, tmp_path: Path, how: str) -> None:
    ensure_keys(tmp_path, ["engine"])
    wanted = {
        "nobody": NatsOptions((provisioned.url,), "engine"),
        "stranger": NatsOptions((provisioned.url,), "engine", nkey_seed_file=seed_file(tmp_path, "engine")),
        "password": NatsOptions((provisioned.url,), "engine", user="engine", password="engine"),  # noqa: S106
    }[how]
    with pytest.raises(ConnectFailed, match=r"(?i)authorization violation"):
        await NatsBus.connect(wanted, timeout_s=5)


async def test_missing_permission_is_found_at_the_start_with_its_name(tmp_path: Path) -> None:
    """Each of the things that a service needs, taken away one at a time by a server with other lists."""
    needed = permissions(User.EXECUTION, SYSTEM)
    keys = ensure_keys(tmp_path / "keys", ["execution"])
    less = [
        (Permissions(needed.publish[1:], needed.subscribe, answers=True), f"publish to {needed.publish[0]}"),
        (Permissions(needed.publish, needed.subscribe[:-1], answers=True), f"subscribe to {needed.subscribe[-1]}"),
        (Permissions(needed.publish, needed.subscribe), "allow_responses"),
        (Permissions(needed.publish[:-1], needed.subscribe, answers=True), "publish to $SYS.REQ.USER.INFO"),
    ]
    for number, (allowed, words) in enumerate(less):
        text = authorization(keys, {"execution": allowed})
        server = await asyncio.to_thread(NatsServer, tmp_path / str(number), text)
        bus = await NatsBus.connect(options(server, tmp_path / "keys", "execution"))
        try:
            with pytest.raises(MissingPermissions) as found:
                await bus.check_permissions("execution", needed)
            assert "NATS user execution: expected" in str(found.value)
            assert words in str(found.value)
            assert isinstance(found.value, BusError)
        finally:
            await bus.close(0.5)
            await asyncio.to_thread(server.embedded.stop)
