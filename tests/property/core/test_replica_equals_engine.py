"""Whatever happens and whatever strategies answer: after every tick the replica equals the engine."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.property.core.histories import History, Step, histories
from tests.property.examples import examples
from tests.support.scenario import Followed, assert_same_state, check_invariants, same_data
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent, FundingReceived, SnapshotReceived, TradeReceived
from tradebus.core.engine.state.funding import FundingTotals
from tradebus.core.engine.state.position import signed_quantity
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.side import Side
from tradebus.wire.codec.audit import (
    AuditBatch,
    AuditBatchHead,
    audit_batch_from_bytes,
    audit_batch_to_bytes,
)
from tradebus.wire.codec.bounds import bounds_of


class Fills:
    """Adds up each fill once, by the venue's id, and by key where it has one; what came before leaves the key alone."""

    def __init__(self) -> None:
        self.held: dict[int, Decimal] = {}
        self._last: dict[ExchangeIndex, tuple[int, int]] = {}
        self._seen: set[tuple[int, str, Side, int]] = set()
        self._payments: dict[int, FundingTotals] = defaultdict(lambda: FundingTotals(0, Decimal(0), 0, []))

    def add(self, event: object) -> None:
        if not isinstance(event, AccountEvent):
            return
        data = event.data
        if isinstance(data, TradeReceived) and _mark(data.trade) in self._seen:
            return
        if isinstance(data, FundingReceived) and self._payments[data.instrument].has(data.time_exchange_ns, data.id):
            return
        key = (event.cause, event.ordinal)
        if key != (0, 0):
            if key <= self._last.get(event.exchange, (0, 0)):
                return
            self._last[event.exchange] = key
        if isinstance(data, FundingReceived):
            self._payments[data.instrument].add(data.time_exchange_ns, data.id, data.amount)
        if isinstance(data, TradeReceived):
            trade = data.trade
            self._seen.add(_mark(trade))
            signed = trade.quantity if trade.side is Side.BUY else -trade.quantity
            self.held[trade.instrument] = self.held.get(trade.instrument, Decimal(0)) + signed


def _mark(trade: Trade) -> tuple[int, str, Side, int]:
    return (trade.instrument, trade.id, trade.side, trade.time_exchange_ns)


@examples(60)
@given(histories)
def test_after_every_tick_the_replica_equals_the_engine(history_steps: Sequence[Step]) -> None:
    history = History()
    followed = Followed(history.engine, history.strategies, history.make_user_data)
    followed.start()
    fills = Fills()
    for step in history_steps:
        event = history.next_event(step)
        tick = followed.process(event, history.now_ns)
        fills.add(event)
        for i, instrument in enumerate(history.engine.state.instruments):
            assert signed_quantity(instrument.position) == fills.held.get(i, Decimal(0))
        if tick.is_terminal:
            break
    followed.assert_ticks_unchanged()


@examples(40)
@given(histories, st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_a_replica_fed_from_stored_bytes_equals_the_engine(history_steps: Sequence[Step], sizes: list[int]) -> None:
    history = History()
    engine = history.engine
    ticks = [engine.start(0)]
    replica = Replica(same_data(history.strategies), history.make_user_data)
    batches = 0
    for step in history_steps:
        # A batch is written when the one before it is stored: its first ticks are then some events old.
        if len(ticks) >= sizes[batches % len(sizes)]:
            apply_stored(replica, ticks, engine.started.index)
            assert_same_state(engine, replica)
            ticks = []
            batches += 1
        ticks.append(engine.process(history.next_event(step), history.now_ns))
        if ticks[-1].is_terminal:
            break
    apply_stored(replica, ticks, engine.started.index)
    assert_same_state(engine, replica)
    check_invariants(replica.state)


def apply_stored(replica: Replica, ticks: list[AuditTick], index: IndexedInstruments) -> None:
    """Write ticks as a batch, read it back, and apply what was read."""
    bounds = bounds_of(index)
    head = AuditBatchHead("test", 1, ticks[0].sequence, ticks[-1].sequence, bytes(16), bounds.fingerprint, 1)
    stored = audit_batch_to_bytes(AuditBatch(head, tuple(ticks)))
    for tick in audit_batch_from_bytes(stored, bounds).ticks:
        replica.apply(tick)


@examples(25)
@given(histories)
def test_two_engines_given_the_same_do_the_same(history_steps: Sequence[Step]) -> None:
    runs = []
    for _ in range(2):
        history = History()
        ticks = [history.engine.start(0)]
        for step in history_steps:
            ticks.append(history.engine.process(history.next_event(step), history.now_ns))  # noqa: PERF401 - one by one
        runs.append((ticks, history.engine.hash()))
    assert runs[0] == runs[1]


@examples(25)
@given(histories)
def test_an_account_snapshot_never_removes_what_it_does_not_mention(history_steps: Sequence[Step]) -> None:
    history = History()
    history.engine.start(0)
    for step in history_steps:
        event = history.next_event(step)
        before = [dict(instrument.orders) for instrument in history.engine.state.instruments]
        history.engine.process(event, history.now_ns)
        if isinstance(event, AccountEvent) and isinstance(event.data, SnapshotReceived):
            mentioned = {order.key.cid for order in event.data.snapshot.orders}
            for orders, instrument in zip(before, history.engine.state.instruments, strict=True):
                assert set(orders) - mentioned <= set(instrument.orders)
