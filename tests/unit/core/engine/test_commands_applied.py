"""The state knows which commands were applied: the highest position, and the ids of an hour."""

import pytest

from tests.support.builders import command_of
from tests.support.scenario import Scripted, follow
from tradebus.core.engine.command import ALL_INSTRUMENTS, CancelOrders, Command, CommandRejected
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import Shutdown, TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.commands import KEPT_MAX, KEPT_NS, AppliedCommand, CommandLog
from tradebus.core.engine.state.trading import TradingState

CANCEL = CancelOrders(ALL_INSTRUMENTS)


@pytest.mark.parametrize(
    "event",
    [
        Command("c", "operator", CANCEL, 5),
        TradingStateUpdate(TradingState.DISABLED, "operator", "c", 5),
        ConfigChanged("operator", (), (), "c", 5),
        Shutdown("c", 5, "operator"),
        CommandRejected("c", "operator", "it expired", 5),
    ],
    ids=lambda event: type(event).__name__,
)
def test_every_kind_of_command_is_noted_in_engine_and_replica(event: EngineEvent) -> None:
    followed = follow(Scripted())
    followed.process(event, 9)
    assert followed.replica.state.commands == CommandLog(5, [AppliedCommand("c", 9)])
    assert followed.replica.state.commands.has("c")
    assert not followed.replica.state.commands.has("d")


def test_what_is_no_command_of_the_stream_leaves_no_trace_but_its_id() -> None:
    followed = follow(Scripted())
    followed.process(TradingStateUpdate(TradingState.DISABLED, "policy: why"), 1)
    assert followed.replica.state.commands == CommandLog(0, [])
    followed.process(command_of(CANCEL, "own"), 2)
    assert followed.replica.state.commands == CommandLog(0, [AppliedCommand("own", 2)])


def test_ids_are_known_for_an_hour_and_positions_never_go_back() -> None:
    log = CommandLog(0, [])
    log.note("a", 3, 0)
    log.note("b", 2, KEPT_NS - 1)
    assert (log.position, log.has("a"), log.has("b")) == (3, True, True)
    log.note("c", 4, KEPT_NS)
    assert [command.id for command in log.applied] == ["b", "c"]


def test_the_ids_are_bounded() -> None:
    log = CommandLog(0, [])
    for number in range(KEPT_MAX + 3):
        log.note(str(number), number, 1)
    assert len(log.applied) == KEPT_MAX
    assert (log.applied[0].id, log.applied[-1].id) == ("3", str(KEPT_MAX + 2))
