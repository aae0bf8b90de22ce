"""When a crashed program is started again, and when it is given up."""

from services.supervisor.restarts import Crashes, RestartPolicy

POLICY = RestartPolicy(wait_initial_s=0.5, wait_max_s=3.0, crashes_max=4, window_s=60.0)


def test_waits_double_up_to_a_limit_and_then_it_is_a_crash_loop() -> None:
    crashes = Crashes(POLICY)
    assert [crashes.add(float(second)) for second in range(5)] == [0.5, 1.0, 2.0, 3.0, None]


def test_crashes_long_ago_are_forgotten() -> None:
    crashes = Crashes(POLICY)
    for second in range(4):
        assert crashes.add(float(second)) is not None
    assert crashes.add(61.0) == 2.0  # those of seconds 0 and 1 are out of the window
    assert crashes.add(1000.0) == 0.5
