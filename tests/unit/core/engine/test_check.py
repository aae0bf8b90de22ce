"""Events that cannot belong to an engine are refused at the door, and change nothing."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
    ASSET_BETA_USDT,
    ASSET_USDT,
    BETA,
    BETA_BTC,
    BTC,
    account_event,
    asset_balance,
    book,
    book_snapshot,
    book_update,
    cancel_of,
    command_of,
    fill,
    filled,
    market_data,
    open_request,
    order_in,
    order_key,
    public_trade,
)
from tests.support.scenario import Scripted, follow
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import (
    ByExchanges,
    ByInstruments,
    CancelOrders,
    ClosePositions,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.event import (
    AccountLinkChanged,
    AccountReconnecting,
    BalanceReceived,
    CancelAnswered,
    OrderReceived,
    OwnerChanged,
    RequestInDoubt,
    RequestNeverReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.market.event import (
    BookL2Update,
    Candle,
    Level,
    Liquidation,
    MarketEvent,
    MarketGap,
    MarketReconnecting,
)
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.identifiers import AssetIndex, ExchangeIndex, InstrumentIndex
from tradebus.core.model.order import RequestKind
from tradebus.core.model.side import Side

ONE = Decimal(1)
NO_EXCHANGE, NO_INSTRUMENT, NO_ASSET = ExchangeIndex(2), InstrumentIndex(3), AssetIndex(5)

BAD: dict[str, EngineEvent] = {
    "trade of no instrument": public_trade(instrument=NO_INSTRUMENT),
    "trade of a negative instrument": public_trade(instrument=-1),
    "book on another exchange": MarketEvent(1, 1, BETA, BTC, 0, book().data),
    "book with a float": market_data(BookL2Update(1, None, (Level(1.5, Decimal(1)),), ())),  # type: ignore[arg-type]
    "book without a number": market_data(book_snapshot([], [(101, "NaN")])),
    "book with less than nothing": market_data(book_update([(99, 1), (98, -1)])),
    "candle with an int": market_data(Candle(1, ONE, ONE, ONE, ONE, 5, 6)),  # type: ignore[arg-type]
    "liquidation at infinity": market_data(Liquidation(Side.BUY, Decimal("Infinity"), Decimal(1))),
    "gap of no instrument": MarketGap(ALPHA, NO_INSTRUMENT, 1, 2),
    "gap on another exchange": MarketGap(BETA, BTC, 1, 2),
    "feed of no exchange": MarketReconnecting(NO_EXCHANGE, ""),
    "feed of a negative exchange": MarketReconnecting(ExchangeIndex(-1), ""),
    "account of no exchange": AccountReconnecting(NO_EXCHANGE, ""),
    "link of no exchange": AccountLinkChanged(NO_EXCHANGE, AccountLink.HEALTHY),
    "event of no exchange": account_event(OwnerChanged("o", 1), NO_EXCHANGE),
    "fill of no instrument": account_event(TradeReceived(fill(instrument=NO_INSTRUMENT))),
    "fill on another exchange": account_event(TradeReceived(fill(instrument=BETA_BTC))),
    "fill of nothing": filled(fill(quantity=0)),
    "fill of less than nothing": filled(fill(quantity=-1)),
    "fill at a negative price": filled(fill(price=-1)),
    "balance of no asset": account_event(BalanceReceived(asset_balance(NO_ASSET))),
    "balance of a negative asset": account_event(BalanceReceived(asset_balance(-1))),
    "order of no instrument": account_event(OrderReceived(order_in(instrument=NO_INSTRUMENT))),
    "order on another exchange": account_event(OrderReceived(order_in(instrument=BETA_BTC))),
    "order whose key says another exchange": account_event(
        CancelAnswered(order_key(exchange=BETA), None, None, None), ALPHA
    ),
    "answer for no instrument": account_event(CancelAnswered(order_key(instrument=NO_INSTRUMENT), None, None, None)),
    "doubt about no instrument": account_event(
        RequestInDoubt(order_key(instrument=NO_INSTRUMENT), RequestKind.OPEN, "")
    ),
    "fate of a request on another exchange": account_event(
        RequestNeverReceived(order_key(instrument=BETA_BTC), RequestKind.CANCEL, "")
    ),
    "snapshot with a balance of no asset": account_event(
        SnapshotReceived(AccountSnapshot((asset_balance(ASSET_USDT), asset_balance(NO_ASSET)), ()))
    ),
    "snapshot with an order on another exchange": account_event(
        SnapshotReceived(AccountSnapshot((), (order_in(), order_in(instrument=BETA_BTC))))
    ),
    "command to open on no instrument": command_of(SendOpenRequests((open_request(instrument=NO_INSTRUMENT),))),
    "command to open on a negative exchange": command_of(SendOpenRequests((open_request(exchange=-1),))),
    "command to cancel on no instrument": command_of(SendCancelRequests((cancel_of(instrument=NO_INSTRUMENT),))),
    "command to open at no number": command_of(SendOpenRequests((open_request(price=Decimal("NaN")),))),
    "command to open without end": command_of(SendOpenRequests((open_request(quantity=Decimal("Infinity")),))),
    "command for nobody": command_of(SendOpenRequests((open_request(strategy=""),))),
    "no event at all": EngineEvent(),
}


@pytest.mark.parametrize("event", BAD.values(), ids=BAD.keys())
def test_an_event_that_does_not_fit_is_refused_and_changes_nothing(event: EngineEvent) -> None:
    strategy = Scripted()
    followed = follow(strategy)
    before = (followed.engine.hash(), followed.engine.sequence, followed.engine.time_ns)
    with pytest.raises(InvalidEvent):
        followed.engine.process(event, 99)
    assert (followed.engine.hash(), followed.engine.sequence, followed.engine.time_ns) == before
    assert strategy.asked == []


def test_a_refusal_says_what_was_expected_and_found() -> None:
    followed = follow()
    with pytest.raises(InvalidEvent, match="expected an instrument index of 0 to 2, found 3"):
        followed.engine.process(BAD["trade of no instrument"], 0)
    with pytest.raises(InvalidEvent, match="sim_alpha-btc_usdt is on exchange 0, the event says 1"):
        followed.engine.process(BAD["book on another exchange"], 0)
    with pytest.raises(InvalidEvent, match="command 1: expected an instrument index of 0 to 2, found 3"):
        followed.engine.process(BAD["command to open on no instrument"], 0)


def test_filters_may_name_what_is_not_there() -> None:
    followed = follow()
    for action in (
        ClosePositions(ByInstruments((NO_INSTRUMENT,))),
        CancelOrders(ByExchanges((NO_EXCHANGE,))),
    ):
        (output,) = followed.process(command_of(action)).outputs
        assert not getattr(output, "opens_sent", None)
        assert not getattr(output, "cancels_sent", None)


def test_a_free_fill_is_a_fill() -> None:
    followed = follow()
    followed.process(filled(fill(price=0)))
    assert followed.engine.state.instruments[BTC].position is not None


def test_events_of_the_second_exchange_fit() -> None:
    followed = follow()
    followed.process(public_trade(instrument=BETA_BTC))
    followed.process(filled(fill(instrument=BETA_BTC)))
    followed.process(account_event(BalanceReceived(asset_balance(ASSET_BETA_USDT)), BETA))
    assert followed.engine.state.instruments[BETA_BTC].position is not None
