"""What grows with the journal is kept newest first, bounded, and says what it let go."""

from decimal import Decimal

import pytest

from services.audit.config import Limits
from services.audit.fold import Fold
from services.audit.projections import BatchIndex, OrderStatus, StepKind
from services.audit.projections.bounded import Newest
from services.audit.projections.order_life import STEPS_MAX
from services.audit.projections.orders import Orders
from tests.support.audit_api import new_fold
from tests.support.audit_run import EngineRun, messages_of
from tests.support.builders import (
    ALPHA,
    ASSET_ETH,
    ASSET_USDT,
    BETA,
    BETA_BTC,
    BTC,
    account_event,
    amend_answered,
    amend_of,
    book,
    cancel_answered,
    cancel_of,
    engine_started,
    fill,
    filled,
    in_doubt,
    never_received,
    open_request,
    opened,
    order_error,
    order_in,
    order_told,
    setup_of,
)
from tradebus.core.engine.apply import apply_event, apply_output
from tradebus.core.engine.audit.tick import (
    NO_ERRORS,
    AuditTick,
    FailedAmend,
    FailedOpen,
    Halted,
    Origin,
    Output,
    RefusedAmend,
    RefusedCancel,
    RefusedOpen,
    RequestsDecided,
)
from tradebus.core.engine.error import EngineError, EngineErrorKind
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    ClockAdvanced,
    OwnerChanged,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import initial_state
from tradebus.core.engine.state.funding import AssetAmount
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketGap, MarketReconnecting
from tradebus.core.model.identifiers import OrderId, StrategyId
from tradebus.core.model.number import enter_engine_context
from tradebus.core.model.order import (
    EXPIRED,
    FULLY_FILLED,
    Cancelled,
    OpenFailed,
    OrderErrorKind,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
)


def decided(
    *,
    opens: tuple[OrderRequestOpen, ...] = (),
    cancels: tuple[OrderRequestCancel, ...] = (),
    refused: tuple[RefusedOpen, ...] = (),
    failed: tuple[FailedOpen, ...] = (),
    cancels_refused: tuple[RefusedCancel, ...] = (),
) -> RequestsDecided:
    return RequestsDecided(Origin.ALGO, StrategyId("s"), cancels, opens, (), failed, cancels_refused, refused)


class Journal:
    """Hand-made ticks, taken in by a state and by the orders beside it."""

    def __init__(self, finished_max: int = 100) -> None:
        enter_engine_context()
        started = engine_started([setup_of(StrategyId("s"))])
        self.state = initial_state(started, [None])
        self.orders = Orders(finished_max)
        self.sequence = 0

    def tick(self, event: EngineEvent, *outputs: Output) -> AuditTick:
        self.sequence += 1
        tick = AuditTick(self.sequence, self.sequence * 1_000, event, outputs, NO_ERRORS)
        apply_event(self.state, event)
        for output in outputs:
            apply_output(self.state, output)
        if isinstance(event, AccountEvent):
            self.orders.take_event(tick, event, self.state)
        for output in outputs:
            if isinstance(output, RequestsDecided):
                self.orders.take_output(tick, output, self.state)
        return tick

    def decide(self, output: Output) -> None:
        self.tick(ClockAdvanced(), output)

    def status(self, cid: str = "c1") -> OrderStatus:
        life = self.orders.get(cid)
        assert life is not None
        return life.status

    def steps(self, cid: str = "c1") -> list[StepKind]:
        life = self.orders.get(cid)
        assert life is not None
        return [step.kind for step in life.steps]


def test_fees_of_an_order_are_added_up_by_asset() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(quantity=3),)))
    journal.tick(filled(fill("t1", fees="0.1", fees_asset=ASSET_ETH)))
    journal.tick(filled(fill("t2", fees="0.2")))
    journal.tick(filled(fill("t3", fees="-0.05", fees_asset=ASSET_ETH)))
    life = journal.orders.get("c1")
    assert life is not None
    assert life.fees == [AssetAmount(ASSET_ETH, Decimal("0.05")), AssetAmount(ASSET_USDT, Decimal("0.2"))]


def test_order_is_followed_from_request_to_full_fill() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(quantity=2),)))
    assert journal.status() is OrderStatus.OPEN_IN_FLIGHT
    journal.tick(order_told(order_in(opened(), quantity=2)))
    assert journal.status() is OrderStatus.OPEN
    journal.tick(filled(fill(price=100, quantity=1, fees="0.1")))
    journal.tick(filled(fill("t2", price=103, quantity=1, fees="0.2")))
    journal.tick(order_told(order_in(FULLY_FILLED, quantity=2)))
    life = journal.orders.get("c1")
    assert life is not None
    assert life.status is OrderStatus.FULLY_FILLED
    assert (life.filled_quantity, life.price_average) == (Decimal(2), Decimal("101.5"))
    assert life.fees == [AssetAmount(ASSET_USDT, Decimal("0.3"))]
    assert journal.steps() == [
        StepKind.REQUESTED,
        StepKind.REPORTED,
        StepKind.FILLED,
        StepKind.FILLED,
        StepKind.REPORTED,
    ]
    assert [step.sequence for step in life.steps] == [1, 2, 3, 4, 5]
    assert life.steps[2].note == "1 at 100"
    assert (life.sequence_first, life.sequence_last) == (1, 5)


def test_order_that_is_full_by_its_own_report_is_fully_filled() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(order_told(order_in(opened(filled=1))))
    assert journal.status() is OrderStatus.FULLY_FILLED


def test_cancel_is_requested_then_accepted() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(order_told(order_in(opened())))
    journal.decide(decided(cancels=(cancel_of(order_id="1"),)))
    assert journal.status() is OrderStatus.CANCEL_IN_FLIGHT
    journal.tick(cancel_answered(time_ns=77))
    life = journal.orders.get("c1")
    assert life is not None
    assert life.status is OrderStatus.CANCELLED
    assert life.order.state == Cancelled(OrderId("1"), 77)
    assert journal.steps()[-2:] == [StepKind.CANCEL_REQUESTED, StepKind.CANCEL_ACCEPTED]


def test_refused_cancel_leaves_the_order_open_with_the_reason() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(order_told(order_in(opened())))
    journal.decide(decided(cancels=(cancel_of(order_id="1"),)))
    journal.tick(cancel_answered(error=order_error(OrderErrorKind.RATE_LIMIT, "slow down")))
    life = journal.orders.get("c1")
    assert life is not None
    assert life.status is OrderStatus.OPEN
    assert life.steps[-1].kind is StepKind.CANCEL_REJECTED
    assert life.steps[-1].note == "rate_limit: slow down"


def test_requests_that_never_left_are_kept_with_their_reason() -> None:
    journal = Journal()
    error = EngineError(EngineErrorKind.LINK_UNHEALTHY, "the account cannot be reached now")
    journal.decide(
        decided(
            refused=(RefusedOpen(open_request("a"), "too large"), RefusedOpen(open_request(""), "no id")),
            failed=(FailedOpen(open_request("b"), error),),
        )
    )
    refused, failed = journal.orders.get("a"), journal.orders.get("b")
    assert refused is not None
    assert failed is not None
    assert (refused.status, refused.reason) == (OrderStatus.REFUSED, "too large")
    assert (failed.status, failed.reason) == (OrderStatus.NOT_SENT, "the account cannot be reached now")
    assert journal.orders.count == 2


def test_refused_request_with_the_id_of_another_order_does_not_touch_it() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.decide(decided(refused=(RefusedOpen(open_request(), "the id is taken"),)))
    assert journal.status() is OrderStatus.OPEN_IN_FLIGHT
    assert journal.steps() == [StepKind.REQUESTED]


def test_request_without_an_answer_leaves_the_order_unknown_until_it_is_found() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(in_doubt())
    assert journal.status() is OrderStatus.OPEN_UNKNOWN
    journal.tick(order_told(order_in(opened())))
    assert journal.status() is OrderStatus.OPEN
    journal.decide(decided(cancels=(cancel_of(order_id="1"),)))
    journal.tick(in_doubt(request=RequestKind.CANCEL))
    life = journal.orders.get("c1")
    assert life is not None
    assert life.status is OrderStatus.CANCEL_UNKNOWN
    assert life.steps[-1].note == "cancel: no answer"
    journal.tick(never_received(request=RequestKind.CANCEL))
    assert journal.status() is OrderStatus.OPEN
    assert journal.steps()[-2:] == [StepKind.IN_DOUBT, StepKind.NEVER_RECEIVED]


def test_order_that_never_arrived_was_not_sent() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(never_received())
    journal.tick(never_received())
    journal.tick(in_doubt("never seen"))
    journal.tick(never_received("never seen"))
    life = journal.orders.get("c1")
    assert life is not None
    assert (life.status, life.reason) == (OrderStatus.NOT_SENT, "the venue does not know it")
    assert journal.orders.get("never seen") is None


def test_amends_are_steps_of_an_order() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(quantity=2),)))
    journal.tick(order_told(order_in(opened(), quantity=2)))
    error = EngineError(EngineErrorKind.LINK_UNHEALTHY, "the account cannot be reached now")
    amend = amend_of(price=101, quantity=3)
    nothing = (Origin.ALGO, StrategyId("s"), (), (), (), (), (), ())
    journal.decide(RequestsDecided(*nothing, (), (FailedAmend(amend, error),), (RefusedAmend(amend, "no"),)))
    journal.decide(RequestsDecided(*nothing, (amend,)))
    journal.tick(amend_answered(error=order_error()))
    journal.decide(RequestsDecided(*nothing, (amend,)))
    journal.tick(amend_answered(price=101, quantity=3))
    journal.tick(amend_answered("never seen"))
    life = journal.orders.get("c1")
    assert life is not None
    assert (life.status, life.order.price, life.order.quantity) == (OrderStatus.OPEN, Decimal(101), Decimal(3))
    assert journal.steps()[2:] == [
        StepKind.AMEND_REFUSED,
        StepKind.AMEND_NOT_SENT,
        StepKind.AMEND_REQUESTED,
        StepKind.AMEND_REJECTED,
        StepKind.AMEND_REQUESTED,
        StepKind.AMENDED,
    ]
    assert life.steps[4].note == "quantity 3, price 101"


def test_order_of_which_an_amend_leaves_nothing_is_fully_filled() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(quantity=2),)))
    journal.tick(order_told(order_in(opened(), quantity=2)))
    journal.decide(RequestsDecided(Origin.ALGO, StrategyId("s"), (), (), (), (), (), (), (amend_of(quantity=1),)))
    journal.tick(filled(fill(quantity=1)))
    assert journal.status() is OrderStatus.OPEN
    journal.tick(amend_answered(quantity=1))
    assert journal.status() is OrderStatus.FULLY_FILLED


def test_link_that_is_gone_leaves_requests_in_doubt() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(), open_request("b", instrument=BETA_BTC))))
    link = AccountLinkChanged(ALPHA, AccountLink.TERMINATED)
    journal.orders.take_link(journal.tick(link), link, journal.state)
    assert (journal.status(), journal.status("b")) == (OrderStatus.OPEN_UNKNOWN, OrderStatus.OPEN_IN_FLIGHT)
    assert journal.steps() == [StepKind.REQUESTED, StepKind.IN_DOUBT]


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        (Cancelled(OrderId("1"), 5), OrderStatus.CANCELLED, ""),
        (EXPIRED, OrderStatus.EXPIRED, ""),
        (OpenFailed(order_error(message="no funds")), OrderStatus.OPEN_FAILED, "order_rejected: no funds"),
    ],
)
def test_order_ends_as_the_venue_reports(end: Cancelled, status: OrderStatus, reason: str) -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(order_told(order_in(end)))
    life = journal.orders.get("c1")
    assert life is not None
    assert (life.status, life.reason, life.order.state) == (status, reason, end)


def test_order_placed_by_hand_is_followed_from_its_first_report() -> None:
    journal = Journal()
    journal.tick(order_told(order_in(opened(), cid="hand")))
    assert journal.status("hand") is OrderStatus.OPEN
    journal.tick(order_told(order_in(Cancelled(OrderId("1"), 9), cid="hand")))
    assert journal.status("hand") is OrderStatus.CANCELLED
    journal.tick(order_told(order_in(Cancelled(OrderId("1"), 9), cid="never seen")))
    assert journal.orders.get("never seen") is None


def test_order_that_a_late_report_brings_back_ends_once_more() -> None:
    journal = Journal(finished_max=1)
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(order_told(order_in(Cancelled(OrderId("1"), 2))))
    journal.tick(order_told(order_in(opened(time_ns=3))))
    assert journal.status() is OrderStatus.OPEN
    journal.tick(order_told(order_in(Cancelled(OrderId("1"), 4))))
    assert journal.status() is OrderStatus.CANCELLED
    assert journal.orders.dropped == 0


def test_fill_after_the_end_is_a_step_and_changes_no_status() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(),)))
    journal.tick(order_told(order_in(Cancelled(OrderId("1"), 2))))
    journal.tick(filled(fill()))
    assert journal.status() is OrderStatus.CANCELLED
    assert journal.steps()[-1] is StepKind.FILLED


def test_oldest_finished_orders_are_let_go_and_active_ones_never() -> None:
    journal = Journal(finished_max=3)
    journal.decide(decided(opens=(open_request("active"),)))
    for number in range(10):
        journal.decide(decided(refused=(RefusedOpen(open_request(f"r{number}"), "no"),)))
    assert journal.orders.get("active") is not None
    assert journal.orders.get("r6") is None
    assert journal.orders.get("r7") is not None
    assert (len(journal.orders), journal.orders.count, journal.orders.dropped) == (4, 11, 7)
    assert [life.order.key.cid for life in journal.orders.newest_first()] == ["r9", "r8", "r7", "active"]
    assert [life.order.key.cid for life in journal.orders.newest_first(before=11)] == ["r8", "r7", "active"]
    assert [life.number for life in journal.orders.oldest_first(after=1)] == [9, 10, 11]


def test_steps_of_one_order_are_bounded_and_the_first_stays() -> None:
    journal = Journal()
    journal.decide(decided(opens=(open_request(quantity=1000),)))
    for number in range(STEPS_MAX + 5):
        journal.tick(filled(fill(f"t{number}", quantity=1)))
    life = journal.orders.get("c1")
    assert life is not None
    assert len(life.steps) == STEPS_MAX
    assert life.steps_dropped == 6
    assert life.steps[0].kind is StepKind.REQUESTED
    assert life.steps[-1].sequence == journal.sequence
    assert life.filled_quantity == STEPS_MAX + 5


def test_status_in_the_life_is_that_of_the_state_through_a_whole_run(trading_run: EngineRun) -> None:
    fold = new_fold()
    for message in messages_of(trading_run.batches()):
        fold.take(message)
        active = {
            str(order.key.cid): order for instrument in fold.state.instruments for order in instrument.orders.values()
        }
        lives = {str(life.order.key.cid): life for life in fold.projections.orders.newest_first()}
        assert {cid for cid, life in lives.items() if life.status.is_active} == set(active)
        for cid, order in active.items():
            assert lives[cid].order == order
    assert fold.projections.orders.count == fold.projections.counts.orders_sent
    filled_lives = [life for life in fold.projections.orders.newest_first() if life.filled_quantity]
    for life in filled_lives:
        assert life.filled_quantity <= life.order.quantity
        assert (life.status is OrderStatus.FULLY_FILLED) == (life.filled_quantity == life.order.quantity)


def test_newest_rows_stay_with_their_numbers() -> None:
    rows: Newest[str] = Newest(3)
    for number in range(1, 6):
        assert rows.append(f"row {number}") == number
    assert (len(rows), rows.count, rows.dropped) == (3, 5, 2)
    assert list(rows.newest_first()) == [(5, "row 5"), (4, "row 4"), (3, "row 3")]
    assert list(rows.newest_first(before=5)) == [(4, "row 4"), (3, "row 3")]
    assert list(rows.newest_first(before=3)) == []
    assert list(rows.oldest_first()) == [(3, "row 3"), (4, "row 4"), (5, "row 5")]
    assert list(rows.oldest_first(after=4)) == [(5, "row 5")]
    assert list(rows.oldest_first(after=9)) == []


def test_rows_are_really_let_go() -> None:
    rows: Newest[int] = Newest(10)
    for number in range(5_000):
        rows.append(number)
    assert (len(rows), rows.dropped) == (10, 4_990)
    assert [row for _, row in rows.newest_first()] == list(range(4_999, 4_989, -1))
    assert len(rows._rows) < 10 + 1_100
    with pytest.raises(ValueError, match="at least one row"):
        Newest(0)


@pytest.mark.parametrize("entries_max", [4, 8, 64, 1024])
def test_batch_index_finds_every_tick_in_bounded_memory(entries_max: int) -> None:
    index = BatchIndex(entries_max)
    sizes = [1, 3, 512, 2, 1, 1, 7] * 40
    first = 0
    where: dict[int, int] = {}
    for message, size in enumerate(sizes, start=11):
        index.append(first, first + size - 1, message)
        where[first] = where[first + size - 1] = message
        first += size
    assert index.bounds == (0, first - 1)
    assert index.batches == len(sizes)
    assert len(index._ticks) < entries_max
    for tick, message in where.items():
        found = index.range_of(tick)
        assert found is not None
        assert found[0] <= message <= found[1]
        assert found[1] - found[0] < 2 * len(sizes) // entries_max + 2
    assert index.range_of(first) is None
    assert BatchIndex().bounds is None
    assert BatchIndex().range_of(0) is None


def followed(*events: tuple[EngineEvent, tuple[Output, ...]]) -> Fold:
    """Return a fold whose projections have taken in a start and these events."""
    enter_engine_context()
    fold = new_fold()
    started = engine_started([setup_of(StrategyId("s"), "tests:NoSuchStrategy")])
    ticks = [AuditTick(0, 1_000, started, (), NO_ERRORS)]
    ticks += [AuditTick(i, 1_000 * (i + 1), event, outputs, NO_ERRORS) for i, (event, outputs) in enumerate(events, 1)]
    for tick in ticks:
        fold._apply(tick)
    return fold


def test_who_changed_trading_last_is_remembered() -> None:
    fold = followed((ClockAdvanced(), ()))
    last = fold.projections.trading.last
    assert last is not None
    assert (last.sequence, last.state, last.origin) == (0, TradingState.ENABLED, "start")

    fold = followed(
        (TradingStateUpdate(TradingState.DISABLED, "ann"), ()),
        (TradingStateUpdate(TradingState.DISABLED, "bob"), ()),
    )
    last = fold.projections.trading.last
    assert last is not None
    assert (last.sequence, last.origin) == (1, "ann")  # bob changed nothing

    fold = followed((ClockAdvanced(), (Halted(StrategyId("s"), "it raised"),)))
    last = fold.projections.trading.last
    assert last is not None
    assert (last.sequence, last.state, last.origin, last.reason) == (1, TradingState.DISABLED, "halt of s", "it raised")
    assert fold.state.trading is TradingState.DISABLED


def test_links_remember_losses_gaps_and_owners() -> None:
    fold = followed(
        (book(time_ns=500), ()),
        (MarketReconnecting(ALPHA, "socket closed"), ()),
        (MarketGap(ALPHA, BTC, 5, 9), ()),
        (AccountReconnecting(BETA, "no heartbeat"), ()),
        (account_event(OwnerChanged("execution-2", 7), BETA), ()),
    )
    alpha, beta = fold.projections.links.exchanges
    assert (alpha.market_data.messages, alpha.market_data.time_last_ns) == (1, 2_000)
    assert (alpha.market_data.reconnects, alpha.market_data.reconnect_sequence) == (1, 2)
    assert alpha.market_data.reconnect_reason == "socket closed"
    assert (alpha.gaps, alpha.events_missing) == (1, 5)
    assert (beta.account.reconnects, beta.account.reconnect_reason) == (1, "no heartbeat")
    assert (beta.owner, beta.owner_epoch) == ("execution-2", 7)
    assert (beta.market_data.messages, beta.market_data.reconnect_sequence) == (0, None)


def test_account_event_that_comes_twice_counts_once() -> None:
    event = filled(fill(), cause=3, ordinal=1)
    fold = followed((event, ()), (event, ()))
    assert isinstance(event.data, TradeReceived)
    assert fold.projections.counts.fills == len(fold.projections.fills.rows) == 1
    assert fold.projections.counts.duplicates == 1
    assert fold.state.instruments[0].position is not None
    assert fold.state.instruments[0].position.quantity_abs == 1


def test_rows_are_bounded_by_the_limits(run: EngineRun) -> None:
    fold = new_fold(Limits(fills=10, orders=5, exits=3))
    for message in messages_of(run.batches()):
        fold.take(message)
    projections = fold.projections
    assert (len(projections.fills.rows), len(projections.exits.rows)) == (10, 3)
    assert projections.fills.rows.dropped == projections.counts.fills - 10
    assert projections.orders.dropped == projections.counts.orders_sent - len(projections.orders)
    assert len(projections.orders) == 5
