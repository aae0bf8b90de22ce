"""The engine follows the numbers of market data, tells of what is missing, and no single wrong number makes it deaf."""

from decimal import Decimal

import pytest

from services.engine.shards import LOSS_GRACE_NS, Shards, StalePublisher
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
) -> list[str]:
    """Begin a batch and return the reasons of what is told before it."""
    return reasons(shards.begin_batch(SUBJECT, EXCHANGE, publisher, epoch, sequence, items, now_ns))


def beat(shards: Shards, last_sequence: int, *, publisher: str = "a", epoch: int = 10, now_ns: int = 0) -> None:
    shards.heard(SUBJECT, publisher, epoch, last_sequence, now_ns)


def overdue(shards: Shards, now_ns: int = 0, *, is_inbox_empty: bool = True) -> list[str]:
    return reasons(shards.overdue(now_ns, is_inbox_empty=is_inbox_empty))


def reasons(events: list[EngineEvent] | list[MarketReconnecting]) -> list[str]:
    assert all(isinstance(event, MarketReconnecting) for event in events)
    return [event.reason for event in events if isinstance(event, MarketReconnecting)]


def trade(sequence: int, instrument: int = 0) -> MarketEvent:
    data = PublicTrade(str(sequence), Decimal(1), Decimal(1), Side.BUY)
    return MarketEvent(0, 0, EXCHANGE, InstrumentIndex(instrument), sequence, data)


def missing(shards: Shards, sequence: int, instrument: int = 0) -> tuple[int, int] | None:
    """Return the first and last missing number before an instrument's event."""
    gap = shards.gap_before(SUBJECT, trade(sequence, instrument))
    return None if gap is None else (gap.first_missing, gap.last_missing)


def test_batches_that_follow_each_other_are_taken_without_a_word() -> None:
    shards = shards_after((1, 64), (65, 3))
    assert begin(shards, 68, 2) == []
    assert (shards.gaps, shards.lost) == (0, 0)


def test_who_comes_late_does_not_call_lost_what_was_before() -> None:
    shards = shards_after((1_000, 4))
    assert missing(shards, 77) is None
    assert (shards.gaps, shards.lost) == (0, 0)


def test_lost_batches_show_in_the_instruments_numbers() -> None:
    shards = shards_after((1, 1))
    assert missing(shards, 1) is None
    assert begin(shards, 5) == []
    assert missing(shards, 5) == (2, 4)
    assert begin(shards, 6) == []
    assert missing(shards, 6) is None
    assert (shards.gaps, shards.lost) == (1, 3)
    assert overdue(shards, LOSS_GRACE_NS + 1) == [], "the gap has told of all that was lost"


def test_numbers_of_instruments_are_told_apart() -> None:
    shards = shards_after((1, 4))
    assert missing(shards, 1, 0) is None
    assert missing(shards, 7, 1) is None
    assert missing(shards, 2, 0) is None
    assert missing(shards, 9, 1) == (8, 8)


def test_events_without_numbers_have_no_gaps() -> None:
    shards = shards_after((1, 4))
    assert missing(shards, 0) is None
    assert missing(shards, 0) is None


def test_what_no_instrument_tells_of_concerns_all_after_a_while() -> None:
    shards = shards_after((1, 2))
    missing(shards, 1, 0)
    missing(shards, 1, 1)
    # Two events of the one instrument and one of the other are lost; only the first one goes on.
    begin(shards, 6, now_ns=100)
    assert missing(shards, 4, 0) == (2, 3)
    assert overdue(shards, 100 + LOSS_GRACE_NS) == []
    assert overdue(shards, 101 + LOSS_GRACE_NS) == ["1 items of a were lost"]
    assert overdue(shards, 102 + LOSS_GRACE_NS) == [], "told once"
    # All instruments are stale already; the quiet one's jump tells nothing new.
    assert missing(shards, 3, 1) is None


def test_instruments_tell_of_the_longest_loss_first() -> None:
    shards = shards_after((1, 1))
    missing(shards, 1)
    begin(shards, 4, now_ns=100)
    begin(shards, 7, now_ns=200)
    assert missing(shards, 4) == (2, 3)
    assert overdue(shards, 150 + LOSS_GRACE_NS) == []
    assert overdue(shards, 201 + LOSS_GRACE_NS) == ["2 items of a were lost"]


def test_a_heartbeat_tells_of_a_lost_tail() -> None:
    shards = shards_after((1, 4), (5, 4))
    beat(shards, 8)
    assert overdue(shards) == []
    beat(shards, 11)
    assert overdue(shards) == ["the last 3 items of a were lost"]
    assert overdue(shards) == []
    assert begin(shards, 12) == []
    assert shards.lost == 3


def test_a_heartbeat_that_overtook_batches_in_our_inbox_tells_of_no_loss() -> None:
    shards = shards_after((1, 4))
    beat(shards, 12)
    assert overdue(shards, is_inbox_empty=False) == []
    assert begin(shards, 5, 4) == []
    assert overdue(shards, is_inbox_empty=False) == []
    assert begin(shards, 9, 4) == []
    assert overdue(shards) == []
    assert (shards.gaps, shards.lost) == (0, 0)


def test_a_number_far_ahead_does_not_deafen() -> None:
    shards = shards_after((1, 4), (5, 4), (ABSURD, 4))
    assert begin(shards, 9, 4) == [f"a goes on at 9, not at {ABSURD + 4}"]
    assert begin(shards, 13, 4) == []
    assert overdue(shards, 2 * LOSS_GRACE_NS) == [], "it was told"


def test_a_heartbeat_with_a_number_far_ahead_does_not_deafen_either() -> None:
    shards = shards_after((1, 4), (5, 4))
    beat(shards, ABSURD)
    assert len(overdue(shards)) == 1
    assert begin(shards, 9, 4) == [f"a goes on at 9, not at {ABSURD + 1}"]
    assert overdue(shards) == []
    assert begin(shards, 13, 4) == []


def test_a_first_number_far_ahead_does_not_deafen() -> None:
    shards = shards_after((ABSURD, 4))
    assert len(begin(shards, 1, 4)) == 1
    assert begin(shards, 5, 4) == []


def test_two_wrong_numbers_on_end_change_nothing() -> None:
    shards = shards_after((1, 4), (5, 4), (ABSURD, 4), (2 * ABSURD, 4))
    assert len(begin(shards, 9, 4)) == 1
    assert begin(shards, 13, 4) == []


def test_a_publisher_that_was_replaced_is_refused() -> None:
    shards = shards_after((1, 4))
    assert begin(shards, 1, publisher="b", epoch=11) == ["b took over from a"]
    with pytest.raises(StalePublisher, match=r"a \(epoch 10\) was replaced by b \(epoch 11\)") as refused:
        begin(shards, 5)
    assert refused.value.publisher == "a"
    assert begin(shards, 2, publisher="b", epoch=11) == []


def test_two_publishers_of_one_epoch_do_not_take_turns() -> None:
    shards = shards_after((1, 4))
    assert begin(shards, 1, publisher="b") == ["b took over from a"]
    with pytest.raises(StalePublisher):
        begin(shards, 5)


def test_a_new_publisher_begins_its_numbers_anew() -> None:
    shards = shards_after((1, 4))
    missing(shards, 50)
    begin(shards, 1, publisher="b", epoch=11)
    assert missing(shards, 1) is None
    assert missing(shards, 2) is None


def test_an_older_publisher_takes_over_once_the_newer_one_is_silent() -> None:
    shards = shards_after((1, 4))
    begin(shards, 1, epoch=ABSURD)
    # The older one's heartbeats are not those of the newer one, though both bear one name.
    beat(shards, 4, now_ns=SILENCE_NS)
    assert reasons(shards.silent(SILENCE_NS + 1)) == ["nothing heard of a"]
    assert begin(shards, 5, 4, now_ns=SILENCE_NS + 1) == []
    assert begin(shards, 9, 4, now_ns=SILENCE_NS + 1) == []


def test_silence_is_told_once_until_something_is_heard() -> None:
    shards = shards_after((1, 4))
    assert len(shards.silent(SILENCE_NS + 1)) == 1
    assert shards.silent(SILENCE_NS + 2) == []
    assert begin(shards, 5, now_ns=SILENCE_NS + 3) == []
    assert len(shards.silent(2 * SILENCE_NS + 4)) == 1


def test_heartbeats_alone_are_a_sign_of_life() -> None:
    shards = shards_after((1, 4))
    beat(shards, 4, now_ns=SILENCE_NS)
    assert shards.silent(2 * SILENCE_NS) == []
    assert len(shards.silent(2 * SILENCE_NS + 1)) == 1


def test_heartbeats_of_unknown_shards_are_not_ours_to_judge() -> None:
    shards = Shards(SILENCE_NS)
    beat(shards, 99)
    assert overdue(shards) == []
    assert shards.silent(SILENCE_NS + 1) == []
