"""Operators' commands: what they send, with which filters, and that no risk manager is asked."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BETA,
    BETA_BTC,
    BTC,
    ETH,
    cancel_of,
    command_of,
    fill,
    filled,
    open_request,
    opened,
    order_in,
    order_told,
    public_trade,
)
from tests.support.scenario import Followed, Scripted, decided, follow
from tradebus.core.engine.audit.tick import Origin, RefusedOpen
from tradebus.core.engine.command import (
    ALL_INSTRUMENTS,
    ByExchanges,
    ByInstruments,
    ByUnderlyings,
    CancelOrders,
    ClosePositions,
    InstrumentFilter,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.identifiers import AssetIndex, ClientOrderId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.order import CancelInFlight, OrderKind, OrderRequestCancel, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.interface import Decision

NOWHERE = AssetIndex(99)

FILTERS: list[tuple[InstrumentFilter, list[int]]] = [
    (ALL_INSTRUMENTS, [BTC, ETH, BETA_BTC]),
    (ByExchanges((BETA,)), [BETA_BTC]),
    (ByExchanges((ExchangeIndex(1), ExchangeIndex(0))), [BTC, ETH, BETA_BTC]),
    (ByExchanges(()), []),
    (ByInstruments((BETA_BTC, BTC, BTC)), [BTC, BETA_BTC]),
    (ByInstruments((InstrumentIndex(9),)), []),
    (ByUnderlyings(((ASSET_ETH, ASSET_USDT),)), [ETH]),
    (ByUnderlyings(((ASSET_USDT, ASSET_ETH),)), []),
    (ByUnderlyings(((NOWHERE, NOWHERE), (ASSET_BTC, ASSET_USDT))), [BTC]),
]


def with_orders_and_positions() -> Followed:
    """An engine with a long position and an open order on each instrument, and a price but for the second."""
    followed = follow(Scripted())
    for instrument in (BTC, ETH, BETA_BTC):
        followed.process(filled(fill(instrument=instrument, quantity=instrument + 1)))
        followed.process(order_told(order_in(opened(), f"c{instrument}", instrument=instrument)))
        if instrument != ETH:
            followed.process(public_trade(50 + instrument, instrument=instrument))
    return followed


@pytest.mark.parametrize(("selection", "instruments"), FILTERS)
def test_a_filter_selects_in_index_order(selection: InstrumentFilter, instruments: list[int]) -> None:
    state = with_orders_and_positions().engine.state
    assert [found.instrument.index for found in state.matching(selection)] == instruments


@pytest.mark.parametrize(("selection", "instruments"), FILTERS)
def test_cancelling_by_filter(selection: InstrumentFilter, instruments: list[int]) -> None:
    followed = with_orders_and_positions()
    output = decided(followed.process(command_of(CancelOrders(selection))))
    assert output.origin is Origin.COMMAND_CANCEL_ORDERS
    assert [(request.key.instrument, request.id) for request in output.cancels_sent] == [(i, "1") for i in instruments]
    assert decided(followed.process(command_of(CancelOrders(selection)))).cancels_sent == (), "they are in flight"


@pytest.mark.parametrize(("selection", "instruments"), FILTERS)
def test_closing_by_filter_where_there_is_a_price(selection: InstrumentFilter, instruments: list[int]) -> None:
    output = decided(with_orders_and_positions().process(command_of(ClosePositions(selection))))
    assert (output.origin, output.strategy) == (Origin.COMMAND_CLOSE_POSITIONS, "s")
    assert [request.key.instrument for request in output.opens_sent] == [i for i in instruments if i != ETH]
    for request in output.opens_sent:
        assert (request.side, request.quantity) == (Side.SELL, Decimal(request.key.instrument + 1))
        assert request.price == 50 + request.key.instrument
        assert (request.kind, request.time_in_force) == (OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL)
        assert request.key.cid.startswith("teste1s9n")


def test_closing_short_buys() -> None:
    followed = follow(Scripted())
    followed.process(filled(fill(side=Side.SELL, quantity="1.5")))
    followed.process(public_trade(50))
    (request,) = decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))).opens_sent
    assert (request.side, request.quantity) == (Side.BUY, Decimal("1.5"))


def test_the_first_strategy_closes_and_without_one_the_base_does() -> None:
    own = Decision((), [open_request("own")])
    followed = follow(Scripted(close=lambda _s, _f: own, strategy_id="a"), Scripted(strategy_id="b"))
    output = decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS))))
    assert (output.strategy, [request.key.cid for request in output.opens_sent]) == ("a", ["own"])
    followed = follow()
    followed.process(filled(fill()))
    followed.process(public_trade(50))
    output = decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS))))
    assert (output.strategy, len(output.opens_sent)) == ("unknown", 1)


def test_requests_are_sent_as_given_and_named_where_they_have_no_id() -> None:
    followed = follow()
    output = decided(followed.process(command_of(SendOpenRequests((open_request("a"), open_request(""))))))
    assert (output.origin, output.strategy) == (Origin.COMMAND_OPEN_ORDERS, "unknown")
    assert [request.key.cid for request in output.opens_sent] == ["a", "teste1s1n0"]
    output = decided(followed.process(command_of(SendCancelRequests((cancel_of("a"), cancel_of("unknown"))))))
    assert output.origin is Origin.COMMAND_CANCEL_ORDERS
    assert len(output.cancels_sent) == 2
    orders = followed.engine.state.instruments[BTC].orders
    assert orders[ClientOrderId("a")].state == CancelInFlight(None)
    assert set(orders) == {"a", "teste1s1n0"}


def test_no_risk_manager_is_asked_about_commands() -> None:
    class RefuseAll(RiskManager):
        def check(
            self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
        ) -> RiskDecision:
            return RiskDecision((), (), (), tuple(RefusedOpen(request, "no") for request in opens))

    followed = follow(Scripted(), risk=RefuseAll())
    assert decided(followed.process(command_of(SendOpenRequests((open_request(),))))).opens_sent
    followed.process(filled(fill()))
    followed.process(public_trade(50))
    assert decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))).opens_sent


def test_commands_work_while_trading_is_off_and_algorithms_follow_them_while_it_is_on() -> None:
    strategy = Scripted(lambda _s, _e: Decision((), [open_request("algo")]))
    followed = follow(strategy)
    tick = followed.process(command_of(SendOpenRequests((open_request("a"),))))
    assert [getattr(output, "origin", None) for output in tick.outputs] == [Origin.COMMAND_OPEN_ORDERS, Origin.ALGO]
