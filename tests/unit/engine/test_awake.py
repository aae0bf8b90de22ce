"""Silence is measured in the time in which something could have been heard."""

from services.engine.awake import STEP_NS_MAX, AwakeClock


class Clock:
    now_ns = 1_000

    def __call__(self) -> int:
        return self.now_ns


def test_it_goes_on_by_ticks_only() -> None:
    clock = Clock()
    awake = AwakeClock(clock)
    clock.now_ns += 50
    assert awake() == 0
    awake.tick()
    assert awake() == 50
    awake.tick()
    assert awake() == 50


def test_time_in_which_the_loop_did_not_turn_does_not_count() -> None:
    clock = Clock()
    awake = AwakeClock(clock)
    clock.now_ns += 3_600_000_000_000
    awake.tick()
    assert awake() == STEP_NS_MAX
    clock.now_ns += 7
    awake.tick()
    assert awake() == STEP_NS_MAX + 7
