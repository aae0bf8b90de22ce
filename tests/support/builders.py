"""Build values of the core with few words: everything has a default, and a test names what it is about.

The usual index has two exchanges, ``sim_alpha`` (0) with btc_usdt (0) and eth_usdt (1), and ``sim_beta`` (1) with
btc_usdt (2); its assets are btc 0, eth 1, usdt 2 and, on the second exchange, btc 3, usdt 4. Numbers are given as text
(or int), times in nanoseconds.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import count

from tradebus.core.engine.command import Command, CommandAction
from tradebus.core.engine.configuring import StrategyFactory
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    AccountSetup,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    DataSetup,
    EngineStarted,
    FundingReceived,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    SimulationSetup,
    StrategySetup,
    TradeReceived,
)
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.position import PositionExited
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.engine.state.user_setup import UserDataFactory, no_user_data
from tradebus.core.market.event import (
    BookL1,
    BookL2Snapshot,
    BookL2Update,
    Level,
    MarketData,
    MarketEvent,
    PublicTrade,
)
from tradebus.core.model.account import AssetBalance, Balance, Liquidity, Trade
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.identifiers import (
    AssetIndex,
    ClientOrderId,
    ExchangeId,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    StrategyId,
    TradeId,
)
from tradebus.core.model.index import IndexedInstruments, index_instruments
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    OptionExercise,
    OptionKind,
    QuantityUnit,
    QuoteKind,
    spot,
)
from tradebus.core.model.order import (
    OPEN_IN_FLIGHT,
    Open,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
    RequestKind,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskManager
from tradebus.core.strategy.interface import Strategy
from tradebus.strategies.checks import BUILT_IN, load_risk

ALPHA, BETA = ExchangeIndex(0), ExchangeIndex(1)
BTC, ETH, BETA_BTC = InstrumentIndex(0), InstrumentIndex(1), InstrumentIndex(2)
ASSET_BTC, ASSET_ETH, ASSET_USDT, ASSET_BETA_BTC, ASSET_BETA_USDT = (AssetIndex(i) for i in range(5))
STRATEGY = StrategyId("s")
SECOND = 1_000_000_000

Number = Decimal | int | str


def spot_definition(
    exchange: ExchangeId = ExchangeId.SIM_ALPHA,
    base: str = "btc",
    quote: str = "usdt",
    spec: InstrumentSpec | None = None,
) -> InstrumentDefinition:
    """Return a spot instrument called like ``BTCUSDT`` at the venue."""
    return spot(exchange, f"{base}{quote}".upper(), asset_from_name(base), asset_from_name(quote), spec)


def derivative(
    kind: InstrumentKind = InstrumentKind.PERPETUAL,
    base: str = "btc",
    quote: str = "usdt",
    *,
    size: Number = 1,
    settlement: str | None = None,
    quote_kind: QuoteKind = QuoteKind.UNDERLYING_QUOTE,
    name: str = "",
    exchange: ExchangeId = ExchangeId.SIM_ALPHA,
) -> InstrumentDefinition:
    """Return a perpetual, future or option; it settles in its quote unless told otherwise."""
    is_option = kind is InstrumentKind.OPTION
    contract = InstrumentContract(
        kind,
        Decimal(size),
        asset_from_name(settlement or quote),
        None if kind is InstrumentKind.PERPETUAL else 1_900_000_000 * SECOND,
        Decimal(100) if is_option else None,
        OptionKind.CALL if is_option else None,
        OptionExercise.EUROPEAN if is_option else None,
    )
    name = name or f"{base}_{quote}_{kind.name.lower()}"
    return InstrumentDefinition(
        exchange, name, name.upper(), asset_from_name(base), asset_from_name(quote), quote_kind, contract, None
    )


def steps(
    tick: Number = 0,
    lot: Number = 0,
    *,
    price_min: Number = 0,
    quantity_min: Number = 0,
    notional_min: Number = 0,
) -> InstrumentSpec:
    """Return a specification; what is not given is not limited."""
    return InstrumentSpec(
        Decimal(price_min),
        Decimal(tick),
        QuantityUnit.ASSET,
        None,
        Decimal(quantity_min),
        Decimal(lot),
        Decimal(notional_min),
    )


def usual_index(spec: InstrumentSpec | None = None) -> IndexedInstruments:
    """Return the index of three instruments on two exchanges; ``spec`` is that of all of them."""
    return index_instruments(
        [
            spot_definition(ExchangeId.SIM_ALPHA, "btc", spec=spec),
            spot_definition(ExchangeId.SIM_ALPHA, "eth", spec=spec),
            spot_definition(ExchangeId.SIM_BETA, "btc", spec=spec),
        ]
    )


def simulated_account(
    exchange: ExchangeIndex = ALPHA,
    balances: Iterable[tuple[AssetIndex, Number]] = ((ASSET_BTC, 10), (ASSET_USDT, 1_000_000)),
    *,
    latency_ns: int = 0,
    fee_maker: Number = 0,
    fee_taker: Number = 0,
) -> AccountSetup:
    """Return a simulated account."""
    simulation = SimulationSetup(
        latency_ns,
        Decimal(fee_maker),
        Decimal(fee_taker),
        tuple((asset, Decimal(amount)) for asset, amount in balances),
    )
    return AccountSetup(exchange, f"{'alpha' if exchange == ALPHA else 'beta'}-paper", simulation)


def setup_of(strategy: StrategyId, class_path: str = "tests:Strategy", **params: str) -> StrategySetup:
    """Return a strategy's setup."""
    return StrategySetup(strategy, class_path, tuple(sorted(params.items())))


def engine_started(
    strategies: Sequence[StrategySetup] = (),
    *,
    index: IndexedInstruments | None = None,
    accounts: Sequence[AccountSetup] | None = None,
    trading: TradingState = TradingState.ENABLED,
    engine_id: str = "test",
    run: str = "run",
    code: str = "code",
    risk: Sequence[RiskCheckSetup] = (),
    global_data: DataSetup | None = None,
    instrument_data: DataSetup | None = None,
) -> EngineStarted:
    """Return a start record; both exchanges of the usual index have a simulated account unless told otherwise."""
    if accounts is None:
        accounts = (
            simulated_account(),
            simulated_account(BETA, ((ASSET_BETA_BTC, 10), (ASSET_BETA_USDT, 1_000_000))),
        )
    return EngineStarted(
        engine_id,
        "demo",
        run,
        code,
        index or usual_index(),
        tuple(accounts),
        tuple(strategies),
        trading,
        tuple(risk),
        global_data,
        instrument_data,
    )


def engine_of(
    *strategies: Strategy,
    risk: RiskManager | None = None,
    started: EngineStarted | None = None,
    is_debug: bool = True,
    make_strategy: StrategyFactory | None = None,
    make_user_data: UserDataFactory = no_user_data,
) -> Engine:
    """Return an engine that runs these strategies, in debug mode: a decision that changes state raises.

    Its risk manager is made from the start record unless given.
    """
    started = started or engine_started([setup_of(strategy.id) for strategy in strategies])
    risk = risk or load_risk(started.risk, started.index)
    return Engine(
        started,
        list(strategies),
        risk,
        is_debug=is_debug,
        make_strategy=make_strategy,
        make_risk=load_risk,
        make_user_data=make_user_data,
    )


def check_of(name: str, **params: str) -> RiskCheckSetup:
    """Return the setup of one of the library's risk checks."""
    return RiskCheckSetup(name, BUILT_IN[name], tuple(sorted(params.items())))


# Orders


def order_key(
    cid: str = "c1",
    instrument: int = BTC,
    exchange: int | None = None,
    strategy: str = STRATEGY,
) -> OrderKey:
    """Return an order's key; the exchange follows from the instrument of the usual index."""
    if exchange is None:
        exchange = BETA if instrument == BETA_BTC else ALPHA
    return OrderKey(ExchangeIndex(exchange), InstrumentIndex(instrument), StrategyId(strategy), ClientOrderId(cid))


def open_request(
    cid: str = "c1",
    side: Side = Side.BUY,
    price: Number = 100,
    quantity: Number = 1,
    *,
    kind: OrderKind = OrderKind.LIMIT,
    time_in_force: TimeInForce = TimeInForce.GOOD_UNTIL_CANCELLED,
    instrument: int = BTC,
    exchange: int | None = None,
    strategy: str = STRATEGY,
) -> OrderRequestOpen:
    """Return an open request, a limit order unless told otherwise."""
    key = order_key(cid, instrument, exchange, strategy)
    return OrderRequestOpen(key, side, Decimal(price), Decimal(quantity), kind, time_in_force)


def market_request(
    cid: str = "c1", side: Side = Side.BUY, price: Number = 100, quantity: Number = 1, *, instrument: int = BTC
) -> OrderRequestOpen:
    """Return a market order, immediate or cancel."""
    return open_request(
        cid,
        side,
        price,
        quantity,
        kind=OrderKind.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        instrument=instrument,
    )


def cancel_of(cid: str = "c1", order_id: str | None = None, *, instrument: int = BTC) -> OrderRequestCancel:
    """Return a cancel request."""
    return OrderRequestCancel(order_key(cid, instrument), None if order_id is None else OrderId(order_id))


def amend_of(
    cid: str = "c1", price: Number | None = None, quantity: Number | None = None, *, instrument: int = BTC
) -> OrderRequestAmend:
    """Return an amend request."""
    numbers = [None if value is None else Decimal(value) for value in (price, quantity)]
    return OrderRequestAmend(order_key(cid, instrument), None, *numbers)


def opened(time_ns: int = 1, filled: Number = 0, order_id: str = "1") -> Open:
    """Return the open state of an order."""
    return Open(OrderId(order_id), time_ns, Decimal(filled))


def order_in(
    state: OrderState = OPEN_IN_FLIGHT,
    cid: str = "c1",
    side: Side = Side.BUY,
    price: Number = 100,
    quantity: Number = 1,
    *,
    instrument: int = BTC,
    strategy: str = STRATEGY,
    kind: OrderKind = OrderKind.LIMIT,
    time_in_force: TimeInForce = TimeInForce.GOOD_UNTIL_CANCELLED,
) -> Order:
    """Return an order in a state."""
    key = order_key(cid, instrument, strategy=strategy)
    return Order(key, side, Decimal(price), Decimal(quantity), kind, time_in_force, state)


def order_error(kind: OrderErrorKind = OrderErrorKind.ORDER_REJECTED, message: str = "no") -> OrderError:
    """Return a failure that a venue tells."""
    return OrderError(kind, "", message)


_FILLS = count(1001)


def fill(
    trade_id: str | None = None,
    side: Side = Side.BUY,
    price: Number = 100,
    quantity: Number = 1,
    fees: Number = 0,
    *,
    instrument: int = BTC,
    cid: str = "c1",
    strategy: str = STRATEGY,
    time_ns: int = 1,
    fees_asset: int | None = None,
    liquidity: Liquidity = Liquidity.TAKER,
) -> Trade:
    """Return a fill of one of our orders; without an id it gets one that no other has."""
    return Trade(
        TradeId(f"t{next(_FILLS)}" if trade_id is None else trade_id),
        OrderId("1"),
        ClientOrderId(cid),
        InstrumentIndex(instrument),
        StrategyId(strategy),
        time_ns,
        side,
        Decimal(price),
        Decimal(quantity),
        Decimal(fees),
        None if fees_asset is None else AssetIndex(fees_asset),
        liquidity,
    )


def asset_balance(
    asset: int = ASSET_USDT, total: Number = 1, free: Number | None = None, time_ns: int = 1
) -> AssetBalance:
    """Return a balance; everything is free unless told otherwise."""
    return AssetBalance(AssetIndex(asset), Balance(Decimal(total), Decimal(total if free is None else free)), time_ns)


# Events


def account_event(data: AccountData, exchange: int = ALPHA, cause: int = 0, ordinal: int = 0) -> AccountEvent:
    """Return an account event; without a key it is applied whenever it comes."""
    return AccountEvent(ExchangeIndex(exchange), cause, ordinal, data)


def filled(trade: Trade, cause: int = 0, ordinal: int = 0) -> AccountEvent:
    """Return the event of a fill, on the exchange of its instrument in the usual index."""
    return account_event(TradeReceived(trade), BETA if trade.instrument == BETA_BTC else ALPHA, cause, ordinal)


def funded(
    amount: Number = 1,
    asset: int = ASSET_USDT,
    *,
    instrument: int = BTC,
    time_ns: int = 1,
    payment_id: str = "f1",
    cause: int = 0,
    ordinal: int = 0,
) -> AccountEvent:
    """Return the event of a funding payment, on the exchange of its instrument in the usual index."""
    data = FundingReceived(InstrumentIndex(instrument), Decimal(amount), AssetIndex(asset), time_ns, payment_id)
    return account_event(data, BETA if instrument == BETA_BTC else ALPHA, cause, ordinal)


def order_told(order: Order, cause: int = 0, ordinal: int = 0) -> AccountEvent:
    """Return the event of a venue's view of an order."""
    return account_event(OrderReceived(order), order.key.exchange, cause, ordinal)


def cancel_answered(
    cid: str = "c1", error: OrderError | None = None, *, instrument: int = BTC, time_ns: int = 1
) -> AccountEvent:
    """Return the answer to a cancel: accepted, or refused with an error."""
    key = order_key(cid, instrument)
    if error is not None:
        return account_event(CancelAnswered(key, None, None, error), key.exchange)
    return account_event(CancelAnswered(key, OrderId("1"), time_ns, None), key.exchange)


def amend_answered(
    cid: str = "c1",
    price: Number = 100,
    quantity: Number = 1,
    error: OrderError | None = None,
    *,
    instrument: int = BTC,
    time_ns: int = 1,
) -> AccountEvent:
    """Return the answer to an amend: accepted with what the order has now, or refused with an error."""
    key = order_key(cid, instrument)
    if error is not None:
        return account_event(AmendAnswered(key, None, None, None, None, error), key.exchange)
    data = AmendAnswered(key, OrderId("1"), time_ns, Decimal(price), Decimal(quantity), None)
    return account_event(data, key.exchange)


def in_doubt(cid: str = "c1", request: RequestKind = RequestKind.OPEN, *, instrument: int = BTC) -> AccountEvent:
    """Return the event that no answer to a request will come."""
    key = order_key(cid, instrument)
    return account_event(RequestInDoubt(key, request, "no answer"), key.exchange)


def never_received(cid: str = "c1", request: RequestKind = RequestKind.OPEN, *, instrument: int = BTC) -> AccountEvent:
    """Return the event that a request never reached the venue."""
    key = order_key(cid, instrument)
    return account_event(RequestNeverReceived(key, request, "the venue does not know it"), key.exchange)


def balance_told(balance: AssetBalance, exchange: int = ALPHA) -> AccountEvent:
    """Return the event of a changed balance."""
    return account_event(BalanceReceived(balance), exchange)


def command_of(action: CommandAction, command_id: str = "1") -> Command:
    """Return an operator's command."""
    return Command(command_id, "operator", action)


def public_trade(
    price: Number = 100,
    amount: Number = 1,
    side: Side = Side.BUY,
    *,
    instrument: int = BTC,
    time_ns: int = 1,
    received_ns: int | None = None,
    sequence: int = 0,
    trade_id: str = "1",
) -> MarketEvent:
    """Return a public trade; it was received when it happened unless told otherwise."""
    return MarketEvent(
        time_ns,
        time_ns if received_ns is None else received_ns,
        BETA if instrument == BETA_BTC else ALPHA,
        InstrumentIndex(instrument),
        sequence,
        PublicTrade(trade_id, Decimal(price), Decimal(amount), side),
    )


def level(price: Number, amount: Number = 1) -> Level:
    """Return a price with its amount."""
    return Level(Decimal(price), Decimal(amount))


def book(
    bid: tuple[Number, Number] | None = (99, 1),
    ask: tuple[Number, Number] | None = (101, 1),
    *,
    instrument: int = BTC,
    time_ns: int = 1,
    received_ns: int | None = None,
    sequence: int = 0,
) -> MarketEvent:
    """Return a best bid and ask, each (price, amount); none is an empty side."""
    data = BookL1(None if bid is None else level(*bid), None if ask is None else level(*ask))
    return MarketEvent(
        time_ns,
        time_ns if received_ns is None else received_ns,
        BETA if instrument == BETA_BTC else ALPHA,
        InstrumentIndex(instrument),
        sequence,
        data,
    )


def exited(
    pnl: Number, time_exit_ns: int, *, price: Number = 100, quantity: Number = 1, instrument: int = BTC
) -> PositionExited:
    """Return a closed long position without fees."""
    zero = Decimal(0)
    return PositionExited(
        InstrumentIndex(instrument),
        Side.BUY,
        Decimal(price),
        Decimal(quantity),
        Decimal(pnl),
        zero,
        zero,
        0,
        time_exit_ns,
        2,
        "",
        zero,
    )


Levels = Sequence[tuple[Number, Number]]


def levels(pairs: Levels) -> tuple[Level, ...]:
    """Return levels from (price, amount) pairs."""
    return tuple(level(*pair) for pair in pairs)


def book_snapshot(
    bids: Levels = ((99, 1),), asks: Levels = ((101, 1),), sequence: int = 1, time_engine_ns: int | None = None
) -> BookL2Snapshot:
    """Return a whole book from (price, amount) pairs."""
    return BookL2Snapshot(sequence, time_engine_ns, levels(bids), levels(asks))


def book_update(
    bids: Levels = (), asks: Levels = (), sequence: int = 2, time_engine_ns: int | None = None
) -> BookL2Update:
    """Return changed levels from (price, amount) pairs."""
    return BookL2Update(sequence, time_engine_ns, levels(bids), levels(asks))


def market_data(data: MarketData, *, instrument: int = BTC, time_ns: int = 1) -> MarketEvent:
    """Return an event with any market data, received when it happened."""
    exchange = BETA if instrument == BETA_BTC else ALPHA
    return MarketEvent(time_ns, time_ns, exchange, InstrumentIndex(instrument), 0, data)
