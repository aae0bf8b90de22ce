"""What is refused on the way in, with the path of the field that is to blame."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.golden.wire.corpus import FINGERPRINT, corpus
from tradebus.wire.codec import error as errors
from tradebus.wire.codec.account_journal import account_batch_from_bytes
from tradebus.wire.codec.audit import audit_batch_from_bytes, audit_frames_from_bytes, tick_from_bytes
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.command import command_message_from_bytes
from tradebus.wire.codec.dlq import PAYLOAD_BYTES_MAX, dead_letter_from_bytes
from tradebus.wire.codec.exec import order_requests_from_bytes
from tradebus.wire.codec.heartbeat import heartbeat_from_bytes
from tradebus.wire.codec.market import market_batch_from_bytes, market_event_from_bytes
from tradebus.wire.codec.positions import reader_positions_from_bytes
from tradebus.wire.pb.v1 import (
    account_journal_pb2,
    audit_pb2,
    command_pb2,
    dlq_pb2,
    exec_pb2,
    heartbeat_pb2,
    market_pb2,
    order_pb2,
    positions_pb2,
)


def audit_batch() -> audit_pb2.AuditBatch:
    return audit_pb2.AuditBatch.FromString(corpus()["audit_batch-first"][1])


def account_batch() -> account_journal_pb2.AccountBatch:
    return account_journal_pb2.AccountBatch.FromString(corpus()["account_batch-all"][1])


def market_batch() -> market_pb2.MarketBatch:
    return market_pb2.MarketBatch.FromString(corpus()["market_batch-all"][1])


@dataclass(frozen=True)
class Case:
    """A change to a good message, and the error that it gives."""

    change: Callable[[audit_pb2.AuditBatch], object]
    error: type[errors.DecodeError]
    path: str
    message: str


def _decided(batch: audit_pb2.AuditBatch) -> order_pb2.OrderRequestOpen:
    return batch.ticks[1].outputs[0].requests_decided.opens_sent[0]


def _set(target: object, name: str, value: object) -> None:
    setattr(target, name, value)


TICK_CASES = {
    "no engine": Case(lambda b: b.ClearField("engine_id"), errors.MissingField, "engine_id", "found an empty one"),
    "short chain": Case(
        lambda b: _set(b, "previous_chain", b"1"),
        errors.Inconsistent,
        "previous_chain",
        "expected 16 bytes, found 1",
    ),
    "no ticks": Case(lambda b: b.ClearField("ticks"), errors.Inconsistent, "ticks", "at least one tick"),
    "wrong count": Case(
        lambda b: _set(b, "last_sequence", 99), errors.Inconsistent, "last_sequence", "found sequences 0 to 99"
    ),
    "hole": Case(
        lambda b: _set(b.ticks[2], "sequence", 9), errors.Inconsistent, "ticks[2].sequence", "expected 2, found 9"
    ),
    "no event": Case(lambda b: b.ticks[1].ClearField("market"), errors.MissingField, "ticks[1].event", "one of market"),
    "no data": Case(
        lambda b: b.ticks[1].market.ClearField("trade"), errors.MissingField, "ticks[1].market.data", "trade, book_l1"
    ),
    "no side": Case(
        lambda b: b.ticks[1].market.trade.ClearField("side"),
        errors.UnknownEnum,
        "ticks[1].market.trade.side",
        "expected a Side from 1 to 2, found 0",
    ),
    "unknown side": Case(
        lambda b: _set(b.ticks[1].market.trade, "side", 3), errors.UnknownEnum, "ticks[1].market.trade.side", "found 3"
    ),
    "no trade id": Case(
        lambda b: b.ticks[1].market.trade.ClearField("id"), errors.MissingField, "ticks[1].market.trade.id", "empty"
    ),
    "not a price": Case(
        lambda b: _set(b.ticks[1].market.trade, "price", "NaN"),
        errors.InvalidNumber,
        "ticks[1].market.trade.price",
        "'NaN'",
    ),
    "less than nothing traded": Case(
        lambda b: _set(b.ticks[1].market.trade, "amount", "-0.5"),
        errors.InvalidNumber,
        "ticks[1].market.trade.amount",
        "expected 0 or more, found '-0.5'",
    ),
    "less than nothing offered": Case(
        lambda b: _set(b.ticks[2].market.book_l1, "best_bid_amount", "-1"),
        errors.InvalidNumber,
        "ticks[2].market.book_l1.best_bid_amount",
        "expected 0 or more, found '-1'",
    ),
    "half a level": Case(
        lambda b: b.ticks[2].market.book_l1.ClearField("best_ask_amount"),
        errors.InvalidNumber,
        "ticks[2].market.book_l1.best_ask_amount",
        "''",
    ),
    "unknown instrument": Case(
        lambda b: _set(b.ticks[1].market, "instrument", 2),
        errors.IndexOutOfRange,
        "ticks[1].market.instrument",
        "expected an instrument below 2, found 2",
    ),
    "unknown exchange": Case(
        lambda b: _set(b.ticks[1].market, "exchange", 2),
        errors.IndexOutOfRange,
        "ticks[1].market.exchange",
        "expected an exchange below 2, found 2",
    ),
    "no key": Case(
        lambda b: _decided(b).ClearField("key"),
        errors.MissingField,
        "ticks[1].outputs[0].requests_decided.opens_sent[0].key",
        "expected a OrderKey, found none",
    ),
    "deep": Case(
        lambda b: _set(_decided(b).key, "instrument", 7),
        errors.IndexOutOfRange,
        "ticks[1].outputs[0].requests_decided.opens_sent[0].key.instrument",
        "found 7",
    ),
    "quantity": Case(
        lambda b: _set(_decided(b), "quantity", "1_0"),
        errors.InvalidNumber,
        "ticks[1].outputs[0].requests_decided.opens_sent[0].quantity",
        "'1_0'",
    ),
    "asset out of range": Case(
        lambda b: _set(b.ticks[0].started.accounts[0].simulation.balances[0], "asset", 5),
        errors.IndexOutOfRange,
        "ticks[0].started.accounts[0].simulation.balances[0].asset",
        "below 5",
    ),
    "unknown venue": Case(
        lambda b: _set(b.ticks[0].started.index.instruments[0].definition, "exchange", "nowhere"),
        errors.Inconsistent,
        "ticks[0].started.index.instruments[0].definition.exchange",
        "'nowhere'",
    ),
    "index does not fit": Case(
        lambda b: _set(b.ticks[0].started.index.instruments[1], "base", 0),
        errors.Inconsistent,
        "ticks[0].started.index.instruments[1].base",
        "expected ExchangeAsset",
    ),
    "wrong position": Case(
        lambda b: _set(b.ticks[0].started.index.instruments[1], "index", 5),
        errors.Inconsistent,
        "ticks[0].started.index.instruments[1].index",
        "expected 1, its position, found 5",
    ),
    "other exchange": Case(
        lambda b: _set(b.ticks[0].started.index.instruments[1], "exchange", 0),
        errors.Inconsistent,
        "ticks[0].started.index.instruments[1].exchange",
        "expected deribit, found binance_spot",
    ),
    "contradiction": Case(
        lambda b: _set(b.ticks[0].started.index.instruments[1].definition.contract, "contract_size", "0"),
        errors.Inconsistent,
        "ticks[0].started.index.instruments[1].definition.contract",
        "contract size",
    ),
    "foreign index": Case(
        lambda b: _set(b, "index_fingerprint", "beef"),
        errors.ForeignIndex,
        "ticks[0].index_fingerprint",
        f"expected the index {FINGERPRINT}, found 'beef'",
    ),
}


@pytest.mark.parametrize("name", TICK_CASES)
def test_a_bad_audit_batch_is_refused_with_the_path_to_the_field(name: str) -> None:
    case = TICK_CASES[name]
    batch = audit_batch()
    case.change(batch)
    with pytest.raises(errors.DecodeError) as refused:
        audit_batch_from_bytes(batch.SerializeToString())
    assert type(refused.value) is case.error
    assert refused.value.path == case.path
    assert case.message in refused.value.message
    assert str(refused.value) == f"{case.path}: {refused.value.message}"


def test_a_batch_of_another_index_is_refused() -> None:
    bounds = IndexBounds(2, 4, 2, "beef")
    for name, reader in (
        ("audit_batch-next", audit_batch_from_bytes),
        ("account_batch-all", account_batch_from_bytes),
        ("market_batch-all", market_batch_from_bytes),
    ):
        with pytest.raises(errors.ForeignIndex) as refused:
            reader(corpus()[name][1], bounds)
        assert refused.value.path == "index_fingerprint"


def test_the_index_that_a_batch_brings_replaces_the_one_known_before() -> None:
    earlier = IndexBounds(1, 1, 1, "beef")
    assert audit_batch_from_bytes(corpus()["audit_batch-first"][1], earlier) == corpus()["audit_batch-first"][0]


def test_frames_are_counted_though_not_read() -> None:
    batch = audit_batch()
    batch.last_sequence += 1
    with pytest.raises(errors.Inconsistent, match="last_sequence"):
        audit_frames_from_bytes(batch.SerializeToString())


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda b: b.ClearField("entries"), "entries"),
        (lambda b: _set(b, "last_entry", 5), "last_entry"),
        (lambda b: _set(b, "previous_chain", bytes(15)), "previous_chain"),
        (lambda b: b.ClearField("account"), "account"),
        (lambda b: b.ClearField("owner"), "owner"),
        (lambda b: b.entries[0].ClearField("ownership"), "entries[0].record"),
        (lambda b: b.entries[0].ownership.ClearField("owner"), "entries[0].ownership.owner"),
        (lambda b: b.entries[1].event.snapshot.ClearField("snapshot"), "entries[1].event.snapshot.snapshot"),
        (
            lambda b: b.entries[1].event.snapshot.snapshot.orders[4].ClearField("cancelled"),
            "entries[1].event.snapshot.snapshot.orders[4].state",
        ),
        (
            lambda b: b.entries[1].event.snapshot.snapshot.orders[6].open_failed.ClearField("error"),
            "entries[1].event.snapshot.snapshot.orders[6].open_failed.error",
        ),
        (lambda b: b.entries[6].event.trade.trade.ClearField("order_id"), "entries[6].event.trade.trade.order_id"),
        (lambda b: b.entries[8].intent.ClearField("open"), "entries[8].intent.request"),
        (lambda b: b.entries[10].result.ClearField("outcome"), "entries[10].result.outcome"),
    ],
)
def test_a_bad_account_batch_is_refused(
    change: Callable[[account_journal_pb2.AccountBatch], object], path: str
) -> None:
    batch = account_batch()
    change(batch)
    with pytest.raises(errors.DecodeError) as refused:
        account_batch_from_bytes(batch.SerializeToString())
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda b: b.ClearField("publisher"), "publisher"),
        (lambda b: b.ClearField("exchange"), "exchange"),
        (lambda b: b.ClearField("sequence"), "sequence"),
        (lambda b: b.items[1].ClearField("event"), "items[1].item"),
        (lambda b: _set(b.items[3].reconnecting, "exchange", 9), "items[3].reconnecting.exchange"),
        (lambda b: _set(b.items[0].event.trade, "amount", "1e99"), "items[0].event.trade.amount"),
    ],
)
def test_a_bad_market_batch_is_refused(change: Callable[[market_pb2.MarketBatch], object], path: str) -> None:
    batch = market_batch()
    change(batch)
    with pytest.raises(errors.DecodeError) as refused:
        market_batch_from_bytes(batch.SerializeToString(), IndexBounds(2, 4, 2))
    assert refused.value.path == path


def test_a_command_inside_a_tick_has_no_times_and_no_event_of_its_own() -> None:
    tick = audit_pb2.AuditTick(command=command_pb2.Command(id="c", origin="o", time_ns=5))
    tick.command.cancel_orders.filter.all.SetInParent()
    with pytest.raises(errors.Inconsistent, match=r"command\.time_ns"):
        tick_from_bytes(tick.SerializeToString())
    shutdown = audit_pb2.AuditTick(command=command_pb2.Command(id="c", origin="o"))
    shutdown.command.shutdown.SetInParent()
    with pytest.raises(errors.Inconsistent, match=r"command\.action.*found shutdown"):
        tick_from_bytes(shutdown.SerializeToString())


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (command_pb2.Command(origin="o"), "id"),
        (command_pb2.Command(id="c"), "origin"),
        (command_pb2.Command(id="c", origin="o"), "action"),
        (
            command_pb2.Command(id="c", origin="o", close_positions=command_pb2.ClosePositions()),
            "close_positions.filter",
        ),
        (
            command_pb2.Command(id="c", origin="o", set_trading_state=command_pb2.SetTradingState()),
            "set_trading_state.state",
        ),
    ],
)
def test_a_bad_command_is_refused(message: command_pb2.Command, path: str) -> None:
    with pytest.raises(errors.DecodeError) as refused:
        command_message_from_bytes(message.SerializeToString())
    assert refused.value.path == path


def test_a_request_without_client_order_id_is_refused() -> None:
    message = exec_pb2.OrderRequests.FromString(corpus()["order_requests-all"][1])
    message.requests[2].resolve.ClearField("cid")
    with pytest.raises(errors.MissingField, match=r"requests\[2\]\.resolve\.key\.cid"):
        order_requests_from_bytes(message.SerializeToString())


def test_a_heartbeat_names_its_sender() -> None:
    message = heartbeat_pb2.Heartbeat(service="market", mode="demo", state="running")
    with pytest.raises(errors.MissingField, match="instance"):
        heartbeat_from_bytes(message.SerializeToString())


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (positions_pb2.JournalMark(stream="AUDIT_demo", position=3), "expected a fingerprint, found ''"),
        (positions_pb2.JournalMark(stream="AUDIT_demo", fingerprint="00"), "expected no fingerprint at position 0"),
        (positions_pb2.JournalMark(position=3, fingerprint="00"), "expected a text"),
    ],
)
def test_a_mark_names_its_stream_and_its_message(mark: positions_pb2.JournalMark, expected: str) -> None:
    message = positions_pb2.ReaderPositions(reader="engine.demo", instance="engine-1", marks=[mark])
    with pytest.raises(errors.DecodeError, match=rf"marks\[0\].*{expected}"):
        reader_positions_from_bytes(message.SerializeToString())


@pytest.mark.parametrize(("kept", "total"), [(1, 2), (2, 1), (PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX + 1)])
def test_a_dead_letter_keeps_as_much_as_it_says(kept: int, total: int) -> None:
    message = dlq_pb2.DeadLetter(service="s", subject="x", reason="r", payload=bytes(kept), payload_bytes_total=total)
    with pytest.raises(errors.Inconsistent, match="payload"):
        dead_letter_from_bytes(message.SerializeToString())


def test_bytes_that_are_no_message_are_malformed() -> None:
    with pytest.raises(errors.Malformed, match="expected a MarketEvent, found 3 bytes"):
        market_event_from_bytes(b"\xff\xff\xff", UNBOUNDED)


def test_the_path_joins_names_and_positions() -> None:
    error = errors.DecodeError("wrong")
    assert str(error) == "wrong"
    error.prefix("value")
    error.prefix("items[2]")
    error.prefix("list")
    assert str(error) == "list.items[2].value: wrong"
