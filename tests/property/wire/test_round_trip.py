"""Whatever the core can hold comes back from the wire equal."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support import values
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.command import Command
from tradebus.core.engine.event import EngineStarted, Shutdown, TradingStateUpdate
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument, InstrumentDefinition
from tradebus.wire.codec import account_journal as journal
from tradebus.wire.codec import exec as requests
from tradebus.wire.codec.audit import (
    AuditBatch,
    AuditBatchHead,
    audit_batch_from_bytes,
    audit_batch_to_bytes,
    audit_frames_from_bytes,
    tick_from_bytes,
    tick_to_bytes,
)
from tradebus.wire.codec.command import CommandMessage, command_message_from_bytes, command_message_to_bytes
from tradebus.wire.codec.dlq import PAYLOAD_BYTES_MAX, dead_letter, dead_letter_from_bytes, dead_letter_to_bytes
from tradebus.wire.codec.flow import Credit, credit_from_bytes, credit_to_bytes
from tradebus.wire.codec.heartbeat import Heartbeat, StreamPosition, heartbeat_from_bytes, heartbeat_to_bytes
from tradebus.wire.codec.instrument import (
    indexed_instruments_from_pb,
    indexed_instruments_to_pb,
    instrument_definition_from_pb,
    instrument_definition_to_pb,
    instrument_from_pb,
    instrument_to_pb,
)
from tradebus.wire.codec.market import (
    MarketBatch,
    MarketBatchHead,
    market_batch_from_bytes,
    market_batch_to_bytes,
    market_event_from_bytes,
    market_event_to_bytes,
    market_item_to_bytes,
)
from tradebus.wire.codec.plain import plain_from_pb, plain_to_pb
from tradebus.wire.codec.positions import (
    JournalMark,
    ReaderPositions,
    reader_positions_from_bytes,
    reader_positions_to_bytes,
)
from tradebus.wire.pb.v1 import instrument_pb2, plain_pb2

shards = st.integers(0, 2**32 - 1)
positive = st.integers(1, 2**64 - 1)
chains = st.binary(min_size=16, max_size=16)
market_items = st.one_of(values.market_events, values.market_reconnectings)
market_heads = st.builds(
    MarketBatchHead, values.ids, values.sequences, values.ids, shards, positive, values.texts, st.booleans(), positive
)


@given(values.market_events)
def test_market_events(event: MarketEvent) -> None:
    assert market_event_from_bytes(market_event_to_bytes(event), values.BOUNDS) == event


@given(market_heads, st.lists(market_items, max_size=4))
def test_market_batches(head: MarketBatchHead, items: list[MarketEvent | MarketReconnecting]) -> None:
    batch = MarketBatch(head, tuple(items))
    found = market_batch_from_bytes(market_batch_to_bytes(batch), values.BOUNDS)
    assert found == batch
    assert list(found.encoded) == [market_item_to_bytes(item) for item in items]


@given(values.audit_ticks)
def test_ticks(tick: AuditTick) -> None:
    assert tick_from_bytes(tick_to_bytes(tick), values.BOUNDS) == tick


@given(values.audit_ticks, market_items)
def test_a_tick_takes_the_bytes_of_a_received_event_as_they_are(
    tick: AuditTick, item: MarketEvent | MarketReconnecting
) -> None:
    received = market_item_to_bytes(item)
    with_item = AuditTick(tick.sequence, tick.time_ns, item, tick.outputs, tick.errors)
    assert tick_to_bytes(with_item, received) == tick_to_bytes(with_item)
    assert received in tick_to_bytes(with_item, received)


@given(values.engines_started(), st.integers(0, 2**63), values.times_ns)
def test_the_start_of_an_engine(event: EngineStarted, sequence: int, time_ns: int) -> None:
    for first in (event, EngineResumed(event)):
        tick = AuditTick(sequence, time_ns, first, (), ())
        assert tick_from_bytes(tick_to_bytes(tick)) == tick


@given(st.data(), chains, st.integers(0, 2**32), st.lists(values.audit_ticks, min_size=1, max_size=3))
def test_audit_batches(data: st.DataObject, chain: bytes, first: int, drawn: list[AuditTick]) -> None:
    ticks = tuple(AuditTick(first + i, t.time_ns, t.event, t.outputs, t.errors) for i, t in enumerate(drawn))
    head = AuditBatchHead(
        data.draw(values.ids),
        data.draw(values.sequences),
        first,
        first + len(ticks) - 1,
        chain,
        data.draw(values.ids),
        data.draw(shards),
        data.draw(values.texts),
        data.draw(values.texts),
    )
    batch = AuditBatch(head, ticks)
    encoded = audit_batch_to_bytes(batch)
    assert audit_batch_from_bytes(encoded, values.BOUNDS) == batch
    frames = audit_frames_from_bytes(encoded)
    assert frames.head == head
    assert [tick_from_bytes(tick) for tick in frames.ticks] == list(ticks)


@given(st.data(), chains, st.integers(0, 2**32))
def test_account_batches(data: st.DataObject, chain: bytes, first: int) -> None:
    intents = st.builds(
        journal.Intent,
        values.ids,
        values.sequences,
        values.sequences,
        values.times_ns,
        st.one_of(values.order_requests_open, values.order_requests_cancel),
    )
    results = st.builds(
        journal.RequestResult,
        values.order_keys,
        values.sequences,
        values.members(journal.RequestOutcome),
        values.texts,
    )
    ownerships = st.builds(journal.Ownership, values.ids, values.sequences)
    records = st.one_of(ownerships, values.account_events, intents, results, values.account_reconnectings)
    entries = data.draw(
        st.lists(st.builds(journal.AccountEntry, values.times_ns, records), min_size=1, max_size=3).map(tuple)
    )
    head = journal.AccountBatchHead(
        data.draw(values.ids),
        data.draw(values.ids),
        data.draw(values.sequences),
        first,
        first + len(entries) - 1,
        chain,
        data.draw(values.sequences),
        data.draw(values.ids),
    )
    batch = journal.AccountBatch(head, entries)
    assert journal.account_batch_from_bytes(journal.account_batch_to_bytes(batch), values.BOUNDS) == batch


@given(values.ids, values.ids, values.times_ns, values.times_ns, st.data())
def test_commands(id_: str, origin: str, time_ns: int, expiry_ns: int, data: st.DataObject) -> None:
    event = data.draw(
        st.one_of(
            values.command_actions.map(lambda action: Command(id_, origin, action)),
            values.trading_state_updates.map(lambda update: TradingStateUpdate(update.state, origin)),
            st.builds(Shutdown),
        )
    )
    message = CommandMessage(id_, origin, time_ns, expiry_ns, event)
    assert command_message_from_bytes(command_message_to_bytes(message), values.BOUNDS) == message


with_cid = values.order_keys.filter(lambda key: key.cid != "")
order_requests = st.one_of(
    values.order_requests_open.filter(lambda request: request.key.cid != ""),
    values.order_requests_cancel.filter(lambda request: request.key.cid != ""),
    st.builds(requests.ResolveOrder, with_cid),
)


@given(
    st.builds(
        requests.OrderRequests,
        values.ids,
        values.sequences,
        values.sequences,
        values.times_ns,
        values.tuples_of(order_requests),
    )
)
def test_order_requests(message: requests.OrderRequests) -> None:
    assert requests.order_requests_from_bytes(requests.order_requests_to_bytes(message), values.BOUNDS) == message


answers = st.builds(
    requests.OrderAnswer,
    values.cids,
    values.sequences,
    st.none() | values.members(journal.RequestOutcome),
    values.texts,
)


@given(st.builds(requests.OrderReply, values.ids, values.ids, values.sequences, values.tuples_of(answers)))
def test_order_replies(message: requests.OrderReply) -> None:
    assert requests.order_reply_from_bytes(requests.order_reply_to_bytes(message)) == message


positions = st.builds(StreamPosition, values.ids, values.sequences, values.sequences)


@given(
    st.builds(
        Heartbeat,
        values.ids,
        values.ids,
        values.ids,
        values.times_ns,
        values.ids,
        values.tuples_of(positions),
        values.tuples_of(values.texts),
    )
)
def test_heartbeats(message: Heartbeat) -> None:
    assert heartbeat_from_bytes(heartbeat_to_bytes(message)) == message


@given(st.builds(Credit, values.ids, values.sequences, values.sequences, values.sequences))
def test_credits(message: Credit) -> None:
    assert credit_from_bytes(credit_to_bytes(message)) == message


@given(
    values.ids,
    st.text(st.characters(), min_size=1),
    st.text(st.characters(), min_size=1),
    st.one_of(st.binary(), st.integers(PAYLOAD_BYTES_MAX - 1, PAYLOAD_BYTES_MAX + 1).map(bytes)),
    values.times_ns,
    values.sequences,
)
def test_dead_letters_take_any_reason_and_keep_the_beginning_of_any_payload(
    service: str, subject: str, reason: str, payload: bytes, time_ns: int, sequence: int
) -> None:
    letter = dead_letter(service, subject, reason, payload, time_ns, sequence)
    found = dead_letter_from_bytes(dead_letter_to_bytes(letter))
    assert found == letter
    assert found.payload == payload[:PAYLOAD_BYTES_MAX]
    assert found.payload_bytes_total == len(payload)


@given(values.plain_values)
def test_plain_values_keep_their_exact_types(value: object) -> None:
    message = plain_pb2.PlainValue()
    plain_to_pb(value, message)
    found = plain_from_pb(plain_pb2.PlainValue.FromString(message.SerializeToString()))
    assert found == value
    assert repr(found) == repr(value)  # 1 is not True, 1.0 not 1.00, (1,) not [1]; and the order of a map's keys


@given(values.instrument_definitions())
def test_definitions(definition: InstrumentDefinition) -> None:
    message = instrument_pb2.InstrumentDefinition()
    instrument_definition_to_pb(definition, message)
    assert instrument_definition_from_pb(message) == definition


@given(values.instruments())
def test_instruments(instrument: Instrument) -> None:
    message = instrument_pb2.Instrument()
    instrument_to_pb(instrument, message)
    assert instrument_from_pb(message) == instrument


@given(values.indexed_instruments())
def test_indices_keep_numbers_and_fingerprint(index: IndexedInstruments) -> None:
    message = instrument_pb2.IndexedInstruments()
    indexed_instruments_to_pb(index, message)
    found = indexed_instruments_from_pb(message)
    assert found == index
    assert found.fingerprint() == index.fingerprint()


marks = st.one_of(
    st.builds(JournalMark, values.ids, positive, values.ids, values.sequences),
    st.builds(JournalMark, values.ids, st.just(0), st.just(""), values.sequences),
)


@given(st.builds(ReaderPositions, values.ids, values.ids, values.times_ns, values.tuples_of(marks)))
def test_reader_positions(message: ReaderPositions) -> None:
    assert reader_positions_from_bytes(reader_positions_to_bytes(message)) == message
