"""Links come and go; health follows from them."""

import pytest

from tests.support.builders import (
    ALPHA,
    BETA,
    BETA_BTC,
    asset_balance,
    balance_told,
    engine_started,
    public_trade,
    simulated_account,
)
from tests.support.scenario import follow
from tradebus.core.engine.event import AccountReconnecting, AccountSetup
from tradebus.core.engine.state.connectivity import ConnectivityState, global_health
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.market.event import MarketReconnecting

H, R = Health.HEALTHY, Health.RECONNECTING


@pytest.mark.parametrize(
    ("market_data", "account", "link", "healthy"),
    [
        (H, H, AccountLink.HEALTHY, True),
        (H, H, AccountLink.UNHEALTHY, True),
        (H, R, AccountLink.HEALTHY, False),
        (R, H, AccountLink.HEALTHY, False),
        (R, R, AccountLink.TERMINATED, False),
        (H, R, AccountLink.NOT_CONFIGURED, True),
        (R, R, AccountLink.NOT_CONFIGURED, False),
    ],
)
def test_an_exchange_is_healthy_when_every_link_it_uses_works(
    market_data: Health, account: Health, link: AccountLink, healthy: bool
) -> None:
    links = ConnectivityState(market_data, account, link)
    assert links.is_healthy is healthy
    assert global_health([links]) is (H if healthy else R)
    assert global_health([links, ConnectivityState(R, H, AccountLink.HEALTHY)]) is R


def test_no_exchange_at_all_is_healthy() -> None:
    assert global_health([]) is H


def test_links_become_healthy_with_what_comes_over_them_and_go_with_the_word_of_it() -> None:
    followed = follow(started=engine_started(accounts=[simulated_account()]))
    state = followed.engine.state
    assert state.global_health is R
    followed.process(balance_told(asset_balance()))
    assert (state.exchange(ALPHA).market_data, state.exchange(ALPHA).account) == (R, H)
    followed.process(public_trade())
    assert (state.exchange(ALPHA).is_healthy, state.global_health) == (True, R)
    followed.process(public_trade(instrument=BETA_BTC))
    assert state.exchange(BETA).account is R
    assert state.global_health is H
    followed.process(MarketReconnecting(ALPHA, "lost"))
    assert (state.exchange(ALPHA).market_data, state.exchange(ALPHA).account, state.global_health) == (R, H, R)
    followed.process(public_trade())
    followed.process(AccountReconnecting(ALPHA, "lost"))
    assert (state.exchange(ALPHA).market_data, state.exchange(ALPHA).account, state.global_health) == (H, R, R)


def test_simulated_accounts_take_requests_from_the_start_and_venues_wait_for_their_owner() -> None:
    venue = AccountSetup(BETA, "venue", None)
    followed = follow(started=engine_started(accounts=[simulated_account(), venue]))
    assert [links.link for links in followed.engine.state.connectivity] == [AccountLink.HEALTHY, AccountLink.UNHEALTHY]
