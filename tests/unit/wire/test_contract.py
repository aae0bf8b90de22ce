"""The contract itself: habits of the schema, and that nothing of it or of the core was forgotten."""

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

import tradebus.core
from tests.golden.snapshot.corpus import full_snapshot
from tests.golden.wire.corpus import corpus
from tests.support.full_state import full_state
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.record import Record, field_names
from tradebus.wire.codec.snapshot import snapshot_to_bytes
from tradebus.wire.pb import v1
from tradebus.wire.pb.v1 import (
    account_journal_pb2,
    audit_pb2,
    command_pb2,
    dlq_pb2,
    exec_pb2,
    flow_pb2,
    heartbeat_pb2,
    market_pb2,
    positions_pb2,
    service_pb2,
    simulation_pb2,
    snapshot_pb2,
)

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "proto"

MESSAGES_BY_GOLDEN_NAME: dict[str, type[Message]] = {
    "account_batch": account_journal_pb2.AccountBatch,
    "audit_batch": audit_pb2.AuditBatch,
    "command": command_pb2.Command,
    "credit": flow_pb2.Credit,
    "dead_letter": dlq_pb2.DeadLetter,
    "heartbeat": heartbeat_pb2.Heartbeat,
    "market_batch": market_pb2.MarketBatch,
    "order_reply": exec_pb2.OrderReply,
    "order_requests": exec_pb2.OrderRequests,
    "paper_snapshot": simulation_pb2.PaperSnapshot,
    "reader_positions": positions_pb2.ReaderPositions,
}

SHADOWS = {"MarketBatchFrames", "AuditBatchFrames", "EngineSnapshotFrames"}
"""The same bytes as another message, with repeated messages left encoded."""

BASES = {
    "AccountData",
    "CommandAction",
    "EngineEvent",
    "InstrumentFilter",
    "MarketData",
    "OrderState",
    "Output",
    "Record",
}
"""Classes of the core that exist to be derived from."""

FIELDS_ELSEWHERE: dict[str, dict[str, set[str]]] = {
    # A level is two fields: a market event is read millions of times, and each message inside it costs a fifth of it.
    # Which asset and instrument a state is of, its position in the list says.
    "AssetState": {"asset": set()},
    "InstrumentState": {"instrument": set()},
    "BookL1": {"best_bid": {"best_bid_price", "best_bid_amount"}, "best_ask": {"best_ask_price", "best_ask_amount"}},
    "BookL2Snapshot": {"bids": {"bid_prices", "bid_amounts"}, "asks": {"ask_prices", "ask_amounts"}},
    "BookL2Update": {"bids": {"bid_prices", "bid_amounts"}, "asks": {"ask_prices", "ask_amounts"}},
}
"""Fields of the core by the fields that carry them, where the names differ."""

NOT_IN_CORE = {"Command": {"time_ns", "expiry_ns", "set_trading_state", "change_config", "shutdown"}}
"""Fields of the contract that its class in the core does not have: the times of a command on its way."""

CALLS = set(service_pb2.DESCRIPTOR.message_types_by_name)
"""Questions and answers of gRPC calls: no codec, the audit service makes them of what it has."""

NEVER_SENT = {"Level"}
"""Records that travel as fields of another message."""


def files() -> list[FileDescriptor]:
    found = []
    for module in pkgutil.iter_modules(v1.__path__):
        if module.name.endswith("_grpc"):
            continue
        descriptor: FileDescriptor = importlib.import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR
        found.append(descriptor)
    return found


def messages() -> dict[str, Descriptor]:
    return {name: message for file in files() for name, message in file.message_types_by_name.items()}


def enums() -> dict[str, EnumDescriptor]:
    return {name: enum for file in files() for name, enum in file.enum_types_by_name.items()}


def grouped_fields(message: Descriptor) -> set[str]:
    """Return the names of a message's fields, those of a oneof by the name of the oneof."""
    return {
        field.name
        if field.containing_oneof is None or field.containing_oneof.name.startswith("_")
        else field.containing_oneof.name
        for field in message.fields
    }


def records() -> dict[str, type[Record]]:
    """Return every record class of the core by name, wherever it is defined."""
    for module in pkgutil.walk_packages(tradebus.core.__path__, "tradebus.core."):
        if not module.name.rpartition(".")[2].startswith("_"):
            importlib.import_module(module.name)
    found: dict[str, type[Record]] = {}
    queue: list[type[Record]] = [Record]
    while queue:
        kind = queue.pop()
        queue.extend(kind.__subclasses__())
        if kind.__module__.startswith("tradebus.core."):
            found[kind.__name__] = kind
    return found


def travelling() -> list[str]:
    """Return the names of the records that can leave a process: what a tick can hold, at any depth."""
    known = records()
    families = {"EngineEvent", "Output", "AccountData", "CommandAction", "InstrumentFilter", "MarketData", "OrderState"}
    found = {name for name, kind in known.items() if {base.__name__ for base in kind.__mro__} & families}
    return sorted((found | (known.keys() & messages().keys())) - BASES - NEVER_SENT)


@pytest.mark.parametrize("name", travelling())
def test_every_field_of_the_core_has_its_field_in_the_contract(name: str) -> None:
    kind, message = records()[name], messages().get(name)
    assert message is not None, f"{kind.__module__}.{name} has no message"
    elsewhere = FIELDS_ELSEWHERE.get(name, {})
    expected: set[str] = set()
    for field in field_names(kind):
        expected |= elsewhere.get(field, {field})
    assert grouped_fields(message) - NOT_IN_CORE.get(name, set()) == expected


def held(value: object) -> Iterator[type[Record]]:
    """Yield the classes of all records in a value; what an index holds has tests of its own."""
    if isinstance(value, IndexedInstruments):
        return
    if isinstance(value, Record):
        yield type(value)
        for field in field_names(type(value)):
            if field not in FIELDS_ELSEWHERE.get(type(value).__name__, {}):
                yield from held(getattr(value, field))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from held(item)
    elif isinstance(value, dict):
        yield from held(list(value.values()))


def test_every_class_of_the_state_has_its_message() -> None:
    kinds = {kind.__name__ for kind in held(full_state())}
    assert kinds >= {"EngineState", "InstrumentState", "Position", "StrategyState", "Timer", "Open", "CancelInFlight"}
    assert kinds - NEVER_SENT <= set(travelling())


def alternatives(message: str, oneof: str) -> set[str]:
    """Return the names of the messages of which a oneof holds one."""
    parts = [field.message_type for field in messages()[message].oneofs_by_name[oneof].fields]
    return {part.name for part in parts if part is not None}


def test_events_of_a_tick_are_all_events_of_the_core() -> None:
    carried = alternatives("AuditTick", "event")
    events = {name for name, kind in records().items() if "EngineEvent" in {base.__name__ for base in kind.__mro__}}
    assert carried == events - BASES


@pytest.mark.parametrize(
    ("message", "oneof", "base"),
    [
        ("Output", "output", "Output"),
        ("MarketEvent", "data", "MarketData"),
        ("AccountEvent", "data", "AccountData"),
        ("Order", "state", "OrderState"),
        ("InstrumentFilter", "filter", "InstrumentFilter"),
    ],
)
def test_a_oneof_carries_the_whole_family(message: str, oneof: str, base: str) -> None:
    carried = alternatives(message, oneof)
    family = {name for name, kind in records().items() if base in {parent.__name__ for parent in kind.__mro__}}
    assert carried == family - BASES


def filled(message: Message) -> Iterator[tuple[str, str]]:
    """Yield (message, field) for everything that is set, at any depth."""
    for field, value in message.ListFields():
        yield message.DESCRIPTOR.name, field.name
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if field.is_repeated else [value]:
                yield from filled(part)


def test_the_codecs_set_every_field_of_every_message() -> None:
    found: set[tuple[str, str]] = set()
    for name, (_, encoded) in corpus().items():
        kind = MESSAGES_BY_GOLDEN_NAME[name.partition("-")[0]]
        found |= set(filled(kind.FromString(encoded)))
    found |= set(filled(snapshot_pb2.EngineSnapshot.FromString(snapshot_to_bytes(full_snapshot()))))
    wanted = {
        (name, field.name)
        for name, message in messages().items()
        if name not in SHADOWS and name not in CALLS
        for field in message.fields
    }
    assert sorted(wanted - found) == []


def test_shadows_have_the_fields_of_what_they_shadow() -> None:
    for shadow in SHADOWS:
        original = messages()[shadow.removesuffix("Frames")]
        for ours, theirs in zip(messages()[shadow].fields, original.fields, strict=True):
            assert (ours.name, ours.number, ours.is_repeated) == (theirs.name, theirs.number, theirs.is_repeated)
            is_frames = ours.type == FieldDescriptor.TYPE_BYTES and theirs.type == FieldDescriptor.TYPE_MESSAGE
            assert is_frames or ours.type == theirs.type


# ---------------------------------------------------------------------------------------------- habits


@pytest.mark.parametrize("name", sorted(enums()))
def test_enums_begin_with_unspecified_and_carry_their_name(name: str) -> None:
    start = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
    values = {value.number: value.name for value in enums()[name].values}
    assert values[0] == f"{start}_UNSPECIFIED"
    assert all(value.startswith(f"{start}_") for value in values.values())
    assert sorted(values) == list(range(len(values)))


@pytest.mark.parametrize("name", sorted(messages()))
def test_no_float_anywhere_and_times_are_int64(name: str) -> None:
    for field in messages()[name].fields:
        assert field.type not in {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}
        if field.name.endswith("_ns"):
            assert field.type == FieldDescriptor.TYPE_INT64


def test_everything_carries_a_comment(tmp_path: Path) -> None:
    target = tmp_path / "contract.bin"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        "-I.",
        "--include_source_info",
        f"--descriptor_set_out={target}",
    ]
    names = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    subprocess.run([*command, *names], cwd=PROTO, check=True)
    described = FileDescriptorSet.FromString(target.read_bytes())
    missing = []
    for file in described.file:
        commented = {tuple(at.path) for at in file.source_code_info.location if at.leading_comments.strip()}
        for i, message in enumerate(file.message_type):
            paths = [(4, i), *((4, i, 2, j) for j in range(len(message.field)))]
            missing += [f"{message.name} {path}" for path in paths if path not in commented]
        for i, enum in enumerate(file.enum_type):
            paths = [(5, i), *((5, i, 2, j) for j in range(len(enum.value)))]
            missing += [f"{enum.name} {path}" for path in paths if path not in commented]
    assert missing == []
