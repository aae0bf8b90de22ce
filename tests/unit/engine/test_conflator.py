"""What waits keeps its order: every trade, of books only the newest, nothing past a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.engine.conflator import Conflator
from tests.support.builders import ALPHA, BTC, ETH, book, public_trade
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import BookL1, MarketEvent, MarketGap, MarketReconnecting
from tradebus.core.model.identifiers import InstrumentIndex

SUBJECT = "md.sim_alpha.0"


def filled(*events: EngineEvent) -> Conflator:
    conflator = Conflator(100)
    for event in events:
        conflator.add(event, None, SUBJECT)
    return conflator


def left(conflator: Conflator) -> list[EngineEvent]:
    return [waiting.event for waiting in conflator.take(1_000)]


def test_trades_are_all_kept_in_order_with_their_bytes() -> None:
    conflator = Conflator(100)
    events = [public_trade(instrument=number % 2, sequence=number) for number in range(6)]
    for event in events:
        conflator.add(event, b"%d" % event.sequence, SUBJECT)
    taken = conflator.take(10)
    assert [waiting.event for waiting in taken] == events
    assert [waiting.encoded for waiting in taken] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert (len(conflator), conflator.conflated) == (0, 0)


def test_a_newer_book_takes_the_place_of_the_older_one() -> None:
    first, other, newer = book(sequence=1), book(sequence=1, instrument=ETH), book(sequence=2)
    conflator = filled(first, other, newer)
    assert left(conflator) == [newer, other]
    assert conflator.conflated == 1


def test_a_book_does_not_pass_a_trade_of_its_instrument() -> None:
    events = [book(sequence=1), public_trade(sequence=2), book(sequence=3), book(sequence=4)]
    assert left(filled(*events)) == [events[0], events[1], events[3]]


def test_a_trade_of_another_instrument_holds_up_no_book() -> None:
    first, trade, newer = book(sequence=1), public_trade(sequence=1, instrument=ETH), book(sequence=2)
    assert left(filled(first, trade, newer)) == [newer, trade]


@pytest.mark.parametrize("marker", [MarketGap(ALPHA, BTC, 2, 3), MarketReconnecting(ALPHA, "lost")])
def test_nothing_passes_a_gap_or_a_lost_feed(marker: EngineEvent) -> None:
    before, after = book(sequence=1), book(sequence=4)
    assert left(filled(before, marker, after)) == [before, marker, after]


def test_taking_a_part_leaves_the_rest_where_it_was() -> None:
    events = [book(sequence=1), public_trade(sequence=1, instrument=ETH), public_trade(sequence=2, instrument=ETH)]
    conflator = filled(*events)
    assert [waiting.event for waiting in conflator.take(1)] == events[:1]
    # The book that went is not there any more to be replaced.
    newer = book(sequence=2)
    conflator.add(newer, None, SUBJECT)
    newest = book(sequence=3)
    conflator.add(newest, None, SUBJECT)
    assert left(conflator) == [*events[1:], newest]


def test_it_is_full_when_so_many_wait() -> None:
    conflator = Conflator(2)
    seen = [conflator.is_full]
    for _ in range(2):
        conflator.add(public_trade(), None, SUBJECT)
        seen.append(conflator.is_full)
    conflator.take(1)
    seen.append(conflator.is_full)
    assert seen == [False, False, True, False]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 3)), max_size=60))
def test_of_each_instrument_every_trade_and_the_last_book_before_it_go_on(steps: list[tuple[bool, int, int]]) -> None:
    """Whatever is taken in between: trades are complete, numbers only grow, each book is followed by a newer event."""
    conflator = Conflator(1_000)
    numbers = dict.fromkeys(range(3), 0)
    added: list[MarketEvent] = []
    went: list[MarketEvent] = []
    for is_book, instrument, taken in steps:
        numbers[instrument] += 1
        number = numbers[instrument]
        event = (
            book(instrument=instrument, sequence=number)
            if is_book
            else public_trade(instrument=instrument, sequence=number)
        )
        added.append(event)
        conflator.add(event, None, SUBJECT)
        went += [waiting.event for waiting in conflator.take(taken) if isinstance(waiting.event, MarketEvent)]
    went += [event for event in left(conflator) if isinstance(event, MarketEvent)]
    assert len(added) == len(went) + conflator.conflated
    for instrument in range(3):
        ours = [event for event in went if event.instrument == InstrumentIndex(instrument)]
        assert [event.sequence for event in ours] == sorted({event.sequence for event in ours})
        all_trades = [
            event.sequence for event in added if event.instrument == instrument and not isinstance(event.data, BookL1)
        ]
        assert [event.sequence for event in ours if not isinstance(event.data, BookL1)] == all_trades
        if numbers[instrument]:
            assert ours[-1].sequence == numbers[instrument], "the newest is never left out"
