"""gRPC over a real port: the same replica, the same desk, the same roles; found out by reflection alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.json_format import MessageToDict, ParseDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from services.audit.api.access import Role
from services.audit.api.access.rates import BURST_S
from services.audit.rpc.calls import PROBLEM_METADATA, address_of
from services.audit.rpc.server import RpcServer
from services.runtime.ports import CannotListen, Listening
from tests.support.audit_run import EngineRun, messages_of
from tests.support.commanded import Commanded
from tests.support.past import LocalPast, archive_run, fold_until
from tradebus.config import Address
from tradebus.core.engine.audit.replica import Replica
from tradebus.strategies.loading import load_data, load_user_data
from tradebus.wire.codec.audit import tick_from_pb
from tradebus.wire.codec.bounds import bounds_of
from tradebus.wire.codec.snapshot import snapshot_from_bytes
from tradebus.wire.pb.v1 import service_pb2
from tradebus.wire.pb.v1.service_pb2_grpc import ControlStub, ReplicaStub

BTC = "sim_alpha-btc_usdt"
RATE = 20


class Served(Commanded):
    """With gRPC on a port of its own."""

    target = ""

    def metadata(self, role: Role | None = None) -> tuple[tuple[str, str], ...]:
        headers = self.operator if role is None else self.key(role)
        return (("authorization", headers["Authorization"]),)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Where the past is to lie; empty unless a test writes it."""
    return tmp_path / "archive"


@pytest.fixture
async def served(archive: Path) -> AsyncIterator[Served]:
    run = EngineRun(events=60, is_ended=False)
    async with Served(run, reads=LocalPast(archive)) as made:
        await made.feed(run.batches())
        server = RpcServer(made.context, Listening(Address("127.0.0.1", 0), "gRPC", "api.grpc_listen"), RATE)
        made.target = str(await server.listen())
        yield made
        await server.stop()


@pytest.fixture
async def channel(served: Served) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(served.target) as made:
        yield made


def replica_of(channel: Any) -> Any:
    return ReplicaStub(channel)  # type: ignore[no-untyped-call]  # generated


def control_of(channel: Any) -> Any:
    return ControlStub(channel)  # type: ignore[no-untyped-call]  # generated


async def refused(call: Any) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """Return the code of a refusal and the problem beside it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata: Any = caught.value.trailing_metadata()
    trailing = dict(metadata)
    found: dict[str, Any] = json.loads(trailing[PROBLEM_METADATA])
    assert found["detail"] == caught.value.details()
    return caught.value.code(), found


async def test_state_is_the_replicas(served: Served, channel: Any) -> None:
    answer = await replica_of(channel).GetState(service_pb2.GetStateRequest())
    snapshot = snapshot_from_bytes(answer.snapshot.SerializeToString(), load_data, load_user_data)
    assert (answer.mode, answer.is_exact) == ("demo", True)
    assert answer.snapshot.sequence == answer.verified_sequence == served.fold.sequence
    assert snapshot.state == served.fold.state
    assert answer.snapshot.core_hash == served.fold.hash().core


async def test_state_of_the_past_is_that_of_a_fresh_replay(served: Served, channel: Any, archive: Path) -> None:
    messages = messages_of(served.run.batches())
    archive_run(archive, messages, checkpoint_every=10)
    get_state = replica_of(channel).GetState
    times = {tick.sequence: tick.time_ns for tick in served.run.ticks}
    for asked in (0, 7, served.fold.sequence // 2, served.fold.sequence):
        last_of_time = max(each for each, time_ns in times.items() if time_ns == times[asked])
        for moment, sequence in (({"at_sequence": asked}, asked), ({"at_time_ns": times[asked]}, last_of_time)):
            expected = fold_until(messages, sequence)
            answer = await get_state(service_pb2.GetStateRequest(**moment))
            snapshot = snapshot_from_bytes(answer.snapshot.SerializeToString(), load_data, load_user_data)
            assert (snapshot.head.sequence, snapshot.head.time_ns) == (sequence, times[sequence])
            assert snapshot.state == expected.state
            assert answer.snapshot.core_hash == expected.hash().core


async def test_moments_without_a_state_are_refused_as_rest_refuses_them(
    served: Served, channel: Any, archive: Path
) -> None:
    get_state, now_ns = replica_of(channel).GetState, served.fold.time_ns
    code, problem = await refused(get_state(service_pb2.GetStateRequest(at_sequence=3)))
    assert (code, problem["code"]) == (grpc.StatusCode.UNAVAILABLE, "not_archived_yet")
    archive_run(archive, messages_of(served.run.batches()), checkpoint_every=10)
    for moment in ({"at_sequence": served.fold.sequence + 1}, {"at_time_ns": now_ns + 10**18}):
        code, problem = await refused(get_state(service_pb2.GetStateRequest(**moment)))
        assert (code, problem["code"]) == (grpc.StatusCode.NOT_FOUND, "no_such_tick")
    for time_ns in (served.run.ticks[0].time_ns - 1, -1):
        code, problem = await refused(get_state(service_pb2.GetStateRequest(at_time_ns=time_ns)))
        assert (code, problem["code"]) == (grpc.StatusCode.OUT_OF_RANGE, "pruned")


async def test_journal_is_watched_from_its_beginning_and_on(served: Served, channel: Any) -> None:
    before = served.fold.sequence
    replica = Replica(load_data, load_user_data)
    watched = replica_of(channel).WatchAudit(service_pb2.WatchAuditRequest(from_sequence=0, to_sequence=before + 1))
    index = served.run.engine.started.index
    async for response in watched:
        assert response.index_fingerprint == index.fingerprint()
        for message in response.ticks:
            assert replica.apply(tick_from_pb(message, bounds_of(index)))
        if response.ticks[-1].sequence == before:
            await served.post("trading-state", {"state": "disabled"})
            await served.engine_reads()
    assert replica.sequence == before + 1 == served.fold.sequence
    assert replica.hash() == served.run.engine.hash()


async def test_watch_says_what_it_cannot_do(channel: Any, served: Served) -> None:
    async def first(**fields: int) -> Any:
        return await anext(aiter(replica_of(channel).WatchAudit(service_pb2.WatchAuditRequest(**fields))))

    code, problem = await refused(first(from_sequence=9, to_sequence=8))
    assert (code, problem["code"]) == (grpc.StatusCode.INVALID_ARGUMENT, "invalid_parameters")
    code, problem = await refused(first(from_sequence=served.fold.sequence + 2))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    served.broker.prune("AUDIT_demo", 3)
    code, problem = await refused(first(from_sequence=0))
    assert (code, problem["code"]) == (grpc.StatusCode.OUT_OF_RANGE, "pruned")


async def test_command_is_sent_once_and_followed(served: Served, channel: Any) -> None:
    control, key = control_of(channel), served.metadata()
    order = service_pb2.NewOrder(instrument=BTC, side="SIDE_BUY", quantity="4", price="1.5")
    request = service_pb2.SendRequest(idempotency_key="k-1", open_orders=service_pb2.OpenNewOrders(orders=[order]))
    sent = [await control.Send(request, metadata=key) for _ in range(3)]
    assert len({each.id for each in sent}) == 1
    assert sent[0].standing == service_pb2.COMMAND_STANDING_ACCEPTED
    (message,) = await served.sent()
    assert " over grpc at " in message.origin
    assert message.origin.startswith("alice (key ")
    waiting = asyncio.ensure_future(
        control.Send(service_pb2.SendRequest(**{**_fields(request), "wait_ms": 20_000}), metadata=key)
    )
    await served.engine_reads()
    done = await waiting
    assert (done.standing, done.sequence, len(done.opened)) == (2, served.fold.sequence, 1)
    assert await control.GetCommand(service_pb2.GetCommandRequest(id=done.id), metadata=key) == done
    code, _ = await refused(
        control.Send(
            service_pb2.SendRequest(idempotency_key="k-1", trading_state="TRADING_STATE_ENABLED"), metadata=key
        )
    )
    assert code is grpc.StatusCode.ALREADY_EXISTS
    code, _ = await refused(control.GetCommand(service_pb2.GetCommandRequest(id="none"), metadata=key))
    assert code is grpc.StatusCode.NOT_FOUND


def _fields(request: Any) -> dict[str, Any]:
    return {field.name: value for field, value in request.ListFields()}


async def test_everything_wrong_is_told(served: Served, channel: Any) -> None:
    order = service_pb2.NewOrder(instrument="sim_alpha-btc_usd", quantity="-1", price="1")
    order.kind = 9  # type: ignore[assignment]  # nobody knows it
    request = service_pb2.SendRequest(wait_ms=60_000, open_orders=service_pb2.OpenNewOrders(orders=[order]))
    code, problem = await refused(control_of(channel).Send(request, metadata=served.metadata()))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    names = {each["name"]: each for each in problem["errors"]}
    assert names["orders.0.instrument"]["near"][0] == BTC
    assert set(names) == {
        "idempotency_key",
        "wait_ms",
        "orders.0.instrument",
        "orders.0.side",
        "orders.0.quantity",
        "orders.0.kind",
    }
    code, problem = await refused(
        control_of(channel).Send(service_pb2.SendRequest(idempotency_key="k"), metadata=served.metadata())
    )
    assert problem["errors"][0]["name"] == "command"
    assert await served.sent() == []


@pytest.mark.parametrize(
    ("request_", "kinds"),
    [
        (service_pb2.SendRequest(cancel_orders=service_pb2.CancelNamedOrders(filter={"all": {}})), "CancelOrders"),
        (
            service_pb2.SendRequest(
                close_positions=service_pb2.CloseNamedPositions(filter={"exchanges": {"names": ["sim_beta"]}})
            ),
            "ClosePositions",
        ),
        (
            service_pb2.SendRequest(
                cancel_orders=service_pb2.CancelNamedOrders(
                    filter={"underlyings": {"underlyings": [{"exchange": "sim_beta", "base": "btc", "quote": "usdt"}]}}
                )
            ),
            "CancelOrders",
        ),
        (
            service_pb2.SendRequest(
                cancel_orders=service_pb2.CancelNamedOrders(filter={"instruments": {"names": [BTC]}}), expires_in_ms=500
            ),
            "CancelOrders",
        ),
    ],
)
async def test_filters_go_by_names(served: Served, channel: Any, request_: Any, kinds: str) -> None:
    request_.idempotency_key = "k"
    dry = service_pb2.SendRequest(**{**_fields(request_), "dry_run": True})
    checked = await control_of(channel).Send(dry, metadata=served.metadata())
    assert (checked.standing, checked.id, await served.sent()) == (service_pb2.COMMAND_STANDING_VALID, "", [])
    await control_of(channel).Send(request_, metadata=served.metadata())
    (message,) = await served.sent()
    assert type(getattr(message.event, "action", None)).__name__ == kinds


async def test_roles_are_those_of_rest(served: Served, channel: Any) -> None:
    served.doorkeeper.reading_without_key = False
    replica, control = replica_of(channel), control_of(channel)
    state, stop = service_pb2.GetStateRequest(), service_pb2.SendRequest(idempotency_key="s", shutdown={})
    code, problem = await refused(replica.GetState(state))
    assert (code, problem["code"]) == (grpc.StatusCode.UNAUTHENTICATED, "key_required")
    code, problem = await refused(replica.GetState(state, metadata=(("authorization", "Bearer tb_x"),)))
    assert (code, problem["code"]) == (grpc.StatusCode.UNAUTHENTICATED, "key_unknown")
    text = served.operator["Authorization"].removeprefix("Bearer ")
    assert (await replica.GetState(state, metadata=(("x-api-key", text),))).is_exact
    off = service_pb2.SendRequest(idempotency_key="k", trading_state="TRADING_STATE_DISABLED")
    for role, request, wanted in (
        (Role.VIEWER, off, grpc.StatusCode.PERMISSION_DENIED),
        (Role.OPERATOR, stop, grpc.StatusCode.PERMISSION_DENIED),
    ):
        code, problem = await refused(control.Send(request, metadata=served.metadata(role)))
        assert (code, problem["code"]) == (wanted, "role_required")
        noted = json.loads(served.keys.path.with_name("access.jsonl").read_text().splitlines()[-1])
        assert (noted["kind"], noted["code"], noted["what"]) == (
            "denied",
            "role_required",
            f"gRPC Send {request.WhichOneof('command')}",
        )
    assert await served.sent() == []
    assert (await control.Send(stop, metadata=served.metadata(Role.ADMIN))).kind == "shutdown"


async def test_who_asks_too_often_waits(served: Served, channel: Any) -> None:
    replica = replica_of(channel)
    calls = [refused_or_none(replica.GetState(service_pb2.GetStateRequest())) for _ in range(RATE * BURST_S + 5)]
    codes = [code for code in await asyncio.gather(*calls) if code is not None]
    assert codes
    assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED}


async def refused_or_none(call: Any) -> grpc.StatusCode | None:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


async def test_a_client_that_knows_nothing_finds_everything_by_reflection(served: Served) -> None:
    """As grpcurl does: descriptors from the server, messages from JSON."""

    def ask() -> tuple[set[str], dict[str, Any]]:
        with grpc.insecure_channel(served.target) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = descriptor_pool.DescriptorPool(database)
            found = set(database.get_services())
            method = pool.FindServiceByName("tradebus.v1.Control").FindMethodByName("Send")
            request_kind = message_factory.GetMessageClass(method.input_type)
            response_kind = message_factory.GetMessageClass(method.output_type)
            call = channel.unary_unary(
                f"/{method.containing_service.full_name}/{method.name}",
                request_serializer=request_kind.SerializeToString,
                response_deserializer=response_kind.FromString,
            )
            asked = {"idempotencyKey": "off-1", "tradingState": "TRADING_STATE_DISABLED"}
            answer = call(ParseDict(asked, request_kind()), metadata=served.metadata(), timeout=20)
            return found, MessageToDict(answer)

    services, answer = await asyncio.to_thread(ask)
    assert services == {
        "tradebus.v1.Replica",
        "tradebus.v1.Control",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert (answer["kind"], answer["standing"]) == ("trading_state", "COMMAND_STANDING_ACCEPTED")
    assert len(await served.sent()) == 1


async def test_health_is_told(served: Served, channel: Any) -> None:
    request = health_pb2.HealthCheckRequest(service="tradebus.v1.Replica")
    answer = await health_pb2_grpc.HealthStub(channel).Check(request)
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING, "until the service says that it is ready"


async def test_port_that_somebody_has_is_named(served: Served) -> None:
    port = int(served.target.rpartition(":")[2])
    taken = RpcServer(served.context, Listening(Address("127.0.0.1", port), "gRPC", "api.grpc_listen"), RATE)
    with pytest.raises(CannotListen, match=rf"port {port} is already in use; it is for gRPC.*api.grpc_listen"):
        await taken.listen()


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:127.0.0.1:4711", "127.0.0.1"), ("ipv6:%5B::1%5D:9", "::1"), ("ipv6:[::1]:9", "::1"), ("unix:", "unix:")],
)
def test_peers_are_named_by_address(peer: str, address: str) -> None:
    assert address_of(peer) == address
