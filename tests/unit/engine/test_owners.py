"""An owner that falls silent is a lost link, told once; who was replaced keeps none alive."""

from services.engine.owners import OwnerWatch
from tests.support.builders import ALPHA, BETA, simulated_account
from tradebus.core.engine.event import (
    AccountEvent,
    AccountLinkChanged,
    AccountReconnecting,
    AccountSetup,
    OwnerChanged,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.wire.codec.heartbeat import Heartbeat, StreamPosition

SILENCE_NS = 3_000
ACCOUNTS = (simulated_account(), simulated_account(BETA, ()))


class Clock:
    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class Watched:
    def __init__(self) -> None:
        self.clock = Clock()
        self.watch = OwnerWatch(ACCOUNTS, SILENCE_NS, self.clock)

    def beat(self, *owned: tuple[str, int], instance: str = "execution-1") -> list[EngineEvent]:
        """Say which accounts are owned under which epochs."""
        positions = tuple(StreamPosition(f"acct.{account}", epoch, 5) for account, epoch in owned)
        return self.watch.on_heartbeat(Heartbeat("execution", instance, "demo", 1, "ready", positions))

    def silent(self, after_ns: int) -> list[EngineEvent]:
        self.clock.now_ns += after_ns
        return self.watch.silent()


def owner(instance: str, epoch: int, exchange: int = ALPHA) -> AccountEvent:
    return AccountEvent(ALPHA if exchange == ALPHA else BETA, 0, 0, OwnerChanged(instance, epoch))


def test_each_account_is_told_of_when_its_owner_is_heard_first() -> None:
    watched = Watched()
    events = watched.beat(("alpha-paper", 1), ("beta-paper", 3))
    assert events == [owner("execution-1", 1), owner("execution-1", 3, BETA)]
    assert watched.beat(("alpha-paper", 1), ("beta-paper", 3)) == []


def test_an_owner_nobody_ever_heard_is_no_lost_link() -> None:
    assert Watched().silent(10 * SILENCE_NS) == []


def test_silence_is_told_once_for_each_account_and_ends_with_a_heartbeat() -> None:
    watched = Watched()
    watched.beat(("alpha-paper", 1), ("beta-paper", 3))
    assert watched.silent(SILENCE_NS) == []
    watched.beat(("beta-paper", 3))
    assert watched.silent(1) == [AccountReconnecting(ALPHA, "nothing heard of execution-1")]
    assert watched.silent(1) == []
    assert watched.beat(("alpha-paper", 1)) == [owner("execution-1", 1)]


def test_a_new_owner_is_told_of_without_silence_between() -> None:
    watched = Watched()
    watched.beat(("alpha-paper", 1))
    assert watched.beat(("alpha-paper", 7), instance="execution-2") == [owner("execution-2", 7)]
    assert watched.beat(("alpha-paper", 9), instance="execution-2") == [owner("execution-2", 9)]


def test_who_was_replaced_keeps_no_link_alive() -> None:
    watched = Watched()
    watched.beat(("alpha-paper", 1))
    watched.beat(("alpha-paper", 7), instance="execution-2")
    assert watched.beat(("alpha-paper", 1)) == []
    watched.clock.now_ns += SILENCE_NS
    assert watched.beat(("alpha-paper", 1)) == []
    assert watched.silent(1) == [AccountReconnecting(ALPHA, "nothing heard of execution-2")]


def test_one_wrong_epoch_does_not_deafen() -> None:
    watched = Watched()
    watched.beat(("alpha-paper", 2**60))
    assert watched.beat(("alpha-paper", 1)) == []
    watched.silent(SILENCE_NS + 1)
    assert watched.beat(("alpha-paper", 1)) == [owner("execution-1", 1)]
    assert watched.beat(("alpha-paper", 1)) == []


def test_accounts_of_others_are_none_of_ours() -> None:
    assert Watched().beat(("kraken", 1)) == []


def test_a_venue_account_takes_orders_only_while_its_owner_is_heard() -> None:
    clock = Clock()
    watch = OwnerWatch((AccountSetup(ALPHA, "alpha", None),), SILENCE_NS, clock)
    beat = Heartbeat("execution", "execution-1", "live", 1, "ready", (StreamPosition("acct.alpha", 1, 5),))
    healthy, unhealthy = (AccountLinkChanged(ALPHA, link) for link in (AccountLink.HEALTHY, AccountLink.UNHEALTHY))
    assert watch.on_heartbeat(beat) == [owner("execution-1", 1), healthy]
    assert watch.on_heartbeat(beat) == []
    clock.now_ns += SILENCE_NS + 1
    assert watch.silent() == [unhealthy, AccountReconnecting(ALPHA, "nothing heard of execution-1")]
    assert watch.silent() == []
    assert watch.on_heartbeat(beat) == [owner("execution-1", 1), healthy]
