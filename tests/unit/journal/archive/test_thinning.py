from itertools import pairwise

from tradebus.journal.archive.thinning import NEWEST_KEPT, dispensable

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


def test_the_newest_stay_however_close_they_are() -> None:
    kept = {number: T0 + number for number in range(10)}
    assert sorted(thinned(kept)) == [0, 7, 8, 9]


def test_a_checkpoint_every_ten_minutes_for_a_year_leaves_few_and_no_long_hole() -> None:
    kept: dict[int, int] = {}
    for number in range(365 * 144):
        kept[number] = T0 + number * 10 * MINUTE_NS
        if number % 36 == 0:  # asked now and then, the answer is the same as asked always
            kept = thinned(kept)
    kept = thinned(kept)
    now_ns = max(kept.values())
    assert len(kept) < 24 + 31 + 53 + NEWEST_KEPT
    for earlier_ns, later_ns in pairwise(sorted(kept.values())):
        age_ns = now_ns - earlier_ns
        limit_ns = HOUR_NS if age_ns < DAY_NS else DAY_NS if age_ns < 31 * DAY_NS else 7 * DAY_NS
        assert later_ns - earlier_ns <= 2 * limit_ns
