"""Turn what was said by names into what the engine is asked by indices."""

from decimal import Decimal

from services.audit.commands.asked import Ask, Asked, digest_of
from services.audit.commands.bodies import (
    AllBody,
    Body,
    ByExchangesBody,
    ByInstrumentsBody,
    CancelOrdersBody,
    ClosePositionsBody,
    FilterBody,
    OpenOrdersBody,
    OrderBody,
    ShutdownBody,
    TradingStateBody,
    said,
)
from services.audit.commands.known import Known
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
from tradebus.core.engine.event import Shutdown, TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import AssetIndex, ClientOrderId, ExchangeIndex, InstrumentIndex, StrategyId
from tradebus.core.model.order import (
    OrderKey,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
    cancel_request,
)
from tradebus.core.model.side import Side


def asked(body: Body, known: Known) -> Asked:
    """Return the command of a validated body; everything that it names is known."""
    return Asked(body.KIND, _asks(body, known), body.expires_ns, digest_of(body.KIND, said(body)))


def _asks(body: Body, known: Known) -> tuple[Ask, ...]:
    if isinstance(body, TradingStateBody):
        return (TradingStateUpdate(TradingState[body.state.upper()], ""),)
    if isinstance(body, OpenOrdersBody):
        return (SendOpenRequests(tuple(_open(each, known) for each in body.orders), body.override_risk),)
    if isinstance(body, ClosePositionsBody):
        return (ClosePositions(_filter(body.filter, known), body.override_risk),)
    if isinstance(body, CancelOrdersBody):
        return (_cancel(body, known),)
    assert isinstance(body, ShutdownBody), f"a body of a command, found {type(body).__name__}"
    return _stop(body)


def _stop(body: ShutdownBody) -> tuple[Ask, ...]:
    asks: list[Ask] = []
    if body.disable_trading:
        asks.append(TradingStateUpdate(TradingState.DISABLED, ""))
    if body.cancel_orders:
        asks.append(CancelOrders(ALL_INSTRUMENTS))
    if body.close_positions:
        asks.append(ClosePositions(ALL_INSTRUMENTS))
    return (*asks, Shutdown())


def _open(order: OrderBody, known: Known) -> OrderRequestOpen:
    instrument = known.state.instruments[known.instrument(order.instrument)]
    definition = instrument.instrument
    price = order.price if order.price is not None else instrument.price()
    assert isinstance(price, Decimal), "an order without a price is of an instrument that has one"
    key = OrderKey(
        ExchangeIndex(definition.exchange),
        InstrumentIndex(definition.index),
        StrategyId(order.strategy),
        ClientOrderId(order.cid or ""),
    )
    side, kind = Side[order.side.upper()], OrderKind[order.kind.upper()]
    return OrderRequestOpen(key, side, price, order.quantity, kind, TimeInForce[order.time_in_force.upper()])


def _cancel(body: CancelOrdersBody, known: Known) -> SendCancelRequests | CancelOrders:
    if body.filter is not None:
        return CancelOrders(_filter(body.filter, known))
    requests: list[OrderRequestCancel] = []
    for cid in body.cids or ():
        order = known.order(cid)
        # One that is being cancelled already is asked for again: cancelling twice harms nothing.
        requests.append(cancel_request(order) or OrderRequestCancel(order.key, None))
    return SendCancelRequests(tuple(requests))


def _filter(body: FilterBody, known: Known) -> InstrumentFilter:
    if isinstance(body, AllBody):
        return ALL_INSTRUMENTS
    if isinstance(body, ByExchangesBody):
        return ByExchanges(tuple(ExchangeIndex(known.exchange(name)) for name in body.exchanges))
    if isinstance(body, ByInstrumentsBody):
        return ByInstruments(tuple(InstrumentIndex(known.instrument(name)) for name in body.instruments))
    return ByUnderlyings(
        tuple(
            (AssetIndex(known.asset(each.exchange, each.base)), AssetIndex(known.asset(each.exchange, each.quote)))
            for each in body.underlyings
        )
    )
