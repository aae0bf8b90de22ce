from itertools import pairwise

import pytest

from services.market.flow import LoopedFlow, OrderFlow
from tests.support.market_instruments import simulated_index
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import ExchangeId

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


def stretch(count: int = 300) -> list[MarketEvent]:
    return OrderFlow(simulated_index(), ExchangeId.SIM_ALPHA, 1, start_ns=START_NS).take(count)


def test_the_rate_is_exact_and_the_stretch_recurs() -> None:
    part = stretch()
    flow = LoopedFlow(part, 1_000, start_ns=START_NS)
    events = [event for i in range(1, 101) for event in flow.next(START_NS + i * SECOND_NS // 50 - 1)]
    assert len(events) == 2_000
    assert [event.data for event in events[: len(part)]] == [event.data for event in part]
    assert [event.data for event in events[len(part) : 2 * len(part)]] == [event.data for event in part]
    gaps = {b.time_exchange_ns - a.time_exchange_ns for a, b in pairwise(events)}
    assert gaps == {1_000_000}


def test_sequences_go_on_through_the_seam() -> None:
    flow = LoopedFlow(stretch(), 10_000, start_ns=START_NS)
    events = flow.next(START_NS + SECOND_NS)
    for instrument in {event.instrument for event in events}:
        numbers = [event.sequence for event in events if event.instrument == instrument]
        assert numbers == list(range(1, len(numbers) + 1))


def test_what_was_due_before_a_resumption_never_happens() -> None:
    flow = LoopedFlow(stretch(), 1_000, start_ns=START_NS)
    before = flow.next(START_NS + SECOND_NS // 10)
    flow.resume_at(START_NS + 10 * SECOND_NS)
    after = flow.next(START_NS + 10 * SECOND_NS, received_ns=7)
    assert len(after) == 1
    assert after[0].time_exchange_ns == START_NS + 10 * SECOND_NS
    assert after[0].time_received_ns == 7
    assert after[0].data is stretch_data_at(len(before), flow)


def stretch_data_at(position: int, flow: LoopedFlow) -> object:
    return flow._parts[position][-1]


@pytest.mark.parametrize(("events", "rate"), [([], 1.0), (stretch(1), 0.0)])
def test_nothing_to_repeat_or_no_rate_is_refused(events: list[MarketEvent], rate: float) -> None:
    with pytest.raises(ValueError, match="expected events and a rate above 0"):
        LoopedFlow(events, rate, start_ns=START_NS)
