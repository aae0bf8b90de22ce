"""When trading goes off by policy, and when it comes back."""

from services.engine.trading_policy import JournalView, TradingPolicy
from tradebus.bus.events import Disconnected, Reconnected
from tradebus.config.sections.engine import HealthLimits
from tradebus.core.engine.event import TradingStateUpdate
from tradebus.core.engine.state.trading import TradingState

ON, OFF = TradingState.ENABLED, TradingState.DISABLED
MS = 1_000_000


class World:
    """An engine as the policy sees it, with a clock in milliseconds."""

    def __init__(self) -> None:
        self.policy = TradingPolicy(HealthLimits())
        self.trading = ON
        self.now_ms = 0
        self.batches = 0
        self.sequence = 10
        self.durable = 10
        self.is_waiting = False

    def look(self, after_ms: int = 0) -> TradingStateUpdate | None:
        self.now_ms += after_ms
        view = JournalView(self.batches, self.is_waiting, self.durable)
        update = self.policy.look(self.now_ms * MS, view, self.trading)
        if update is not None:
            self.process(update)
        return update

    def process(self, update: TradingStateUpdate) -> bool:
        self.sequence += 1
        self.trading = update.state
        return self.policy.note(update, self.sequence)

    def acknowledge(self) -> None:
        self.batches += 1
        self.durable = self.sequence
        self.is_waiting = False

    def stall(self) -> TradingStateUpdate:
        self.is_waiting = True
        assert self.look() is None
        assert self.look(999) is None
        update = self.look(1)
        assert update is not None
        return update


def test_trading_goes_off_when_the_journal_acknowledges_nothing_for_a_second_and_says_why() -> None:
    world = World()
    update = world.stall()
    assert update.state is OFF
    assert update.origin == "policy: nothing was acknowledged by the journal for 1000 ms"
    assert world.look(5_000) is None, "it is off already"


def test_a_journal_that_moves_or_has_nothing_to_take_is_well() -> None:
    world = World()
    world.look()
    assert world.look(10_000) is None, "nothing waits"
    world.is_waiting = True
    for _ in range(10):
        world.batches += 1
        assert world.look(900) is None


def test_trading_comes_back_when_the_journal_holds_the_update_and_all_was_well_for_a_second() -> None:
    world = World()
    world.stall()
    world.batches += 1
    world.is_waiting = False
    assert world.look() is None
    assert world.look(5_000) is None, "the update itself is not on disk yet"
    world.acknowledge()
    update = world.look()
    assert update is not None
    assert (update.state, world.policy.reason) == (ON, "")
    assert update.origin.startswith("policy: well again after: nothing was acknowledged")
    assert world.look(60_000) is None


def test_trading_does_not_come_back_before_all_was_well_for_a_second() -> None:
    world = World()
    world.stall()
    world.acknowledge()
    assert world.look() is None
    assert world.look(999) is None
    world.is_waiting = True
    world.batches += 1
    assert world.look() is None
    assert world.look(1_000) is None, "stalled again"
    world.acknowledge()
    assert world.look(999) is None
    assert world.look(1_000) is not None


def test_what_an_operator_switched_off_never_comes_back_by_policy() -> None:
    world = World()
    world.look()
    assert not world.process(TradingStateUpdate(OFF, "operator"))
    world.is_waiting = True
    assert world.look(5_000) is None
    world.acknowledge()
    assert world.look() is None
    assert world.look(60_000) is None
    assert world.trading is OFF


def test_what_an_operator_switched_off_meanwhile_stays_off() -> None:
    world = World()
    world.stall()
    world.process(TradingStateUpdate(OFF, "operator"))
    world.acknowledge()
    assert world.look() is None
    assert world.look(60_000) is None
    assert world.trading is OFF


def test_an_operator_who_enables_trading_too_early_sees_it_go_off_again() -> None:
    world = World()
    world.stall()
    world.process(TradingStateUpdate(ON, "operator"))
    update = world.look(50)
    assert update is not None
    assert update.state is OFF


def test_a_connection_that_is_lost_for_three_seconds_switches_trading_off_and_its_return_on() -> None:
    world = World()
    world.look()
    world.policy.on_bus_event(Disconnected("data"))
    assert world.look() is None
    assert world.look(2_999) is None
    update = world.look(1)
    assert update is not None
    assert update.origin == "policy: NATS answered no ping for 3000 ms"
    world.policy.on_bus_event(Reconnected("data", 3.0))
    world.acknowledge()
    assert world.look() is None
    back = world.look(1_000)
    assert back is not None
    assert back.state is ON


def test_a_server_that_answered_no_pings_has_been_silent_for_long_enough() -> None:
    world = World()
    world.look()
    world.policy.on_bus_event(Disconnected("journal", is_silent=True))
    assert world.look() is not None


def test_a_short_loss_of_the_connection_changes_nothing() -> None:
    world = World()
    world.look()
    for _ in range(3):
        world.policy.on_bus_event(Disconnected("data"))
        assert world.look() is None
        assert world.look(2_000) is None
        world.policy.on_bus_event(Reconnected("data", 2.0))
        assert world.look() is None


def test_what_the_policy_of_an_earlier_run_switched_off_comes_back_too() -> None:
    world = World()
    world.trading = OFF
    world.policy.take_over("policy: nothing was acknowledged by the journal for 1000 ms")
    assert world.look() is None
    update = world.look(1_000)
    assert update is not None
    assert update.state is ON


def test_what_an_operator_or_a_crash_loop_switched_off_stays_off() -> None:
    for origin in ("operator", "policy: crash loop: 3 crashes, 3 within 300 s halt", ""):
        world = World()
        world.trading = OFF
        world.policy.take_over(origin)
        assert world.look() is None
        assert world.look(60_000) is None, origin
