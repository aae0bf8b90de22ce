"""A history in which everything happens that an engine knows: the same on every machine, build and Python."""

from collections.abc import Iterator
from decimal import Decimal

from tests.support.builders import (
    ALPHA,
    ASSET_BETA_BTC,
    ASSET_BETA_USDT,
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    BETA,
    BETA_BTC,
    BTC,
    ETH,
    account_event,
    asset_balance,
    balance_told,
    book,
    book_snapshot,
    book_update,
    cancel_answered,
    cancel_of,
    check_of,
    command_of,
    engine_of,
    engine_started,
    fill,
    filled,
    funded,
    in_doubt,
    market_data,
    never_received,
    open_request,
    opened,
    order_error,
    order_in,
    order_told,
    public_trade,
    setup_of,
)
from tests.support.scenario import Scripted
from tradebus.core.engine.audit.tick import AuditTick, RefusedOpen
from tradebus.core.engine.command import (
    ALL_INSTRUMENTS,
    ByExchanges,
    ByInstruments,
    ByUnderlyings,
    CancelOrders,
    ClosePositions,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import (
    AccountLinkChanged,
    AccountReconnecting,
    ClockAdvanced,
    OwnerChanged,
    SnapshotReceived,
    TimerFired,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import Candle, Liquidation, MarketGap, MarketReconnecting
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    CancelInFlight,
    OpenFailed,
    OrderErrorKind,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
)
from tradebus.core.model.side import Side
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.interface import Decision

SECONDS = 1_000_000_000
RATE, RATE_CHANGED = (check_of("order_rate", orders_max=count, window_ms="20000") for count in ("3", "2"))
ON, OFF = (TradingStateUpdate(state, "operator") for state in (TradingState.ENABLED, TradingState.DISABLED))
PLAIN: list[object] = [
    None,
    True,
    -(2**70),
    Decimal("1.50"),
    "ä\n",
    b"\x00\xff",
    [1, (2, "b")],
    {"b": {}, "a": [Decimal(-0)]},
]


class Cap(RiskManager):
    """Refuses what is larger than 5, and takes no notice of the checks that stand in the state."""

    def check(
        self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        refused = tuple(RefusedOpen(request, "larger than 5") for request in opens if request.quantity > 5)
        return RiskDecision(cancels, tuple(request for request in opens if request.quantity <= 5), (), refused)


def events() -> Iterator[tuple[int, EngineEvent]]:
    """Yield the events of the history with their times."""
    yield 1, public_trade("100.10", "0.5", trade_id="a", time_ns=5)
    yield 2, book(("100.0", 2), ("100.20", "1.5"), time_ns=6)
    yield 2, book(None, None, instrument=ETH)
    yield 3, order_told(order_in(opened(7, 0), "teste1s1n0"), 1, 1)
    yield 4, filled(fill("f1", Side.BUY, "100.2", "0.75", "0.0751", cid="teste1s1n0"), 1, 2)
    yield 4, filled(fill("f1", Side.BUY, "100.2", "0.75", "0.0751", cid="teste1s1n0"), 1, 2)
    yield 5, order_told(order_in(opened(8, "0.75"), "teste1s1n0"), 1, 3)
    yield 6, balance_told(asset_balance(ASSET_USDT, "999.9", 900, time_ns=9))
    yield (
        6,
        command_of(
            SendOpenRequests((open_request("op", Side.SELL, 120, 2), open_request("op"), open_request(price=0)))
        ),
    )
    yield 7, command_of(CancelOrders(ByInstruments((BTC,))), "2")
    yield 8, cancel_answered("op", order_error(OrderErrorKind.ORDER_UNKNOWN, "no such order"))
    yield 9, order_told(order_in(opened(9, 0, "77"), "op", Side.SELL, 120, 2))
    yield 9, order_told(order_in(CancelInFlight(opened(8, 1, "77")), "op", Side.SELL, 120, 2))
    yield 10, cancel_answered("op")
    yield 11, MarketGap(ALPHA, BTC, 3, 9)
    yield 12, MarketReconnecting(ALPHA, "socket closed")
    yield 13, AccountReconnecting(BETA, "owner silent")
    yield 14, account_event(OwnerChanged("host-2", 31), BETA)
    yield 15, TimerFired(StrategyId("busy"), "soon", 14 * SECONDS)
    yield 16, ClockAdvanced()
    yield 10, public_trade("101", instrument=BETA_BTC)
    yield 17, filled(fill("f2", Side.SELL, "103.333333333333", "1.25", "-0.01"), 9, 1)
    yield 18, filled(fill("f3", Side.SELL, 55, 3, "0.3", instrument=BETA_BTC))
    yield 18, funded("-0.5", ASSET_BETA_USDT, instrument=BETA_BTC, time_ns=4)
    yield 18, funded("-0.5", ASSET_BETA_USDT, instrument=BETA_BTC, time_ns=4)
    yield 18, filled(fill("f4", Side.BUY, 56, 1, "0.002", instrument=BETA_BTC, fees_asset=ASSET_BETA_BTC), 19, 1)
    yield 18, filled(fill("f5", Side.BUY, 3, 1, "0.1", instrument=ETH, strategy="busy", fees_asset=ASSET_BTC))
    yield 18, filled(fill("f6", Side.SELL, 3, 1, "0.1", instrument=ETH, strategy="busy", fees_asset=ASSET_ETH))
    yield 19, OFF
    yield 20, command_of(ClosePositions(ByUnderlyings(((ASSET_BTC, ASSET_USDT),))), "3")
    yield 21, command_of(ClosePositions(ByExchanges((BETA,))), "4")
    snapshot = AccountSnapshot(
        (asset_balance(ASSET_BTC, 1), asset_balance(ASSET_USDT, 5, 4, time_ns=3)),
        (order_in(opened(20, 0, "88"), "found"), order_in(EXPIRED, "gone")),
    )
    yield 22, account_event(SnapshotReceived(snapshot))
    yield 23, ON
    yield 24, AccountLinkChanged(BETA, AccountLink.UNHEALTHY)
    yield 25, command_of(SendCancelRequests((cancel_of("found", "88"), cancel_of("x", instrument=BETA_BTC))), "5")
    yield 26, order_told(order_in(OpenFailed(order_error(OrderErrorKind.TIMEOUT, "late")), "found"))
    yield 27, order_told(order_in(FULLY_FILLED, "never seen"))
    yield 28, public_trade("99.999")
    yield 29, ON
    yield 30, public_trade("98.5")
    yield 30, in_doubt("teste1s25n0")
    yield 30, never_received("teste1s25n0", RequestKind.CANCEL)
    yield 30, command_of(SendOpenRequests((open_request("large", quantity=7), open_request("capped")), True), "7")
    yield 30, ConfigChanged("operator", (setup_of(StrategyId("busy"), a="2"),), (RATE_CHANGED,))
    yield 30, market_data(book_snapshot([("98.4", 2), ("98.3", 1)], [("98.6", 5)], 7, 29 * SECONDS), time_ns=10)
    yield 30, market_data(book_update([("98.3", 0)], [("98.7", "0.5"), ("98.6", 4)], 8), time_ns=11)
    yield 30, market_data(book_update([(1, 1)], [(2, 1)]), instrument=ETH)
    low, high = Decimal("97.1"), Decimal("99.5")
    yield 30, market_data(Candle(30, low, high, low, high, Decimal(1000), 42))
    yield 30, market_data(Liquidation(Side.SELL, Decimal("97.25"), Decimal("0.009")))
    yield 31, AccountLinkChanged(BETA, AccountLink.TERMINATED)
    yield 32, command_of(CancelOrders(ALL_INSTRUMENTS), "6")


def strategies() -> list[Scripted]:
    """Return the strategies of the history: one busy at some steps, one that fails late."""
    answers: dict[int, Decision] = {
        1: Decision(
            (),
            [open_request("", strategy="busy"), open_request("big", quantity=6, strategy="busy")],
            [("soon", 14 * SECONDS)],
        ),
        2: Decision((), (), [("later", 40 * SECONDS)], ["never"], [("note", value) for value in PLAIN]),
        16: Decision([cancel_of("unknown")], [], [], ["later"], [("items", [])]),
        21: Decision((), [open_request("b2", instrument=BETA_BTC, price=50, strategy="busy")]),
    }
    steps = iter(range(1, 10_000))

    def by_number(_state: EngineState, _event: EngineEvent) -> Decision | None:
        return answers.get(next(steps))

    def fails_late(state: EngineState, _event: EngineEvent) -> Decision | None:
        data = state.strategies[1].data
        if data is not None and data.to_plain()["seen"] == 13:
            raise RuntimeError("cannot count further")
        return None

    return [
        Scripted(
            by_number,
            strategy_id="busy",
            disconnected=lambda _state, exchange: Decision(patches=[("note", int(exchange))]),
            disabled=lambda _state: Decision([cancel_of("teste1s1n0")]),
        ),
        Scripted(fails_late, strategy_id="late"),
    ]


def run() -> tuple[Engine, list[AuditTick], list[Scripted]]:
    """Return the engine after the history, all ticks, and the strategies."""
    both = strategies()
    started = engine_started([setup_of(strategy.id, a="1") for strategy in both], risk=[RATE])
    engine = engine_of(*both, risk=Cap(), started=started, make_strategy=lambda _setup, _index: both[0])
    ticks = [engine.start(0)]
    ticks += [engine.process(event, seconds * SECONDS) for seconds, event in events()]
    return engine, ticks, both
