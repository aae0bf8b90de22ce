"""The life of a service and its health, every pair of state and event included."""

import itertools

import pytest

from services.runtime.health import Health, HealthReport
from services.runtime.lifecycle import TRANSITIONS, Event, InvalidTransition, Lifecycle, State

PATHS = {
    State.STARTING: [],
    State.READY: [Event.STARTED],
    State.DEGRADED: [Event.STARTED, Event.TROUBLE],
    State.STOPPING: [Event.STOP],
    State.STOPPED: [Event.STOP, Event.DONE],
}


def brought_to(state: State) -> Lifecycle:
    lifecycle = Lifecycle()
    for event in PATHS[state]:
        lifecycle.advance(event)
    assert lifecycle.state is state
    return lifecycle


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_leads_where_the_table_says_or_is_refused_and_changes_nothing(state: State, event: Event) -> None:
    lifecycle = brought_to(state)
    expected = TRANSITIONS.get((state, event))
    if expected is None:
        with pytest.raises(InvalidTransition, match=f"{event} cannot happen to a service that is {state}"):
            lifecycle.advance(event)
        assert lifecycle.state is state
    else:
        assert lifecycle.advance(event) is expected


def test_a_stop_is_possible_from_every_state() -> None:
    assert all((state, Event.STOP) in TRANSITIONS for state in State)


def test_nothing_leads_back_from_stopped() -> None:
    assert {to for (state, _), to in TRANSITIONS.items() if state is State.STOPPED} == {State.STOPPED}


def health() -> tuple[Health, list[HealthReport]]:
    reports: list[HealthReport] = []
    return Health(Lifecycle(), reports.append), reports


def test_a_service_is_ready_once_started_and_degraded_while_there_is_a_reason() -> None:
    checked, reports = health()
    assert not checked.report().ready
    checked.started()
    assert checked.report().ready
    checked.trouble("bus", "lost")
    checked.trouble("feed", "stale")
    assert checked.report() == HealthReport(State.DEGRADED, {"bus": "lost", "feed": "stale"})
    checked.clear("bus")
    assert checked.report().state is State.DEGRADED
    checked.clear("feed")
    assert checked.report() == HealthReport(State.READY, {})
    assert [report.state for report in reports] == ["ready", "degraded", "degraded", "degraded", "ready"]


def test_a_service_that_starts_in_trouble_is_degraded_not_ready() -> None:
    checked, _ = health()
    checked.trouble("feed", "away")
    assert checked.report().state is State.STARTING
    checked.started()
    assert checked.report().state is State.DEGRADED


def test_the_same_reason_again_is_not_reported_again() -> None:
    checked, reports = health()
    checked.started()
    checked.trouble("bus", "lost")
    checked.trouble("bus", "lost")
    checked.clear("feed")
    assert len(reports) == 2
    checked.trouble("bus", "lost for longer")
    assert len(reports) == 3
