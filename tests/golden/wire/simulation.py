"""A snapshot of a simulated account in which nothing is missing."""

from decimal import Decimal

from tests.support.builders import (
    ALPHA,
    ASSET_BTC,
    ASSET_USDT,
    BTC,
    account_event,
    amend_of,
    asset_balance,
    cancel_of,
    fill,
    filled,
    open_request,
    simulated_account,
    usual_index,
)
from tradebus.core.engine.event import BalanceReceived
from tradebus.core.model.identifiers import OrderId
from tradebus.core.model.side import Side
from tradebus.core.simulation.book import TopOfBook, empty_book
from tradebus.core.simulation.resting import RestingOrder
from tradebus.core.simulation.state import SimulatedBalance, SimulationState
from tradebus.core.simulation.transit import Arrival, Delivery
from tradebus.wire.codec.paper_snapshot import HeldEvent, PaperPlace, PaperSnapshot, UnseenEvent
from tradebus.wire.codec.simulation import SimulatedAccount

T0 = 1_764_000_000_123_456_789


def full_state() -> SimulationState:
    """Return a state with something of everything in it."""
    resting = RestingOrder(open_request("c1", Side.BUY, 100, 2), OrderId("7"), Decimal("100.5"), Decimal("1.5"))
    resting.filled = Decimal("0.5")
    resting.queue_ahead = Decimal("0.25")
    behind = RestingOrder(open_request("c2", Side.SELL, 120, 1), OrderId("8"), Decimal(120), Decimal(1))
    book = TopOfBook(Decimal("99.5"), Decimal("0.1"), Decimal("100.5"), Decimal("0.7"), Decimal(100), True)
    return SimulationState(
        (book, *(empty_book() for _ in usual_index().instruments[1:])),
        (resting, behind),
        (
            Arrival(T0 + 1, open_request("c3", Side.BUY, 90, 1)),
            Arrival(T0 + 2, cancel_of("c2", instrument=BTC)),
            Arrival(T0 + 3, amend_of("c1", Decimal(101), None, instrument=BTC)),
        ),
        (Delivery(T0 + 4, filled(fill("t8"), 16, 3)),),
        (
            SimulatedBalance(ASSET_BTC, Decimal(5), Decimal("4.5")),
            SimulatedBalance(ASSET_USDT, Decimal("100000.000001"), Decimal(99_000)),
        ),
        17,
        3,
        9,
        4,
        (fill("t1"), fill("t2")),
    )


def full_paper_snapshot() -> PaperSnapshot:
    """Return a snapshot with something of everything in it."""
    index = usual_index()
    setup = simulated_account(
        ALPHA, ((ASSET_BTC, 5), (ASSET_USDT, 100_000)), latency_ns=20_000_000, fee_maker="0.0002", fee_taker="0.0005"
    )
    told = account_event(BalanceReceived(asset_balance()), cause=15, ordinal=2)
    return PaperSnapshot(
        setup.account,
        "execution-1",
        PaperPlace("demo", 1, 9, "0f" * 16, 18, 5, "f0" * 16, 42, 2),
        index.fingerprint(),
        (UnseenEvent(told, T0, 16, index.fingerprint()),),
        (HeldEvent(filled(fill("t9"), 20, 1), 5),),
        SimulatedAccount(setup, index, full_state()),
    )
