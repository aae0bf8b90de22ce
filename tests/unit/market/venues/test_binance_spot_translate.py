"""Binance spot frames become events: every documented form, and everything that is not one."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.venues.binance_spot.translate import BinanceSpotTranslator, symbol_of
from services.market.venues.errors import (
    ErrorReply,
    FrameError,
    MalformedFrame,
    UnidentifiableFrame,
    UnsupportedSubscription,
)
from services.market.venues.interface import Subscription, SubscriptionKind
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.tally import UNKNOWN_KINDS_MAX, UNKNOWN_REST, FrameTally
from tests.support.venue_server.frames import (
    book_ticker_frame,
    depth_snapshot,
    depth_update_frame,
    in_envelope,
    trade_frame,
)
from tradebus.core.market.event import BookL1, Level, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.side import Side

EXCHANGE = ExchangeIndex(3)
BTC = InstrumentIndex(7)
ETH = InstrumentIndex(8)
RECEIVED_NS = 1_723_161_254_087_891_268


def both_kinds(instrument: InstrumentIndex, symbol: str) -> list[Subscription]:
    return [
        Subscription(instrument, symbol, SubscriptionKind.PUBLIC_TRADES),
        Subscription(instrument, symbol, SubscriptionKind.ORDER_BOOKS_L1),
    ]


def make_translator(
    *, sequences: InstrumentSequences | None = None, tally: FrameTally | None = None
) -> BinanceSpotTranslator:
    return BinanceSpotTranslator(
        EXCHANGE,
        [*both_kinds(BTC, "BTCUSDT"), *both_kinds(ETH, "ETHUSDT")],
        InstrumentSequences() if sequences is None else sequences,
        FrameTally() if tally is None else tally,
    )


def only(events: tuple[MarketEvent, ...]) -> MarketEvent:
    assert len(events) == 1
    return events[0]


def a_trade(**changes: object) -> bytes:
    fields = {"e": "trade", "E": 2, "s": "BTCUSDT", "t": 9, "p": "1.5", "q": "0.1", "T": 1, "m": False, "M": True}
    return json.dumps({**fields, **changes}, separators=(",", ":")).encode()


def a_ticker(**changes: object) -> bytes:
    fields = {"u": 4, "s": "BTCUSDT", "b": "1.5", "B": "2", "a": "1.6", "A": "3"}
    return json.dumps({**fields, **changes}, separators=(",", ":")).encode()


def forms(stream: str, payload: bytes) -> list[bytes]:
    """Give the same frame as it may arrive: raw, enveloped, spaced, and with its members in another order."""
    members = json.loads(payload)
    reordered = dict(reversed(members.items()))
    return [
        payload,
        in_envelope(stream, payload),
        json.dumps(members, indent=2).encode(),
        json.dumps(reordered).encode(),
        json.dumps({"data": reordered, "stream": stream}).encode(),
        b" \n" + in_envelope(stream, payload) + b"\n",
    ]


TRADE = trade_frame(
    "BTCUSDT", 3735683259, "61837.63000000", "0.02000000", time_ms=1723161255342, buyer_is_maker=True,
    event_time_ms=1723161255343,
)  # fmt: skip
TICKER = book_ticker_frame(
    "ETHUSDT", 22606535573, bid="1215.27000000", bid_quantity="32.49110000", ask="1215.28", ask_quantity="13.939"
)


@pytest.mark.parametrize("raw", forms("btcusdt@trade", TRADE))
def test_trade_becomes_a_public_trade_in_every_form_of_the_frame(raw: bytes) -> None:
    event = only(make_translator().translate(raw, RECEIVED_NS))
    assert event == MarketEvent(
        1_723_161_255_342_000_000,
        RECEIVED_NS,
        EXCHANGE,
        BTC,
        1,
        PublicTrade("3735683259", Decimal("61837.63"), Decimal("0.02"), Side.SELL),
    )


@pytest.mark.parametrize("raw", forms("ethusdt@bookTicker", TICKER))
def test_book_ticker_becomes_the_best_bid_and_ask_at_the_receive_time(raw: bytes) -> None:
    event = only(make_translator().translate(raw, RECEIVED_NS))
    assert event == MarketEvent(
        RECEIVED_NS,
        RECEIVED_NS,
        EXCHANGE,
        ETH,
        1,
        BookL1(
            Level(Decimal("1215.27"), Decimal("32.4911")),
            Level(Decimal("1215.28"), Decimal("13.939")),
        ),
    )


def test_buyer_who_is_not_the_maker_was_the_aggressor() -> None:
    data = only(make_translator().translate(a_trade(m=False), RECEIVED_NS)).data
    assert isinstance(data, PublicTrade)
    assert data.side is Side.BUY


def test_book_ticker_with_a_time_uses_it() -> None:
    event = only(make_translator().translate(a_ticker(T=1_649_839_266_194, e="bookTicker"), RECEIVED_NS))
    assert event.time_exchange_ns == 1_649_839_266_194_000_000


@pytest.mark.parametrize("zero", ["0", "0.00000000", "-0", "0e5"])
def test_side_of_price_zero_is_absent(zero: str) -> None:
    no_bid = only(make_translator().translate(a_ticker(b=zero), RECEIVED_NS)).data
    no_ask = only(make_translator().translate(a_ticker(a=zero, A="0"), RECEIVED_NS)).data
    neither = only(make_translator().translate(a_ticker(a=zero, b=zero), RECEIVED_NS)).data
    assert no_bid == BookL1(None, Level(Decimal("1.6"), Decimal(3)))
    assert no_ask == BookL1(Level(Decimal("1.5"), Decimal(2)), None)
    assert neither == BookL1(None, None)


def test_prices_are_exactly_what_the_venue_wrote() -> None:
    data = only(make_translator().translate(a_trade(p="0.10000000000000000001", q="3e-8"), RECEIVED_NS)).data
    assert isinstance(data, PublicTrade)
    assert str(data.price) == "0.10000000000000000001"
    assert data.amount == Decimal("0.00000003")


def test_sequence_counts_all_events_of_an_instrument_and_survives_the_translator() -> None:
    sequences = InstrumentSequences()
    first, second = make_translator(sequences=sequences), make_translator(sequences=sequences)
    numbers = [
        only(translator.translate(raw, RECEIVED_NS)).sequence
        for translator, raw in [
            (first, a_trade()),
            (first, a_ticker()),
            (first, a_trade(s="ETHUSDT")),
            (second, a_ticker()),
            (second, a_ticker(s="ETHUSDT")),
        ]
    ]
    assert numbers == [1, 2, 1, 3, 2]
    assert sequences.last() == {BTC: 3, ETH: 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"p": 1.5},
        {"q": 1},
        {"p": "NaN"},
        {"p": "Infinity"},
        {"p": "1_000"},
        {"p": " 1"},
        {"p": ""},
        {"p": "\uff11"},
        {"p": "1e99"},
        {"p": "0"},
        {"q": "0.00000000"},
        {"p": "-1"},
        {"m": "yes"},
        {"m": 1},
        {"t": "9"},
        {"t": -1},
        {"T": "1"},
        {"T": 1.5},
        {"T": -1},
        {"T": 2**63},
        {"s": None},
        {"e": 5},
    ],
)
def test_trade_with_a_wrong_field_is_malformed_and_gives_no_event(changes: dict[str, object]) -> None:
    sequences = InstrumentSequences()
    raw = a_trade(**changes)
    for frame in (raw, in_envelope("btcusdt@trade", raw)):
        with pytest.raises(MalformedFrame) as caught:
            make_translator(sequences=sequences).translate(frame, RECEIVED_NS)
        assert caught.value.payload == frame
    assert set(sequences.last().values()) == {0}


@pytest.mark.parametrize("missing", ["s", "t", "p", "q", "T", "m"])
def test_trade_without_a_field_is_malformed_and_the_field_is_named(missing: str) -> None:
    fields = json.loads(a_trade())
    del fields[missing]
    with pytest.raises(MalformedFrame, match=f"missing required field `{missing}`"):
        make_translator().translate(json.dumps(fields).encode(), RECEIVED_NS)


@pytest.mark.parametrize("changes", [{"b": 1.5}, {"a": "x"}, {"B": "-1"}, {"b": "-0.5"}, {"A": None}, {"s": 4}])
def test_book_ticker_with_a_wrong_field_is_malformed(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedFrame):
        make_translator().translate(a_ticker(**changes), RECEIVED_NS)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b'{"e":"trade"', b"nonsense", b'{"e":"trade"}garbage', b"\xff\xfe", TRADE[:-1], b"\x00"],
)
def test_bytes_that_are_no_json_are_malformed_and_the_message_shows_them(raw: bytes) -> None:
    with pytest.raises(MalformedFrame, match="binance_spot: expected JSON"):
        make_translator().translate(raw, RECEIVED_NS)


@pytest.mark.parametrize("raw", [a_trade(s="@"), a_trade(e="@"), a_trade(p="@"), a_ticker(s="@")])
def test_text_that_is_no_utf8_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedFrame):
        make_translator().translate(raw.replace(b"@", b"\xff"), RECEIVED_NS)


def test_message_of_a_malformed_frame_holds_an_excerpt_only() -> None:
    raw = a_trade(p="x" * 10_000)
    with pytest.raises(MalformedFrame) as caught:
        make_translator().translate(raw, RECEIVED_NS)
    assert len(str(caught.value)) < 600
    assert "bytes more" in str(caught.value)
    assert caught.value.payload == raw


def test_data_of_an_unknown_symbol_are_unidentifiable() -> None:
    translator = make_translator()
    with pytest.raises(UnidentifiableFrame) as of_trade:
        translator.translate(a_trade(s="SOLUSDT"), RECEIVED_NS)
    with pytest.raises(UnidentifiableFrame) as of_ticker:
        translator.translate(in_envelope("solusdt@bookTicker", a_ticker(s="SOLUSDT")), RECEIVED_NS)
    assert of_trade.value.subscription_id == "@trade|SOLUSDT"
    assert of_ticker.value.subscription_id == "@bookTicker|SOLUSDT"


def test_kind_of_data_that_was_not_subscribed_is_unidentifiable() -> None:
    trades_only = [Subscription(BTC, "BTCUSDT", SubscriptionKind.PUBLIC_TRADES)]
    translator = BinanceSpotTranslator(EXCHANGE, trades_only, InstrumentSequences(), FrameTally())
    with pytest.raises(UnidentifiableFrame, match=r"@bookTicker\|BTCUSDT"):
        translator.translate(a_ticker(), RECEIVED_NS)


def test_depth_is_decoded_and_counted_as_skipped() -> None:
    tally = FrameTally()
    translator = make_translator(tally=tally)
    update = depth_update_frame("BTCUSDT", 5, 7, time_ms=1, bids=[("1.5", "0")], asks=[("1.6", "2")])
    snapshot = depth_snapshot(7, bids=[("1.5", "0")], asks=[])
    for raw in [*forms("btcusdt@depth@100ms", update), snapshot, in_envelope("btcusdt@depth20", snapshot)]:
        assert translator.translate(raw, RECEIVED_NS) == ()
    assert tally.skipped == {"depth": 6, "depth_snapshot": 2}
    assert not tally.has_news


@pytest.mark.parametrize("changes", [{"U": "5"}, {"b": [["1.5"]]}, {"a": [[1.5, 2]]}, {"b": None}, {"s": 1}])
def test_malformed_depth_is_noticed_although_it_is_skipped(changes: dict[str, object]) -> None:
    fields = json.loads(depth_update_frame("BTCUSDT", 5, 7, time_ms=1, bids=[], asks=[]))
    raw = json.dumps({**fields, **changes}).encode()
    for frame in (raw, in_envelope("btcusdt@depth@100ms", raw)):
        with pytest.raises(MalformedFrame):
            make_translator().translate(frame, RECEIVED_NS)


def test_late_acknowledgement_is_skipped() -> None:
    tally = FrameTally()
    assert make_translator(tally=tally).translate(b'{"result":null,"id":1}', RECEIVED_NS) == ()
    assert tally.skipped == {"acknowledgement": 1}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"error":{"code":2,"msg":"Invalid request"},"id":1}', 2),
        (b'{"error":{"code":3,"msg":"Invalid JSON"}}', 3),
        (b'{"error":{"code":2,"msg":"x"},"id":null}', 2),
        (b'{"code":0,"msg":"Unknown property","id":5}', 0),
        (b'{"code":-1003,"msg":"Too many requests"}', -1003),
        (b'{"result":[],"id":1}', None),
        (b'{"error":"nothing we know","id":1}', None),
    ],
)
def test_error_reply_is_a_failure_and_never_a_success(raw: bytes, code: int | None) -> None:
    with pytest.raises(ErrorReply) as caught:
        make_translator().translate(raw, RECEIVED_NS)
    assert caught.value.code == code
    assert caught.value.payload == raw


def test_unknown_kinds_are_counted_reported_once_and_never_fatal() -> None:
    tally = FrameTally()
    translator = make_translator(tally=tally)
    kline = b'{"e":"kline","s":"BTCUSDT","k":{}}'
    for raw in [kline, in_envelope("btcusdt@kline_1m", kline), b"[1,2]", b'"ping"', b"5", b"null", b"{}", b"[]"]:
        assert translator.translate(raw, RECEIVED_NS) == ()
    # An envelope whose data is not what its stream promises is judged by the data.
    assert translator.translate(in_envelope("btcusdt@trade", kline), RECEIVED_NS) == ()
    assert tally.unknown == {
        "kline": 3,
        "not an object: [": 2,
        'not an object: "': 1,
        "not an object: 5": 1,
        "not an object: n": 1,
        "object without event type": 1,
    }
    assert [new.kind for new in tally.take_new_kinds()] == list(tally.unknown)
    translator.translate(kline, RECEIVED_NS)
    assert tally.take_new_kinds() == []
    assert tally.unknown["kline"] == 4
    assert tally.frames == 10


def test_envelope_in_an_envelope_is_an_unknown_kind() -> None:
    tally = FrameTally()
    raw = in_envelope("a@trade", in_envelope("b@trade", TRADE))
    assert make_translator(tally=tally).translate(raw, RECEIVED_NS) == ()
    assert tally.unknown == {"object without event type": 1}


def test_endless_new_kinds_do_not_fill_memory() -> None:
    tally = FrameTally()
    translator = make_translator(tally=tally)
    for number in range(1_000):
        translator.translate(b'{"e":"kind%d%s"}' % (number, b"x" * 1_000), RECEIVED_NS)
    assert len(tally.unknown) == UNKNOWN_KINDS_MAX + 1
    assert tally.unknown[UNKNOWN_REST] == 1_000 - UNKNOWN_KINDS_MAX
    assert all(len(kind) < 50 for kind in tally.unknown)


def test_many_different_numbers_do_not_fill_memory_and_stay_exact() -> None:
    translator = make_translator()
    for number in range(1, 40_000):
        data = only(translator.translate(a_trade(p=f"{number}.5", q="1"), RECEIVED_NS)).data
        assert isinstance(data, PublicTrade)
        assert data.price == Decimal(number) + Decimal("0.5")
    assert len(translator._numbers) <= 1 << 14


def test_kind_that_is_not_offered_is_refused() -> None:
    depth = [Subscription(BTC, "BTCUSDT", SubscriptionKind.ORDER_BOOKS_L2)]
    with pytest.raises(UnsupportedSubscription, match="BinanceSpot does not support: order_books_l2"):
        BinanceSpotTranslator(EXCHANGE, depth, InstrumentSequences(), FrameTally())


def test_symbol_of_a_recorded_frame() -> None:
    assert symbol_of(TRADE) == "BTCUSDT"
    assert symbol_of(in_envelope("ethusdt@bookTicker", TICKER)) == "ETHUSDT"
    assert symbol_of(depth_snapshot(1, bids=[], asks=[])) is None
    for raw in (b"", b"[1]", b"{}", b'{"s":5}', b'{"stream":"x","data":[]}', b"\xff"):
        assert symbol_of(raw) is None


prices = st.decimals(min_value="0.00000001", max_value=10_000_000, places=8)
times_ms = st.integers(min_value=0, max_value=(2**63 - 1) // 1_000_000)
symbols = st.sampled_from([("BTCUSDT", BTC), ("ETHUSDT", ETH)])


@given(
    market=symbols, number=st.integers(0, 2**63 - 1), price=prices, quantity=prices, time_ms=times_ms,
    buyer_is_maker=st.booleans(), form=st.integers(0, 5),
)  # fmt: skip
def test_any_trade_comes_back_as_it_was_written(
    market: tuple[str, InstrumentIndex],
    number: int,
    price: Decimal,
    quantity: Decimal,
    time_ms: int,
    *,
    buyer_is_maker: bool,
    form: int,
) -> None:
    symbol, instrument = market
    payload = trade_frame(
        symbol, number, f"{price:.8f}", f"{quantity:.8f}", time_ms=time_ms, buyer_is_maker=buyer_is_maker
    )
    raw = forms(f"{symbol.lower()}@trade", payload)[form]
    side = Side.SELL if buyer_is_maker else Side.BUY
    assert only(make_translator().translate(raw, RECEIVED_NS)) == MarketEvent(
        time_ms * 1_000_000, RECEIVED_NS, EXCHANGE, instrument, 1, PublicTrade(str(number), price, quantity, side)
    )


sides = st.tuples(st.decimals(0, 10_000_000, places=8), st.decimals(0, 10_000_000, places=8))


@given(market=symbols, bid=sides, ask=sides, update=st.integers(0, 2**63 - 1), form=st.integers(0, 5))
def test_any_book_ticker_comes_back_as_it_was_written(
    market: tuple[str, InstrumentIndex],
    bid: tuple[Decimal, Decimal],
    ask: tuple[Decimal, Decimal],
    update: int,
    form: int,
) -> None:
    symbol, instrument = market
    payload = book_ticker_frame(
        symbol,
        update,
        bid=f"{bid[0]:.8f}",
        bid_quantity=f"{bid[1]:.8f}",
        ask=f"{ask[0]:.8f}",
        ask_quantity=f"{ask[1]:.8f}",
    )
    raw = forms(f"{symbol.lower()}@bookTicker", payload)[form]
    event = only(make_translator().translate(raw, RECEIVED_NS))
    assert event.instrument == instrument
    assert event.data == BookL1(Level(*bid) if bid[0] else None, Level(*ask) if ask[0] else None)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("eEstpqTmbBaAuU"), inner, max_size=8),
    max_leaves=12,
)
nearly_frames = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(["s", "t", "p", "q", "T", "m", "b", "B", "a", "A", "u", "U", "id", "result"], json_values),
        "e": st.sampled_from(["trade", "bookTicker", "depthUpdate", "other"]) | json_values,
        "stream": st.sampled_from(["btcusdt@trade", "x@bookTicker"]) | json_values,
        "data": json_values,
        "error": json_values,
        "lastUpdateId": json_values,
    },
)


@given(raw=st.binary(max_size=60) | nearly_frames.map(msgspec.json.encode) | json_values.map(msgspec.json.encode))
def test_whatever_arrives_gives_events_or_one_of_our_errors(raw: bytes) -> None:
    tally = FrameTally()
    translator = make_translator(tally=tally)
    for frame in (raw, in_envelope("btcusdt@trade", raw), in_envelope("btcusdt@bookTicker", raw)):
        before = tally.frames
        try:
            translator.translate(frame, RECEIVED_NS)
        except FrameError as error:
            tally.count_failed(error)
        assert tally.frames == before + 1, "every frame is counted once"
