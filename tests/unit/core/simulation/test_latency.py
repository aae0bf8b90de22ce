"""When things happen: half the latency until a request arrives, half until its answer does; keys only grow."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from tests.support.builders import (
    ASSET_USDT,
    BETA,
    book,
    cancel_of,
    market_request,
    open_request,
    public_trade,
    simulated_account,
    usual_index,
)
from tests.support.simulated_account import Account, kinds
from tradebus.core.engine.event import AccountEvent, AccountSetup, ClockAdvanced, SnapshotReceived
from tradebus.core.model.side import Side
from tradebus.core.simulation.exchange import SimulatedExchange

QUIET = ClockAdvanced()


def test_a_request_arrives_after_half_and_its_answer_after_all_of_the_latency() -> None:
    account = Account(latency_ns=100)
    account.tick(book((99, 1), (101, 1)), now_ns=100)
    account.events.clear()
    account.send(market_request(), now_ns=1000)
    assert account.exchange.next_time_ns() == 1050
    account.tick(book((99, 1), (105, 1)), now_ns=1049)
    account.tick(QUIET, now_ns=1050)
    assert account.events == []
    assert account.exchange.next_time_ns() == 1100
    assert account.tick(QUIET, now_ns=1099) == []
    account.tick(QUIET, now_ns=1100)
    (trade,) = account.fills()
    assert trade.price == 105
    assert trade.time_exchange_ns == 1050
    assert account.exchange.next_time_ns() is None


def test_an_odd_latency_loses_nothing() -> None:
    account = Account(latency_ns=5)
    account.tick(public_trade(100), now_ns=10)
    account.send(market_request(), now_ns=100)
    assert account.exchange.next_time_ns() == 102
    account.exchange.advance(102)
    assert account.exchange.next_time_ns() == 105


def test_without_latency_the_answer_is_there_at_once() -> None:
    account = Account()
    account.tick(book())
    assert kinds(account.send(market_request()))[0] == "OrderReceived"


def test_a_request_that_arrives_with_a_market_event_comes_before_it() -> None:
    account = Account(latency_ns=20)
    account.tick(book((99, 1), (101, 1)), now_ns=0)
    account.send(market_request(), now_ns=90)
    account.tick(book((199, 1), (201, 1)), now_ns=100)
    account.tick(QUIET, now_ns=110)
    assert account.fills()[0].price == 101


def test_a_fill_by_the_market_takes_half_the_latency_to_be_told() -> None:
    account = Account(latency_ns=100)
    account.send(open_request(price=99), now_ns=0)
    account.tick(QUIET, now_ns=100)
    account.tick(public_trade(98, 1, Side.SELL), now_ns=500)
    assert account.exchange.next_time_ns() == 550
    account.tick(QUIET, now_ns=550)
    assert account.fills()[0].time_exchange_ns == 500


def test_an_order_can_fill_while_its_cancel_is_on_the_way() -> None:
    account = Account(latency_ns=100)
    account.send(open_request(price=99), now_ns=0)
    account.tick(QUIET, now_ns=100)
    account.send(cancel_of(), now_ns=200)
    account.tick(public_trade(98, 1, Side.SELL), now_ns=249)
    account.tick(QUIET, now_ns=300)
    assert account.states() == ["Open", "FullyFilled"]
    assert account.cancels()[0].error is not None


def test_requests_arrive_in_the_order_they_were_sent() -> None:
    account = Account(latency_ns=100)
    account.send(open_request("a", price=90), now_ns=0)
    account.send(open_request("b", price=91), now_ns=1)
    account.send(open_request("c", price=92), now_ns=1)
    account.tick(QUIET, now_ns=1000)
    assert account.exchange.open_orders() == ["a", "b", "c"]


def busy(step_ns: int) -> list[AccountEvent]:
    """What an account tells over one history, looked at every so often besides its ticks."""
    account = Account(latency_ns=70, fee_maker="0.001", fee_taker="0.002")
    told: list[AccountEvent] = []
    history: list[tuple[int, Callable[[], list[AccountEvent]]]] = [
        (10, lambda: account.tick(book((99, 2), (101, 2)))),
        (20, lambda: account.send(market_request("a", quantity=1), open_request("b", price=99, quantity=1))),
        (90, lambda: account.tick(public_trade(99, 5, Side.SELL))),
        (95, lambda: account.send(open_request("d", Side.SELL, 101, 2), cancel_of("b"))),
        (160, lambda: account.tick(public_trade(102, 1, Side.BUY))),
        (400, lambda: account.tick(QUIET)),
    ]
    for time, happen in history:
        for now in range(account.now_ns, time, step_ns):
            account.exchange.advance(now)
            told += account.exchange.pop_due(now)
        account.now_ns = time
        told += happen()
    return told


@pytest.mark.parametrize("step_ns", [1, 7, 50])
def test_looking_more_often_changes_nothing(step_ns: int) -> None:
    assert busy(step_ns) == busy(10_000)


def test_keys_only_grow_and_name_the_last_tick() -> None:
    events = busy(10_000)
    keys = [(event.cause, event.ordinal) for event in events]
    assert len(keys) > 10
    assert all(before < after for before, after in pairwise(keys))
    assert all(ordinal >= 1 for _, ordinal in keys)
    assert {event.exchange for event in events} == {0}


def test_the_first_event_is_the_accounts_snapshot() -> None:
    account = Account(latency_ns=100, balances=((ASSET_USDT, 5),))
    account.tick(QUIET, now_ns=50)
    (event,) = account.events
    assert isinstance(event.data, SnapshotReceived)
    assert (event.cause, event.ordinal) == (0, 1)
    assert [(item.asset, item.balance.total) for item in event.data.snapshot.balances] == [(ASSET_USDT, Decimal(5))]
    assert event.data.snapshot.orders == ()


def test_only_simulated_accounts_are_simulated() -> None:
    with pytest.raises(ValueError, match="account venue: expected a simulated account"):
        SimulatedExchange(usual_index(), AccountSetup(BETA, "venue", None))
    assert simulated_account(BETA).account == "beta-paper"
