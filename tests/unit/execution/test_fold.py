"""The fold of an engine's ticks gives the account's events, and tells when a journal holds others."""

import pytest

from services.execution.fold import PaperFold, ReplayFold
from tests.support.audit_run import EngineRun
from tests.support.builders import (
    ALPHA,
    BETA,
    account_event,
    engine_started,
    fill,
    filled,
    public_trade,
    simulated_account,
)
from tests.support.execution_service import ACCOUNTS, EXCHANGES, events_of
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import (
    AccountEvent,
    AccountSetup,
    ClockAdvanced,
    EngineStarted,
    FeedEnded,
    OwnerChanged,
    SnapshotReceived,
)


@pytest.fixture(scope="module")
def ended_run() -> EngineRun:
    """A run that has ended. Tests only read it."""
    return EngineRun(events=400)


def folded(ticks: list[AuditTick], account: str) -> list[AccountEvent]:
    fold = PaperFold(account)
    return [event for tick in ticks for event in fold.fold(tick)]


def setup_of_account(started: EngineStarted, account: str) -> AccountSetup:
    return next(setup for setup in started.accounts if setup.account == account)


def tick_at(sequence: int, time_ns: int, event: object) -> AuditTick:
    return AuditTick(sequence, time_ns, event, (), ())  # type: ignore[arg-type]


# ------------------------------------------------------------------------------ paper


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_paper_account_is_given_what_a_run_in_virtual_time_gave_it(run: EngineRun, account: str) -> None:
    events = folded(run.ticks, account)
    assert events == events_of(run, account)[: len(events)]
    assert len(events) > 10


def test_nothing_comes_before_the_start_record(run: EngineRun) -> None:
    assert folded(run.ticks[1:], "alpha-paper") == []


def test_an_account_that_the_engine_does_not_have_is_idle(run: EngineRun) -> None:
    assert folded(run.ticks, "gamma-paper") == []


def test_the_account_of_a_venue_is_not_simulated() -> None:
    started = engine_started(accounts=(AccountSetup(ALPHA, "alpha", None),))
    assert folded([tick_at(0, 0, started), tick_at(1, 10, ClockAdvanced())], "alpha") == []


def test_a_new_start_record_begins_it_anew(run: EngineRun) -> None:
    first = folded(run.ticks, "alpha-paper")
    again = [tick_at(len(run.ticks), run.ticks[-1].time_ns, run.engine.started)]
    later = tick_at(len(run.ticks) + 1, run.ticks[-1].time_ns + 10**9, ClockAdvanced())
    events = folded([*run.ticks, *again, later], "alpha-paper")
    assert events[: len(first)] == first
    assert len(events) == len(first) + 1, "what was on its way belongs to a run that is over"
    assert isinstance(events[-1].data, SnapshotReceived)
    assert (events[-1].cause, events[-1].ordinal) == (len(run.ticks), 1)


def test_an_engine_without_the_account_leaves_it_idle(run: EngineRun) -> None:
    without = engine_started(accounts=(simulated_account(BETA, ()),))
    fold = PaperFold("alpha-paper")
    for tick in run.ticks:
        fold.fold(tick)
    assert fold.exchange is not None
    fold.fold(tick_at(len(run.ticks), run.ticks[-1].time_ns, without))
    assert fold.exchange is None


# ------------------------------------------------------------------------------ replay


def checked(ticks: list[AuditTick], run: EngineRun, account: str = "alpha-paper") -> ReplayFold:
    fold = ReplayFold(run.engine.started.index, setup_of_account(run.engine.started, account))
    for tick in ticks:
        fold.fold(tick)
        if isinstance(tick.event, FeedEnded):
            fold.finish()
    return fold


@pytest.mark.parametrize("account", ACCOUNTS)
def test_a_replay_whose_account_events_are_the_folds_is_equal(ended_run: EngineRun, account: str) -> None:
    fold = checked(ended_run.ticks, ended_run, account)
    assert fold.is_equal
    assert fold.compared == len(events_of(ended_run, account)) > 10


def index_of_event(run: EngineRun, number: int) -> int:
    """Return which tick holds an account event of the first account, by its number."""
    found = [
        position
        for position, tick in enumerate(run.ticks)
        if isinstance(tick.event, AccountEvent) and tick.event.exchange == EXCHANGES["alpha-paper"]
    ]
    return found[number]


def test_another_event_in_the_journal_is_found(ended_run: EngineRun) -> None:
    ticks = list(ended_run.ticks)
    place = index_of_event(ended_run, 5)
    forged = filled(fill("forged"), 1, 1)
    ticks[place] = AuditTick(ticks[place].sequence, ticks[place].time_ns, forged, (), ())
    fold = checked(ticks, ended_run)
    assert not fold.is_equal
    assert f"tick {ticks[place].sequence}: the journal holds {forged}" in fold.difference


def test_an_event_that_the_journal_leaves_out_is_found(ended_run: EngineRun) -> None:
    place = index_of_event(ended_run, 5)
    ticks = [tick for position, tick in enumerate(ended_run.ticks) if position != place]
    assert not checked(ticks, ended_run).is_equal


def test_a_last_event_that_the_journal_leaves_out_is_found_at_the_end(ended_run: EngineRun) -> None:
    place = index_of_event(ended_run, -1)
    ticks = [tick for position, tick in enumerate(ended_run.ticks) if position != place]
    fold = checked(ticks, ended_run)
    assert not fold.is_equal


def test_an_event_that_nothing_caused_is_found(ended_run: EngineRun) -> None:
    started = ended_run.ticks[0]
    extra = [tick_at(1, started.time_ns, filled(fill(), 1, 1))]
    assert "the fold gives None" in checked([started, *extra], ended_run).difference


def test_only_the_first_difference_is_told(ended_run: EngineRun) -> None:
    started = ended_run.ticks[0]
    extra = [tick_at(number, started.time_ns, filled(fill(f"t{number}"), 1, 1)) for number in (1, 2)]
    assert "tick 1:" in checked([started, *extra], ended_run).difference


def test_who_owns_the_account_is_no_event_of_the_exchange(ended_run: EngineRun) -> None:
    place = index_of_event(ended_run, 3)
    ticks = list(ended_run.ticks)
    ticks.insert(place, tick_at(0, ticks[place].time_ns, account_event(OwnerChanged("execution-1", 1))))
    assert checked(ticks, ended_run).is_equal


def test_events_of_other_accounts_are_none_of_ours(ended_run: EngineRun) -> None:
    only_market = [tick for tick in ended_run.ticks if not isinstance(tick.event, AccountEvent)]
    fold = checked([ended_run.ticks[0], tick_at(1, 1, public_trade())], ended_run)
    assert fold.compared == 0
    assert not checked(only_market, ended_run).is_equal, "everything that is due was left out"
