"""What `tradebus doctor` finds, where it takes no server to find it."""

from email.utils import formatdate

import pytest

from tradebus.cli.checks import Verdict, clock_finding

NOW_S = 1_790_000_000


@pytest.mark.parametrize(
    ("offset_s", "verdict", "words"),
    [
        (0.0, Verdict.OK, "+0.0 s"),
        (1.9, Verdict.OK, "+0.0 s"),  # the same clock: whole seconds, looked at once a second
        (2.9, Verdict.OK, "+0.9 s"),
        (-0.9, Verdict.OK, "-0.9 s"),
        (3.5, Verdict.WRONG, "+1.5 s"),
        (-1.5, Verdict.WRONG, "-1.5 s"),
    ],
)
def test_a_clock_is_wrong_only_beyond_what_whole_seconds_hide(offset_s: float, verdict: Verdict, words: str) -> None:
    found = clock_finding(formatdate(NOW_S, usegmt=True), NOW_S + offset_s)
    assert (found.verdict, found.found.startswith(words)) == (verdict, True), found


def test_an_api_without_a_time_is_a_warning() -> None:
    assert clock_finding(None, NOW_S).verdict is Verdict.WARNING
