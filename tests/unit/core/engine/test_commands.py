"""Operators' commands: what they send, with which filters, and what the risk manager has to say."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
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
from tradebus.core.engine.audit.tick import (
    Halted,
    Origin,
    RefusedCancel,
    RefusedOpen,
    RequestsDecided,
    RiskOverridden,
)
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
from tradebus.core.engine.event import AccountEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketReconnecting
from tradebus.core.model.identifiers import RISK_MANAGER, AssetIndex, ClientOrderId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.order import (
    EXPIRED,
    CancelInFlight,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
)
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


def test_without_a_strategy_the_base_closes() -> None:
    followed = follow()
    followed.process(filled(fill()))
    followed.process(public_trade(50))
    output = decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS))))
    assert (output.strategy, len(output.opens_sent)) == ("unknown", 1)
    assert decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))).opens_sent == ()


def test_a_repeated_close_sends_only_what_is_not_being_closed() -> None:
    followed = follow(Scripted())
    followed.process(filled(fill(quantity=10)))
    followed.process(public_trade(50))
    at_work = [
        order_in(opened(filled=1), "ioc", Side.SELL, quantity=3, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL),
        order_in(opened(), "fok", Side.SELL, quantity=2, time_in_force=TimeInForce.FILL_OR_KILL),
        order_in(CancelInFlight(None), "market", Side.SELL, quantity=1, kind=OrderKind.MARKET),
        order_in(opened(), "rests", Side.SELL, quantity=4),
        order_in(opened(), "adds", Side.BUY, quantity=4, kind=OrderKind.MARKET),
    ]
    for order in at_work:
        followed.process(order_told(order))
    (request,) = decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))).opens_sent
    assert request.quantity == 5, "10 less the 2 that are left of the first, 2 of the second and 1 of the third"
    assert decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))).opens_sent == ()
    followed.process(order_told(order_in(EXPIRED, request.key.cid)))
    (request,) = decided(followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))).opens_sent
    assert request.quantity == 5, "it was not filled"


def held_by(**quantities: int) -> list[AccountEvent]:
    """Fills that leave each strategy with so much of the first instrument, negative for short."""
    return [
        filled(fill(name, Side.BUY if held > 0 else Side.SELL, quantity=abs(held), strategy=name))
        for name, held in quantities.items()
    ]


@pytest.mark.parametrize(
    ("held", "closed"),
    [
        ({"a": 5, "b": 3}, {"a": -5, "b": -3}),
        ({"a": 5, "b": -3}, {"a": -2}),
        ({"a": -3, "b": 5}, {"b": -2}),
        ({"a": -5, "b": 3}, {"a": 2}),
        ({"a": 5, "b": 3, "operator": 2}, {"a": -5, "b": -3, "unknown": -2}),
        ({"gone": -1, "operator": -2}, {"unknown": 3}),
        ({"a": 5, "b": -5}, {}),
    ],
)
def test_several_strategies_close_the_net_position_once_each_its_own_share(
    held: dict[str, int], closed: dict[str, int]
) -> None:
    followed = follow(Scripted(strategy_id="a"), Scripted(strategy_id="b"))
    for event in held_by(**held):
        followed.process(event)
    followed.process(public_trade(50))
    tick = followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))
    outputs = [output for output in tick.outputs if isinstance(output, RequestsDecided)]
    assert [output.strategy for output in outputs][:2] == ["a", "b"]
    sent = {request.key.strategy: request for output in outputs for request in output.opens_sent}
    signed = {name: int(r.quantity if r.side is Side.BUY else -r.quantity) for name, r in sent.items()}
    assert signed == closed
    again = followed.process(command_of(ClosePositions(ALL_INSTRUMENTS)))
    assert not any(output.opens_sent for output in again.outputs if isinstance(output, RequestsDecided))


def test_a_strategy_may_close_its_own_way_or_not_at_all() -> None:
    own = Decision((), [open_request("own", strategy="a")])
    followed = follow(
        Scripted(close=lambda _s, _f: own, strategy_id="a"), Scripted(close=lambda _s, _f: None, strategy_id="b")
    )
    for event in held_by(a=1, b=1):
        followed.process(event)
    followed.process(public_trade(50))
    outputs = followed.process(command_of(ClosePositions(ALL_INSTRUMENTS))).outputs
    sent = [[r.key.cid for r in output.opens_sent] for output in outputs if isinstance(output, RequestsDecided)]
    assert sent == [["own"], []]


def test_what_a_failed_strategy_holds_is_closed_without_asking_it() -> None:
    def never(*_: object) -> Decision:
        raise KeyError("never")

    followed = follow(Scripted(never, close=never, strategy_id="a"), Scripted(strategy_id="b"))
    for event in held_by(a=2, b=1):
        followed.process(event)
    followed.process(public_trade(50))
    outputs = followed.process(command_of(ClosePositions(ALL_INSTRUMENTS))).outputs
    assert [type(output) for output in outputs] == [RequestsDecided] * 2
    quantities = [[r.quantity for r in output.opens_sent] for output in outputs if isinstance(output, RequestsDecided)]
    assert quantities == [[2], [1]]


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


class RefuseAll(RiskManager):
    """Refuses everything that it is asked about, and remembers what that was."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def check(
        self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        self.asked.append((len(cancels), len(opens)))
        refused = tuple(RefusedCancel(request, "never") for request in cancels)
        return RiskDecision((), (), refused, tuple(RefusedOpen(request, "no") for request in opens))


def with_position(risk: RiskManager, *strategies: Scripted) -> Followed:
    """An engine that is long 1 at a market price of 50."""
    followed = follow(*strategies, risk=risk)
    followed.process(filled(fill()))
    followed.process(public_trade(50))
    return followed


def test_the_orders_of_commands_pass_the_risk_manager_and_its_refusals_stand_in_the_tick() -> None:
    followed = with_position(RefuseAll(), Scripted())
    for action in (SendOpenRequests((open_request(),)), ClosePositions(ALL_INSTRUMENTS)):
        tick = followed.process(command_of(action))
        output = decided(tick)
        assert output.opens_sent == ()
        assert [refused.reason for refused in output.opens_refused] == ["no"]
        assert tick.outputs == (output,)


def test_an_override_sends_what_is_refused_and_the_tick_says_so_first() -> None:
    followed = with_position(RefuseAll(), Scripted())
    actions = (SendOpenRequests((open_request(),), override_risk=True), ClosePositions(ALL_INSTRUMENTS, True))
    for action in actions:
        overridden, output = followed.process(command_of(action)).outputs
        assert isinstance(output, RequestsDecided)
        assert isinstance(overridden, RiskOverridden)
        assert overridden.opens == tuple(RefusedOpen(request, "no") for request in output.opens_sent)
        assert len(output.opens_sent) == 1
        assert output.opens_refused == ()


def test_an_override_of_nothing_is_not_mentioned() -> None:
    followed = with_position(RiskManager(), Scripted())
    tick = followed.process(command_of(SendOpenRequests((open_request(),), override_risk=True)))
    assert tick.outputs == (decided(tick),)


def test_an_override_does_not_send_what_cannot_be_sent_at_all() -> None:
    followed = with_position(RefuseAll(), Scripted())
    tick = followed.process(command_of(SendOpenRequests((open_request(quantity=0), open_request("b")), True)))
    output = decided(tick)
    assert [request.key.cid for request in output.opens_sent] == ["b"]
    assert [refused.reason for refused in output.opens_refused] == ["quantity: expected more than 0, found 0"]


def test_a_failing_risk_manager_can_be_overridden_and_switches_trading_off() -> None:
    class Fails(RiskManager):
        def check(
            self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
        ) -> RiskDecision:
            raise KeyError("limit")

    followed = with_position(Fails(), Scripted())
    tick = followed.process(command_of(ClosePositions(ALL_INSTRUMENTS, override_risk=True)))
    overridden, output, halt, told = tick.outputs
    assert isinstance(overridden, RiskOverridden)
    assert isinstance(output, RequestsDecided)
    assert isinstance(told, RequestsDecided)
    assert len(output.opens_sent) == len(overridden.opens) == 1
    assert halt == Halted(RISK_MANAGER, overridden.opens[0].reason)
    assert told.origin is Origin.TRADING_DISABLED


def test_cancels_of_commands_and_hooks_always_pass() -> None:
    leave = Decision([cancel_of("a")], [open_request("more")])
    risk = RefuseAll()
    followed = with_position(risk, Scripted(close=lambda _s, _f: leave, disconnected=lambda _s, _e: leave))
    events = [
        command_of(SendCancelRequests((cancel_of("a"),))),
        command_of(ClosePositions(ALL_INSTRUMENTS)),
        MarketReconnecting(ALPHA, ""),
    ]
    for event in events:
        output = decided(followed.process(event))
        assert len(output.cancels_sent) == 1
        assert (output.cancels_refused, output.opens_sent) == ((), ())
    assert risk.asked == [(0, 1), (0, 1)], "never about cancels, and not at all where there is nothing else"


def test_commands_work_while_trading_is_off_and_algorithms_follow_them_while_it_is_on() -> None:
    strategy = Scripted(lambda _s, _e: Decision((), [open_request("algo")]))
    followed = follow(strategy)
    tick = followed.process(command_of(SendOpenRequests((open_request("a"),))))
    assert [getattr(output, "origin", None) for output in tick.outputs] == [Origin.COMMAND_OPEN_ORDERS, Origin.ALGO]
