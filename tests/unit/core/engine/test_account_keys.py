"""Account events carry keys, by which each is applied once however often it comes."""

from decimal import Decimal

import pytest

from tests.support.builders import ALPHA, BETA, BETA_BTC, BTC, fill, filled, funded
from tests.support.scenario import Followed, Memory, Scripted, follow
from tradebus.core.engine.event import AccountReconnecting
from tradebus.core.engine.state.link import Health


def held(followed: Followed, instrument: int = BTC) -> Decimal:
    position = followed.engine.state.instruments[instrument].position
    return Decimal(0) if position is None else position.quantity_abs


def test_keys_of_an_account_only_grow() -> None:
    followed = follow()
    for cause, ordinal, expected in [
        (1, 1, 1),
        (1, 1, 1),  # the same again
        (1, 2, 2),
        (1, 1, 2),  # an earlier one again
        (3, 1, 3),  # not every cause has consequences here
        (2, 9, 3),  # too late
        (3, 1, 3),
        (3, 2, 4),
    ]:
        followed.process(filled(fill(), cause, ordinal))
        assert held(followed) == expected
    cursor = followed.engine.state.cursors[ALPHA]
    assert (cursor.cause, cursor.ordinal) == (3, 2)


def test_accounts_count_for_themselves() -> None:
    followed = follow()
    followed.process(filled(fill(), 5, 5))
    followed.process(filled(fill(instrument=BETA_BTC), 1, 1))
    assert (held(followed), held(followed, BETA_BTC)) == (Decimal(1), Decimal(1))
    assert [(cursor.cause, cursor.ordinal) for cursor in followed.engine.state.cursors] == [(5, 5), (1, 1)]


def test_an_event_without_a_key_is_applied_whenever_it_comes() -> None:
    followed = follow()
    followed.process(filled(fill(), 4, 1))
    for _ in range(2):
        followed.process(filled(fill()))
    assert held(followed) == 3
    assert followed.engine.state.cursors[ALPHA].cause == 4


@pytest.mark.parametrize(("cause", "ordinal"), [(0, 1), (1, 0)])
def test_half_a_key_is_a_key(cause: int, ordinal: int) -> None:
    followed = follow()
    for _ in range(2):
        followed.process(filled(fill(), cause, ordinal))
    assert held(followed) == 1


def test_a_duplicate_tells_nothing_of_the_link_and_reaches_no_data_but_is_a_step() -> None:
    strategy = Scripted()
    followed = follow(strategy)
    event = filled(fill(), 1, 1)
    followed.process(event)
    followed.process(AccountReconnecting(ALPHA, "lost"))
    data = followed.engine.state.strategies[0].data
    assert isinstance(data, Memory)
    seen = data.seen
    tick = followed.process(event)
    assert tick.outputs == ()
    assert followed.engine.state.connectivity[ALPHA].account is Health.RECONNECTING
    assert data.seen == seen
    assert strategy.asked[-1] is event
    assert BETA != ALPHA


def test_what_was_told_before_under_another_key_leaves_the_key_alone() -> None:
    followed = follow()
    followed.process(funded(-1))
    followed.process(filled(fill("7")))
    followed.process(funded(-1, cause=9))
    followed.process(filled(fill("7"), 9))
    followed.process(filled(fill("8"), 3))
    assert held(followed) == 2
    cursor = followed.engine.state.cursors[ALPHA]
    assert (cursor.cause, cursor.ordinal) == (3, 0)
