"""How values become bytes: joined without encoding twice, and refused where the contract has no place for them."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from enum import Enum

import psutil
import pytest

from tests.golden.wire.corpus import FINGERPRINT, MARKET_EVENTS, T0
from tradebus.core import COMPILED
from tradebus.core.engine.audit.tick import AuditTick, DataPatched, Halted, Output, TimerSet
from tradebus.core.engine.command import CancelOrders, Command, CommandAction, InstrumentFilter
from tradebus.core.engine.event import AccountData, AccountEvent, ClockAdvanced, Shutdown, TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import BookL1, Level, MarketData, MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex, StrategyId
from tradebus.core.model.side import Side
from tradebus.wire.codec.audit import (
    AuditBatch,
    AuditBatchHead,
    audit_batch_from_bytes,
    audit_batch_to_bytes,
    tick_from_bytes,
    tick_to_bytes,
)
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.error import EncodeError, InvalidNumber
from tradebus.wire.codec.frame import frame, tag, unframe
from tradebus.wire.codec.heartbeat import Heartbeat, heartbeat_to_bytes
from tradebus.wire.codec.market import (
    MarketBatch,
    MarketBatchHead,
    market_batch_from_bytes,
    market_batch_join,
    market_event_from_bytes,
    market_event_to_bytes,
    market_item_frame,
    market_item_to_bytes,
)
from tradebus.wire.codec.number import (
    CACHE_SIZE_MAX,
    KNOWN_NUMBERS,
    computed_from_text,
    computed_to_text,
    given_from_text,
)
from tradebus.wire.codec.plain import DEPTH_MAX
from tradebus.wire.pb.v1 import audit_pb2, market_pb2, order_pb2, output_pb2

STRATEGY = StrategyId("s")
HEAD = MarketBatchHead("market-1", 1, "sim_alpha", 0, 1, FINGERPRINT)


def tick(event: EngineEvent, *outputs: Output) -> AuditTick:
    return AuditTick(3, T0, event, outputs, ())


def trade(price: str, sequence: int = 1) -> MarketEvent:
    data = PublicTrade(f"t{price}", Decimal(price), Decimal(1), Side.SELL)
    return MarketEvent(T0, T0, ExchangeIndex(0), InstrumentIndex(0), sequence, data)


# ---------------------------------------------------------------------------------------------- joining


@pytest.mark.parametrize("length", [0, 1, 127, 128, 300, 1023, 1024, 16_383, 16_384, 100_000])
@pytest.mark.parametrize("field", [1, 15])
def test_a_frame_is_a_sub_message(length: int, field: int) -> None:
    content = market_pb2.MarketBatchFrames(items=[bytes(length)]).SerializeToString()
    assert frame(tag(9), bytes(length)) == content
    framed = frame(tag(field), bytes(length))
    assert unframe(tag(field), framed) == (bytes(length) if length < 16_384 else None)
    assert unframe(tag(2), framed) is None


@pytest.mark.parametrize(
    "framed",
    [
        b"",
        b"\x0a",
        b"\x0a\x05abc",
        b"\x0a\x02abc",
        b"\x0a\x80",
        b"\x0a\x80\x01a",
        b"\x0a\xff\xff",
        b"\x0a\x01a\x0a\x01b",
    ],
)
def test_what_is_not_exactly_one_frame_is_left_to_the_parser(framed: bytes) -> None:
    assert unframe(tag(1), framed) is None


def test_a_spliced_tick_is_what_protobuf_itself_would_write() -> None:
    for event in MARKET_EVENTS:
        received = market_event_to_bytes(event)
        whole = audit_pb2.AuditTick(
            sequence=3,
            time_ns=T0,
            market=market_pb2.MarketEvent.FromString(received),
            outputs=[output_pb2.Output(halted=output_pb2.Halted(strategy="s", reason="r"))],
        )
        assert tick_to_bytes(tick(event, Halted(STRATEGY, "r")), received) == whole.SerializeToString()


def test_a_joined_batch_is_what_protobuf_itself_would_write() -> None:
    items = (*MARKET_EVENTS, MarketReconnecting(ExchangeIndex(1), "x"))
    whole = market_pb2.MarketBatch(publisher="market-1", publisher_epoch=1, exchange="sim_alpha", sequence=1)
    whole.index_fingerprint = FINGERPRINT
    for item in items:
        content = market_item_to_bytes(item)
        if isinstance(item, MarketEvent):
            whole.items.add().event.MergeFromString(content)
        else:
            whole.items.add().reconnecting.MergeFromString(content)
    frames = [market_item_frame(item, market_item_to_bytes(item)) for item in items]
    assert market_batch_join(HEAD, frames) == whole.SerializeToString()


def test_a_batch_that_another_library_laid_out_differently_is_read_too() -> None:
    """Lengths and tags may be written longer than needed; parts of a message may come in pieces."""
    event = market_event_to_bytes(MARKET_EVENTS[0])
    in_pieces = frame(tag(1), event[:20]) + frame(tag(1), event[20:])
    long_length = tag(1) + bytes([len(event) | 0x80, 0x80, 0x00]) + event
    payload = market_batch_join(HEAD, [frame(tag(9), in_pieces), frame(tag(9), long_length)])
    found = market_batch_from_bytes(payload)
    assert found == MarketBatch(HEAD, (MARKET_EVENTS[0], MARKET_EVENTS[0]))
    assert found.encoded == (event, event)


def test_an_event_is_kept_in_the_bytes_it_came_in() -> None:
    """A field that a later version added is passed on to the journal, though this version cannot read it."""
    event = market_event_to_bytes(MARKET_EVENTS[0]) + frame(tag(500), b"from the future")
    found = market_batch_from_bytes(market_batch_join(HEAD, [market_item_frame(MARKET_EVENTS[0], event)]))
    assert found.encoded == (event,)
    assert event in tick_to_bytes(tick(found.items[0]), found.encoded[0])


def test_bytes_given_for_an_event_that_was_not_received_are_ignored() -> None:
    assert tick_to_bytes(tick(ClockAdvanced()), b"nonsense") == tick_to_bytes(tick(ClockAdvanced()))


def test_threads_encode_without_disturbing_each_other() -> None:
    events = [trade(str(price)) for price in range(1, 2000)]
    with ThreadPoolExecutor(4) as pool:
        encoded = list(pool.map(market_event_to_bytes, events, chunksize=10))
    assert [market_event_from_bytes(payload) for payload in encoded] == events


def test_encoding_keeps_no_memory() -> None:
    """A protobuf message that is filled again and again keeps every text it ever held: 30 bytes an event."""
    process = psutil.Process()
    ticks = [AuditTick(1, T0, event, (), ()) for event in MARKET_EVENTS[:3]]

    def resident_after_encoding() -> int:
        for _ in range(30_000):
            for tick in ticks:
                tick_to_bytes(tick)
        return process.memory_info().rss

    warm = resident_after_encoding()
    assert resident_after_encoding() - warm < 1_000_000


def test_an_event_after_another_carries_nothing_of_it() -> None:
    full = BookL1(Level(Decimal(2), Decimal(3)), Level(Decimal(4), Decimal(5)))
    for data in (full, BookL1(None, full.best_ask), full, BookL1(full.best_bid, None), full, BookL1(None, None)):
        event = MarketEvent(T0, T0, ExchangeIndex(0), InstrumentIndex(0), 0, data)
        assert market_event_from_bytes(market_event_to_bytes(event)) == event


# ---------------------------------------------------------------------------------------------- refused


# What the contract does not know. From compiled classes nobody can derive, so there it cannot even be made.
FOREIGN: list[tuple[AuditTick, str]] = []
if not COMPILED:

    class ForeignData(MarketData):
        """Data of a kind that the contract does not know."""

    class ForeignEvent(EngineEvent):
        """An event that the contract does not know."""

    class ForeignOutput(Output):
        """An output that the contract does not know."""

    class ForeignAccountData(AccountData):
        """Account data that the contract does not know."""

    class ForeignAction(CommandAction):
        """An action that the contract does not know."""

    class ForeignFilter(InstrumentFilter):
        """A filter that the contract does not know."""

    FOREIGN = [
        (tick(MarketEvent(T0, T0, ExchangeIndex(0), InstrumentIndex(0), 0, ForeignData())), "found ForeignData"),
        (tick(ForeignEvent()), "found ForeignEvent"),
        (tick(Shutdown(), ForeignOutput()), "found ForeignOutput"),
        (tick(AccountEvent(ExchangeIndex(0), 0, 0, ForeignAccountData())), "found ForeignAccountData"),
        (tick(Command("c", "o", ForeignAction())), "found ForeignAction"),
        (tick(Command("c", "o", CancelOrders(ForeignFilter()))), "found ForeignFilter"),
    ]


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = {"k": value}
    return value


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        *FOREIGN,
        (tick(Shutdown(), DataPatched(STRATEGY, "k", 1.5)), "found float"),
        (tick(Shutdown(), DataPatched(STRATEGY, "k", True + 0j)), "found complex"),
        (tick(Shutdown(), DataPatched(STRATEGY, "k", {1: 2})), "expected text as key, found int"),
        (tick(Shutdown(), DataPatched(STRATEGY, "k", Decimal("NaN"))), "finite number"),
        (tick(Shutdown(), DataPatched(STRATEGY, "k", nested(DEPTH_MAX + 1))), f"at most {DEPTH_MAX} containers"),
        (tick(Shutdown(), Halted(STRATEGY, "\ud800")), "tick 3: "),
        (tick(Shutdown(), TimerSet(STRATEGY, "t", 2**63)), "tick 3: "),
        (AuditTick(-1, T0, Shutdown(), (), ()), "tick -1: "),
        (tick(MarketEvent(2**63, T0, ExchangeIndex(0), InstrumentIndex(0), 0, MARKET_EVENTS[0].data)), "MarketEvent: "),
    ],
)
def test_what_the_contract_cannot_carry_is_not_sent(bad: AuditTick, message: str) -> None:
    with pytest.raises(EncodeError, match=message):
        tick_to_bytes(bad)


def test_after_a_refusal_the_next_event_is_encoded_right() -> None:
    bad = MarketEvent(2**63, T0, ExchangeIndex(0), InstrumentIndex(0), 0, MARKET_EVENTS[0].data)
    with pytest.raises(EncodeError):
        market_event_to_bytes(bad)
    assert market_event_from_bytes(market_event_to_bytes(MARKET_EVENTS[0])) == MARKET_EVENTS[0]


def test_the_deepest_plain_value_is_read_inside_a_batch() -> None:
    deep = tick(ClockAdvanced(), DataPatched(STRATEGY, "k", nested(DEPTH_MAX)))
    batch = AuditBatch(AuditBatchHead("demo", 1, 3, 3, bytes(16), FINGERPRINT, 1), (deep,))
    assert audit_batch_from_bytes(audit_batch_to_bytes(batch)) == batch


def test_a_command_says_the_same_outside_and_inside() -> None:
    command = Command("c", "o", CancelOrders(InstrumentFilter()))
    with pytest.raises(EncodeError):
        command_message_to_bytes(CommandMessage("c", "o", T0, 0, command))
    update = TradingStateUpdate(TradingState.ENABLED, "somebody")
    with pytest.raises(EncodeError, match="expected the origin 'o', found 'somebody'"):
        command_message_to_bytes(CommandMessage("c", "o", T0, 0, update))


def test_envelopes_refuse_what_they_cannot_carry() -> None:
    with pytest.raises(EncodeError, match="Heartbeat"):
        heartbeat_to_bytes(Heartbeat("\ud800", "i", "demo", T0, "running"))
    with pytest.raises(EncodeError, match="MarketBatch"):
        market_batch_join(MarketBatchHead("p", -1, "sim_alpha", 0, 1, ""), [])


# ---------------------------------------------------------------------------------------------- numbers, enums


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "Infinity",
        "1_000",
        " 1",
        "1 ",
        "1.",
        ".5",
        "--1",
        "1e",
        "1e999",
        "0x1",
        "\u0661",
        "²",
        "1" * 30,
        "1,5",
    ],
)
def test_a_given_number_is_read_strictly(text: str) -> None:
    with pytest.raises(InvalidNumber, match="price"):
        given_from_text(text, "price")
    assert text not in KNOWN_NUMBERS


@pytest.mark.parametrize("text", ["0", "-0", "50000.10", "1E-8", "1e-8", "0E-8", "-12.5", "9" * 29, "0." + "1" * 28])
def test_a_given_number_keeps_its_form(text: str) -> None:
    assert str(given_from_text(text, "price")) == str(Decimal(text))


def test_remembered_numbers_are_bounded() -> None:
    for number in range(CACHE_SIZE_MAX + 10):
        given_from_text(str(number), "price")
        assert len(KNOWN_NUMBERS) <= CACHE_SIZE_MAX
    assert given_from_text("17", "price") == 17


@pytest.mark.parametrize("text", ["", "NaN", "sNaN", "Infinity", "1_0", " 1", "1e1000", "1" * 129, "\u0661", "0x1"])
def test_a_computed_number_is_finite_and_short(text: str) -> None:
    with pytest.raises(InvalidNumber, match="pnl"):
        computed_from_text(text, "pnl")


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+1000"), Decimal("1" * 129)])
def test_what_could_not_be_read_back_is_not_written(number: Decimal) -> None:
    with pytest.raises(EncodeError, match="finite number"):
        computed_to_text(number)


def test_a_quotient_of_the_engine_travels_exactly() -> None:
    quotient = Decimal("0.00001234") / 7
    assert computed_from_text(computed_to_text(quotient), "price") == quotient


class WrongNumbers(Enum):
    """The right names with other numbers."""

    BUY = 2
    SELL = 1


def test_an_enum_that_differs_from_the_contract_is_refused_at_import() -> None:
    with pytest.raises(TypeError, match=r"WrongNumbers is not tradebus\.v1\.Side"):
        EnumCodec(WrongNumbers, order_pb2.Side)


def test_a_tick_read_without_an_index_takes_any_number() -> None:
    far = MarketEvent(T0, T0, ExchangeIndex(2**32 - 1), InstrumentIndex(2**32 - 1), 0, MARKET_EVENTS[0].data)
    assert tick_from_bytes(tick_to_bytes(tick(far))).event == far
