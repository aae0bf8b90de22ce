"""The engine follows the numbers of market data, and no single wrong number makes it deaf."""

from decimal import Decimal

import pytest

from services.engine.shards import Shards, StalePublisher
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.market.event import MarketEvent, MarketReconnecting, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.side import Side

SUBJECT = "md.sim_alpha.0"
EXCHANGE = ExchangeIndex(0)
SILENCE_NS = 3_000
ABSURD = 2**60


def shards_after(*batches: tuple[int, int]) -> Shards:
    """Return what has seen these batches: the number of the first item, and how many items."""
    shards = Shards(SILENCE_NS)
    for sequence, items in batches:
        begin(shards, sequence, items)
    return shards


def begin(
    shards: Shards, sequence: int, items: int = 1, *, publisher: str = "a", epoch: int = 10, now_ns: int = 0
) -> tuple[list[EngineEvent], int]:
    return shards.begin_batch(SUBJECT, EXCHANGE, publisher, epoch, sequence, items, now_ns)


def reasons(events: list[EngineEvent]) -> list[str]:
    assert all(isinstance(event, MarketReconnecting) for event in events)
    return [event.reason for event in events if isinstance(event, MarketReconnecting)]


def trade(sequence: int) -> MarketEvent:
    data = PublicTrade(str(sequence), Decimal(1), Decimal(1), Side.BUY)
    return MarketEvent(0, 0, EXCHANGE, InstrumentIndex(0), sequence, data)


def test_batches_that_follow_each_other_are_taken_whole() -> None:
    shards = shards_after((1, 64), (65, 3))
    assert begin(shards, 68, 2) == ([], 0)
    assert (shards.gaps, shards.repeated) == (0, 0)


def test_what_was_seen_is_left_out() -> None:
    shards = shards_after((1, 10), (11, 10))
    assert begin(shards, 16, 10) == ([], 5)
    assert begin(shards, 1, 10) == ([], 10)
    assert shards.repeated == 15


def test_lost_batches_show_in_the_instruments_numbers() -> None:
    shards = shards_after((1, 1))
    assert shards.gap_before(SUBJECT, trade(1)) is None
    assert begin(shards, 5) == ([], 0)
    gap = shards.gap_before(SUBJECT, trade(5))
    assert gap is not None
    assert (gap.first_missing, gap.last_missing) == (2, 4)
    assert begin(shards, 6) == ([], 0)


def test_a_heartbeat_tells_of_a_lost_tail() -> None:
    shards = shards_after((1, 4), (5, 4))
    assert shards.heard(SUBJECT, "a", 10, 8, 0) is None
    lost = shards.heard(SUBJECT, "a", 10, 11, 0)
    assert lost is not None
    assert lost.reason == "the last 3 events of a were lost"
    assert begin(shards, 12) == ([], 0)


def test_a_number_far_ahead_is_not_believed_when_the_next_batch_goes_on_where_it_was() -> None:
    shards = shards_after((1, 4), (5, 4), (ABSURD, 4))
    before, seen = begin(shards, 9, 4)
    assert reasons(before) == [f"a goes on at 9, not {ABSURD + 4}"]
    assert seen == 0
    assert begin(shards, 13, 4) == ([], 0)
    assert begin(shards, 9, 4) == ([], 4)


def test_a_heartbeat_with_a_number_far_ahead_is_not_believed_either() -> None:
    shards = shards_after((1, 4), (5, 4))
    assert shards.heard(SUBJECT, "a", 10, ABSURD, 0) is not None
    before, seen = begin(shards, 9, 4)
    assert (len(before), seen) == (1, 0)
    assert begin(shards, 13, 4) == ([], 0)


def test_a_first_number_far_ahead_is_not_believed() -> None:
    shards = shards_after((ABSURD, 4))
    before, seen = begin(shards, 1, 4)
    assert (len(before), seen) == (1, 0)
    assert begin(shards, 5, 4) == ([], 0)


def test_two_wrong_numbers_on_end_change_nothing() -> None:
    shards = shards_after((1, 4), (5, 4), (ABSURD, 4), (2 * ABSURD, 4))
    assert begin(shards, 9, 4)[1] == 0
    assert begin(shards, 13, 4) == ([], 0)


def test_a_publisher_that_was_replaced_is_refused() -> None:
    shards = shards_after((1, 4))
    before, seen = begin(shards, 1, publisher="b", epoch=11)
    assert (reasons(before), seen) == (["b took over from a"], 0)
    with pytest.raises(StalePublisher, match=r"a \(epoch 10\) was replaced by b \(epoch 11\)"):
        begin(shards, 5)
    assert begin(shards, 2, publisher="b", epoch=11) == ([], 0)


def test_an_older_publisher_takes_over_once_the_newer_one_is_silent() -> None:
    shards = shards_after((1, 4))
    begin(shards, 1, epoch=ABSURD)
    # The older one's heartbeats are not those of the newer one, though both bear one name.
    assert shards.heard(SUBJECT, "a", 10, 4, SILENCE_NS) is None
    assert [event.reason for event in shards.silent(SILENCE_NS + 1)] == ["nothing heard of a"]
    assert begin(shards, 5, 4, now_ns=SILENCE_NS + 1) == ([], 0)
    assert begin(shards, 9, 4, now_ns=SILENCE_NS + 1) == ([], 0)


def test_silence_is_told_once_until_something_is_heard() -> None:
    shards = shards_after((1, 4))
    assert len(shards.silent(SILENCE_NS + 1)) == 1
    assert shards.silent(SILENCE_NS + 2) == []
    assert begin(shards, 5, now_ns=SILENCE_NS + 3) == ([], 0)
    assert len(shards.silent(2 * SILENCE_NS + 4)) == 1
