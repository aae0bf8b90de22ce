from itertools import pairwise

from tradebus.journal.archive.thinning import dispensable

MINUTE_NS = 60 * 1_000_000_000
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
T0 = 1_790_000_000_000_000_000


def thinned(kept: dict[int, int]) -> dict[int, int]:
    gone = set(dispensable(kept))
    return {sequence: time_ns for sequence, time_ns in kept.items() if sequence not in gone}


def test_nothing_is_let_go_of_a_few() -> None:
    assert dispensable({}) == []
    assert dispensable({1: T0, 2: T0, 3: T0}) == []


def test_all_of_the_last_hour_stay_however_close_they_are() -> None:
    kept = {number: T0 + number for number in range(10)}
    assert thinned(kept) == kept


def test_the_newest_stay_however_old_the_others_are() -> None:
    kept = {number: T0 + number * DAY_NS for number in range(10)}
    assert sorted(thinned(kept)) == [0, 7, 8, 9]


def test_a_checkpoint_each_five_thousand_ticks_for_days_leaves_few_and_no_long_hole() -> None:
    kept: dict[int, int] = {}
    for number in range(4 * 1_440):
        kept[number * 5_000] = T0 + number * MINUTE_NS
        if number % 36 == 0:  # asked now and then, the answer is the same as asked always
            kept = thinned(kept)
    kept = thinned(kept)
    now_ns = max(kept.values())
    assert len(kept) < 60 + 1_440 // 5 + 3 * 1_440 // 20 + 10
    for earlier, later in pairwise(sorted(kept)):
        age_ns = now_ns - kept[earlier]
        assert later - earlier <= (5_000 if age_ns < HOUR_NS else 25_000 if age_ns < DAY_NS else 100_000)
