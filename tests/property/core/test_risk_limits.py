"""Whatever is asked, by whomever and whenever: what was sent stays within every limit."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.builders import BETA_BTC, BTC, ETH, check_of, command_of, engine_started, open_request, setup_of
from tests.support.scenario import Scripted, follow, opens_sent
from tradebus.core.engine.command import SendOpenRequests
from tradebus.core.engine.event import ClockAdvanced
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision

MS = 1_000_000
POSITION_MAX, ORDERS_MAX, RATE_MAX, WINDOW_MS = 5, 6, 4, 10
CHECKS = (
    check_of("max_order_notional", usdt="300"),
    check_of("max_position", default=str(POSITION_MAX)),
    check_of("max_open_orders", default=str(ORDERS_MAX)),
    check_of("order_rate", orders_max=str(RATE_MAX), window_ms=str(WINDOW_MS)),
    check_of("self_cross"),
)

asked = st.builds(
    lambda instrument, side, price, tenths: open_request(
        "", side, price, Decimal(tenths) / 10, instrument=instrument, strategy="a"
    ),
    st.sampled_from((BTC, ETH, BETA_BTC)),
    st.sampled_from(list(Side)),
    st.integers(95, 105),
    st.integers(1, 40),
)
step = st.tuples(st.integers(0, 12), st.lists(asked, max_size=4), st.lists(asked, max_size=4), st.booleans())


@examples(80)
@given(st.lists(step, min_size=1, max_size=15))
def test_what_is_sent_stays_within_every_limit(
    steps: Sequence[tuple[int, list[OrderRequestOpen], list[OrderRequestOpen], bool]],
) -> None:
    wanted: list[list[OrderRequestOpen]] = []

    def decide(_state: EngineState, _event: EngineEvent) -> Decision | None:
        return Decision((), wanted.pop()) if wanted else None

    strategies = [Scripted(decide, strategy_id=name) for name in "ab"]
    started = engine_started([setup_of(strategy.id) for strategy in strategies], risk=CHECKS)
    followed = follow(*strategies, started=started)
    now_ns = 0
    times: list[int] = []
    for later_ms, first, second, is_command in steps:
        now_ns += later_ms * MS
        wanted[:] = [second] if is_command else [second, first]
        event: EngineEvent = command_of(SendOpenRequests(tuple(first))) if is_command else ClockAdvanced()
        tick = followed.process(event, now_ns)
        times += [now_ns] * len(opens_sent([tick]))
    sent = opens_sent(followed.ticks)
    for instrument in (BTC, ETH, BETA_BTC):
        own = [request for request in sent if request.key.instrument == instrument]
        assert len(own) <= ORDERS_MAX
        buys, sells = ([request for request in own if request.side is side] for side in (Side.BUY, Side.SELL))
        assert max(sum(request.quantity for request in side) for side in (buys, sells)) <= POSITION_MAX
        assert not buys or not sells or max(r.price for r in buys) < min(r.price for r in sells)
    assert all(request.price * request.quantity <= 300 for request in sent)
    assert all(later - earlier >= WINDOW_MS * MS for earlier, later in zip(times, times[RATE_MAX:], strict=False))
    assert all(later >= earlier for earlier, later in pairwise(times))
