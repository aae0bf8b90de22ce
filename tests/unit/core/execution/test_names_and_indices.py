"""Between a venue's names and our indices: the map, requests on their way out, events on their way in."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
    ASSET_BTC,
    ASSET_USDT,
    BETA,
    BETA_BTC,
    BTC,
    ETH,
    cancel_of,
    fill,
    open_request,
    order_key,
    usual_index,
)
from tradebus.core.engine.event import AccountData, CancelAnswered, OrderReceived, SnapshotReceived, TradeReceived
from tradebus.core.execution.error import AssetKeyError, ExchangeKeyError, InstrumentKeyError
from tradebus.core.execution.indexer import AccountIndexer
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import (
    Fees,
    InstrumentOrders,
    NamedAccountEvent,
    NamedBalance,
    NamedCancelAnswer,
    NamedData,
    NamedKey,
    NamedOrder,
    NamedSnapshot,
    NamedTrade,
)
from tradebus.core.execution.naming import named_cancel, named_open, named_order, named_trade
from tradebus.core.model.account import Balance, Liquidity
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeId,
    InstrumentIndex,
    OrderId,
    StrategyId,
    TradeId,
)
from tradebus.core.model.index import AssetIndexError, ExchangeIndexError, InstrumentIndexError, index_instruments
from tradebus.core.model.instrument import SPOT, InstrumentDefinition, QuoteKind
from tradebus.core.model.order import (
    OPEN_IN_FLIGHT,
    OpenFailed,
    OrderError,
    OrderErrorKind,
    OrderKind,
    OrderState,
    TimeInForce,
    order_from_request,
)
from tradebus.core.model.side import Side

INDEX = usual_index()
NAMES = ExecutionInstrumentMap(INDEX, ExchangeId.SIM_ALPHA)
BETA_NAMES = ExecutionInstrumentMap(INDEX, ExchangeId.SIM_BETA)
INDEXER = AccountIndexer(NAMES)
ONE = Decimal(1)


def key(instrument: str = "BTCUSDT", exchange: ExchangeId = ExchangeId.SIM_ALPHA) -> NamedKey:
    return NamedKey(exchange, instrument, StrategyId("s"), ClientOrderId("c1"))


def order(instrument: str = "BTCUSDT", state: OrderState = OPEN_IN_FLIGHT) -> NamedOrder:
    kind, until = OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED
    return NamedOrder(key(instrument), Side.BUY, Decimal(100), ONE, kind, until, state)


def trade(instrument: str = "BTCUSDT", fees_asset: str | None = None) -> NamedTrade:
    return NamedTrade(
        TradeId("t1"),
        OrderId("1"),
        ClientOrderId("c1"),
        instrument,
        StrategyId("s"),
        7,
        Side.BUY,
        Decimal(100),
        ONE,
        Fees(Decimal("0.1"), fees_asset),
        Liquidity.MAKER,
    )


def balance(asset: str) -> NamedBalance:
    return NamedBalance(asset, Balance(ONE, ONE), 5)


def indexed(data: NamedData, exchange: ExchangeId = ExchangeId.SIM_ALPHA) -> tuple[AccountData, tuple[str, ...]]:
    found = INDEXER.event(NamedAccountEvent(exchange, data), 3, 4)
    assert (found.event.exchange, found.event.cause, found.event.ordinal) == (ALPHA, 3, 4)
    return found.event.data, found.left_out


def test_from_a_name_only_this_exchange_is_found_from_an_index_every_one() -> None:
    assert NAMES.find_instrument_index("ETHUSDT") == ETH
    assert BETA_NAMES.find_instrument_index("BTCUSDT") == BETA_BTC
    with pytest.raises(InstrumentIndexError, match="SimBeta has no instrument called 'ETHUSDT'"):
        BETA_NAMES.find_instrument_index("ETHUSDT")
    with pytest.raises(InstrumentIndexError, match="'btcusdt'"):
        NAMES.find_instrument_index("btcusdt")
    assert BETA_NAMES.find_instrument_name_exchange(ETH) == "ETHUSDT"
    assert BETA_NAMES.find_asset_name_exchange(ASSET_BTC) == "btc"
    with pytest.raises(AssetIndexError, match="SimBeta has no asset called 'eth'"):
        BETA_NAMES.find_asset_index("eth")
    assert (NAMES.exchange_assets(), NAMES.exchange_instruments()) == (["btc", "eth", "usdt"], ["BTCUSDT", "ETHUSDT"])


def test_what_is_not_indexed_is_named_by_kind() -> None:
    with pytest.raises(AssetKeyError, match=r"^AssetKey: expected 0 to 4, found 5"):
        NAMES.find_asset_name_exchange(AssetIndex(5))
    with pytest.raises(InstrumentKeyError, match=r"^InstrumentKey: expected 0 to 2, found -1"):
        NAMES.find_instrument_name_exchange(InstrumentIndex(-1))
    with pytest.raises(ExchangeKeyError, match=r"^ExchangeId: expected 0 .sim_alpha., found 1"):
        NAMES.find_exchange_id(BETA)
    with pytest.raises(ExchangeIndexError, match="expected SimAlpha, found SimBeta"):
        NAMES.find_exchange_index(ExchangeId.SIM_BETA)
    with pytest.raises(ExchangeIndexError, match="Okx"):
        ExecutionInstrumentMap(INDEX, ExchangeId.OKX)


def test_of_two_instruments_of_one_name_the_later_is_found() -> None:
    okx, btc, usdt = ExchangeId.OKX, asset_from_name("btc"), asset_from_name("usdt")
    two = [InstrumentDefinition(okx, name, "SAME", btc, usdt, QuoteKind.UNDERLYING_QUOTE, SPOT, None) for name in "ab"]
    assert ExecutionInstrumentMap(index_instruments(two), okx).find_instrument_index("SAME") == 1


def test_requests_are_named_for_their_venue() -> None:
    named = named_open(NAMES, open_request(price=100, quantity=2))
    assert named.key == key()
    assert (named.price, named.quantity) == (Decimal(100), Decimal(2))
    cancel = named_cancel(NAMES, cancel_of(instrument=ETH))
    assert cancel.key.instrument == "ETHUSDT"


def test_a_misdirected_request_is_refused() -> None:
    with pytest.raises(InstrumentKeyError, match=r"2 \(BTCUSDT\) is of SimBeta, not of SimAlpha"):
        named_open(NAMES, open_request(instrument=BETA_BTC, exchange=ALPHA))
    with pytest.raises(InstrumentKeyError, match="is of SimBeta"):
        named_order(NAMES, order_from_request(open_request(instrument=BETA_BTC, exchange=ALPHA)))
    with pytest.raises(ExchangeKeyError):
        named_open(BETA_NAMES, open_request())


def test_what_is_named_is_indexed_again() -> None:
    request = open_request()
    given = order_from_request(request)
    assert INDEXER.order(named_order(NAMES, given)) == given
    filled = fill("t1")
    found, left_out = indexed(named_trade(NAMES, filled))
    assert found == TradeReceived(filled)
    assert left_out == ()


def test_events_of_unknown_things_and_foreign_exchanges_raise() -> None:
    for data, error in (
        (balance("SOL"), AssetIndexError),
        (order("SOLUSDT"), InstrumentIndexError),
        (trade("SOLUSDT"), InstrumentIndexError),
        (NamedCancelAnswer(key("SOLUSDT"), None, None, None), InstrumentIndexError),
    ):
        with pytest.raises(error, match="SOL"):
            indexed(data)
    with pytest.raises(ExchangeIndexError):
        indexed(balance("btc"), ExchangeId.SIM_BETA)


def test_errors_name_what_we_know_by_our_name_and_the_rest_as_it_came() -> None:
    kinds = OrderErrorKind
    for kind, subject, ours in (
        (kinds.INSTRUMENT_INVALID, "ETHUSDT", "sim_alpha-eth_usdt"),
        (kinds.INSTRUMENT_INVALID, "SOLUSDT", "SOLUSDT"),
        (kinds.ASSET_INVALID, "usdt", "usdt"),
        (kinds.BALANCE_INSUFFICIENT, "SOL", "SOL"),
        (kinds.ORDER_REJECTED, "ETHUSDT", "ETHUSDT"),
    ):
        error = OrderError(kind, subject, "m")
        data, _ = indexed(order(state=OpenFailed(error)))
        assert isinstance(data, OrderReceived)
        assert data.order.state == OpenFailed(OrderError(kind, ours, "m"))
        answer, _ = indexed(NamedCancelAnswer(key(), None, None, error))
        assert answer == CancelAnswered(order_key(), None, None, OrderError(kind, ours, "m"))


def test_a_snapshot_keeps_what_is_known_and_says_what_is_not() -> None:
    data, left_out = indexed(
        NamedSnapshot(
            (balance("usdt"), balance("SOL")),
            (
                InstrumentOrders("ETHUSDT", ()),
                InstrumentOrders("SOLUSDT", (order("SOLUSDT"), order("SOLUSDT"))),
                InstrumentOrders("BTCUSDT", (order(),)),
            ),
        )
    )
    assert isinstance(data, SnapshotReceived)
    assert [item.asset for item in data.snapshot.balances] == [ASSET_USDT]
    assert [item.key for item in data.snapshot.orders] == [order_key("c1", BTC)]
    assert [text[:20] for text in left_out] == ["balance: AssetIndex:", "2 orders: Instrument"]


def test_a_fill_is_kept_when_its_fee_is_in_an_unknown_asset() -> None:
    data, left_out = indexed(trade(fees_asset="BNB"))
    assert isinstance(data, TradeReceived)
    assert (data.trade.fees, data.trade.fees_asset, data.trade.quantity) == (Decimal(0), None, ONE)
    assert len(left_out) == 1
    assert left_out[0].startswith("fees 0.1 of trade t1: AssetIndex")
    known, nothing = indexed(trade(fees_asset="btc"))
    assert isinstance(known, TradeReceived)
    assert (known.trade.fees, known.trade.fees_asset, nothing) == (Decimal("0.1"), ASSET_BTC, ())
