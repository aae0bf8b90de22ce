"""A replay is good only if everybody agrees and everything was processed."""

from typing import Any

import pytest

from services.replaying.outcome import Outcome, hash_text, outcome_of

HASH = {"version": 1, "core": "aa", "user": "bb"}
ENGINE: dict[str, Any] = {
    "market_events": 100,
    "orders": 7,
    "cancels": 2,
    "fills": 5,
    "pnl_realised": {"usdt": "1.5"},
    "sequence": 140,
    "hash": HASH,
    "digest": "dd",
}
AUDIT: dict[str, Any] = {"sequence": 140, "hash": HASH, "digest": "dd"}
EXECUTION: dict[str, Any] = {"fold_equal": True, "is_finished": True}
FEED: dict[str, Any] = {"events_sent": 100, "report": {"skipped": {"depth": 3}, "bad_lines": 0, "is_clean": True}}


def outcome(
    engine: dict[str, Any] | None = None,
    audit: dict[str, Any] | None = None,
    execution: dict[str, Any] | None = None,
    feed: dict[str, Any] | None = None,
    problems: tuple[str, ...] = (),
) -> Outcome:
    """Return the outcome of a good replay with these things otherwise."""
    return outcome_of(
        ENGINE | (engine or {}),
        AUDIT | (audit or {}),
        EXECUTION | (execution or {}),
        FEED | (feed or {}),
        2.0,
        problems,
    )


def test_a_good_replay_has_nothing_to_complain_about() -> None:
    good = outcome()
    assert good.is_equal
    assert good.complaints == []


def test_the_summary_has_every_figure() -> None:
    assert outcome().as_data() == {
        "events": 100,
        "skipped": {"depth": 3},
        "bad_lines": 0,
        "orders": 7,
        "cancels": 2,
        "fills": 5,
        "pnl_realised": {"usdt": "1.5"},
        "wall_s": 2.0,
        "events_per_s": 50,
        "engine_sequence": 140,
        "replica_sequence": 140,
        "engine_hash": "1:aa:bb",
        "replica_hash": "1:aa:bb",
        "digest": "dd",
        "fold_equal": True,
        "equal": True,
    }


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (outcome(audit={"sequence": 139}), "replica and engine differ"),
        (outcome(audit={"hash": HASH | {"core": "ab"}}), "replica and engine differ"),
        (outcome(audit={"hash": HASH | {"user": "ab"}}), "replica and engine differ"),
        (
            outcome(engine={"hash": HASH | {"user": ""}}, audit={"hash": HASH | {"user": ""}}),
            "replica and engine differ",
        ),
        (outcome(audit={"digest": "de"}), "the audit service read de"),
        (outcome(execution={"fold_equal": False}), "the execution service's fold gives other account events"),
        (outcome(execution={"is_finished": False}), "the execution service's fold gives other account events"),
        (outcome(feed={"events_sent": 101}), "the feed sent 101 events, the engine processed 100"),
        (
            outcome(feed={"report": {"skipped": {}, "bad_lines": 2, "is_clean": False}}),
            "2 lines of the recordings could not be read",
        ),
        (outcome(problems=("a service is not healthy at the end",)), "a service is not healthy at the end"),
    ],
)
def test_each_thing_that_is_not_as_it_should_be_is_told(bad: Outcome, complaint: str) -> None:
    assert len(bad.complaints) == 1
    assert complaint in bad.complaints[0]


def test_a_hash_is_one_text() -> None:
    assert hash_text(HASH) == "1:aa:bb"


def test_no_time_at_all_is_no_speed() -> None:
    data = outcome_of(ENGINE, AUDIT, EXECUTION, FEED, 0.0, ()).as_data()
    assert data["events_per_s"] == 0
