"""The small pure parts that every connector shares: backoff, silence, pacing, states, counts, sequences, excerpts."""

import itertools
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.market.venues.backoff import Backoff, ReconnectPolicy
from services.market.venues.connection_state import (
    TRANSITIONS,
    ConnectionSignal,
    ConnectionState,
    InvalidConnectionTransition,
    next_state,
)
from services.market.venues.errors import EXCERPT_LENGTH_MAX, excerpt
from services.market.venues.pacing import MessagePacer
from services.market.venues.registry import exchanges_supported, find_venue, venue_of_recording
from services.market.venues.silence import SilencePolicy, SilenceWatch, Verdict
from tests.support.market_feed import FakeClock
from tradebus.core.model.identifiers import ExchangeId

MS = 1_000_000


def test_backoff_doubles_from_125_ms_to_a_minute() -> None:
    backoff = Backoff(ReconnectPolicy(), lambda: 0.0)
    waits = [backoff.after_failure() for _ in range(11)]
    assert waits == [125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_adds_up_to_a_quarter_and_does_not_change_the_base(drawn: float) -> None:
    backoff = Backoff(ReconnectPolicy(), lambda: drawn)
    for base in (125, 250, 500):
        assert backoff.after_failure() == base + int(base * 0.25 * drawn) <= base * 1.25


def test_stable_connection_comes_back_at_once_and_starts_over() -> None:
    backoff = Backoff(ReconnectPolicy(stable_after_ms=10_000), lambda: 0.0)
    assert [backoff.after_failure(), backoff.after_failure()] == [125, 250]
    assert backoff.after_drop(10_000) == 0
    assert backoff.after_failure() == 125


def test_connection_that_drops_straight_away_waits_longer_each_time() -> None:
    backoff = Backoff(ReconnectPolicy(stable_after_ms=10_000), lambda: 0.0)
    assert [backoff.after_drop(0), backoff.after_drop(9_999), backoff.after_drop(5)] == [125, 250, 500]


@pytest.mark.parametrize(
    "settings",
    [
        {"backoff_ms_initial": 0},
        {"backoff_ms_max": 100},
        {"backoff_multiplier": 0},
        {"jitter_fraction": 1.5},
        {"jitter_fraction": -0.1},
        {"stable_after_ms": -1},
    ],
)
def test_senseless_reconnect_policy_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"expected .* found"):
        ReconnectPolicy(**settings)


def test_silent_link_is_probed_once_then_given_up() -> None:
    watch = SilenceWatch(SilencePolicy(probe_after_ms=5_000, silence_ms_max=15_000), 0)
    verdicts = [watch.look(3, 3, second * 1_000 * MS) for second in range(1, 17)]
    assert verdicts == [
        *[Verdict.FINE] * 5, Verdict.PROBE, *[Verdict.FINE] * 9, Verdict.LINK_DEAD,
    ]  # fmt: skip


def test_pong_keeps_a_quiet_link_alive_and_earns_a_new_probe() -> None:
    watch = SilenceWatch(SilencePolicy(probe_after_ms=5_000, silence_ms_max=15_000), 0)
    verdicts = []
    received = 0
    for second in range(1, 100):
        verdict = watch.look(received, 0, second * 1_000 * MS)
        received += verdict is Verdict.PROBE  # the other side answers
        verdicts.append(verdict)
    assert Verdict.LINK_DEAD not in verdicts
    assert verdicts.count(Verdict.PROBE) > 10


def test_link_that_only_answers_pings_is_given_up_where_data_are_due() -> None:
    watch = SilenceWatch(SilencePolicy(data_silence_ms_max=20_000), 0)
    verdicts = [watch.look(second, 0, second * 1_000 * MS) for second in range(1, 22)]
    assert verdicts == [*[Verdict.FINE] * 20, Verdict.DATA_MISSING]


@pytest.mark.parametrize(
    "settings",
    [{"probe_after_ms": 0}, {"probe_after_ms": 15_000}, {"silence_ms_max": 1}, {"data_silence_ms_max": 0}],
)
def test_senseless_silence_policy_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"expected .* found"):
        SilencePolicy(**settings)


async def test_no_second_sees_more_messages_than_allowed() -> None:
    clock = FakeClock()
    pacer = MessagePacer(3, clock)
    sent_ns = []
    for _ in range(10):
        await pacer.turn()
        sent_ns.append(clock.monotonic_ns())
        clock.advance_ms(10)
    for first, fourth in zip(sent_ns, sent_ns[3:], strict=False):
        assert fourth - first >= 1_000 * MS
    assert all(second - first >= 333 * MS for first, second in itertools.pairwise(sent_ns)), "no bursts"
    assert sent_ns[-1] - sent_ns[0] < 3_100 * MS, "and no slower than it must be"


async def test_pacer_that_lets_nothing_through_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one message a second, found 0"):
        MessagePacer(0, FakeClock())


@pytest.mark.parametrize(("state", "signal"), list(itertools.product(ConnectionState, ConnectionSignal)))
def test_every_pair_of_state_and_signal_leads_on_or_is_refused(
    state: ConnectionState, signal: ConnectionSignal
) -> None:
    if (state, signal) in TRANSITIONS:
        assert next_state(state, signal) is TRANSITIONS[state, signal]
    else:
        with pytest.raises(InvalidConnectionTransition) as caught:
            next_state(state, signal)
        assert (caught.value.state, caught.value.signal) == (state, signal)


def test_every_state_can_be_stopped_and_stopped_is_the_end() -> None:
    assert {state for (state, signal) in TRANSITIONS if signal is ConnectionSignal.STOP} == set(ConnectionState)
    leaving = {signal for (state, signal) in TRANSITIONS if state is ConnectionState.STOPPED}
    assert leaving == {ConnectionSignal.STOP}


@given(st.binary(max_size=400))
def test_excerpt_is_short_and_printable(payload: bytes) -> None:
    shown = excerpt(payload)
    assert shown.isprintable()
    assert len(shown) <= EXCERPT_LENGTH_MAX * 10 + 20
    if len(payload) > EXCERPT_LENGTH_MAX:
        assert shown.endswith(f"({len(payload) - EXCERPT_LENGTH_MAX} bytes more)")


def test_excerpt_shows_plain_frames_as_they_are() -> None:
    assert excerpt(b'{"e":"trade"}') == '{"e":"trade"}'
    assert excerpt(b"a\nb\xff") == "a\\x0ab\\xff"


def test_venue_is_found_by_exchange() -> None:
    assert find_venue(ExchangeId.BINANCE_SPOT).exchange is ExchangeId.BINANCE_SPOT
    assert ExchangeId.BINANCE_SPOT in exchanges_supported()
    with pytest.raises(LookupError, match=r"expected an exchange with a market data connector .*, found gemini"):
        find_venue(ExchangeId.GEMINI)


def test_venue_is_found_by_the_name_of_a_recording() -> None:
    name = PurePath("somewhere/binance-spot-btcusdt-20240808.gz")
    assert venue_of_recording(name).exchange is ExchangeId.BINANCE_SPOT
    for other in ("binance-spotless.gz", "btcusdt-binance-spot-1.gz", "gemini-btcusd.gz"):
        with pytest.raises(LookupError, match=f"expected a recording whose name begins with .*, found {other}"):
            venue_of_recording(PurePath("binance-spot-folder") / other)
