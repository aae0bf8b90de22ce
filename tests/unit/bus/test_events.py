import asyncio
import logging

import pytest

from tests.support.waiting import eventually
from tradebus.bus import events
from tradebus.bus.events import BusEvent, Closed, Disconnected, DropCounter, EventHub, ReaderFailed


def test_listeners_are_told_in_order_and_one_that_raises_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    hub = EventHub()
    told: list[str] = []

    def raises(_event: BusEvent) -> None:
        told.append("raises")
        raise RuntimeError("no")

    hub.add(lambda _event: told.append("first"))
    hub.add(raises)
    hub.add(lambda _event: told.append("last"))
    with caplog.at_level(logging.ERROR):
        hub.emit(Disconnected("data"))
    assert told == ["first", "raises", "last"]
    assert "a bus listener raised" in caplog.text


def test_only_what_ends_a_bus_or_reader_is_fatal() -> None:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, BusEvent)]
    assert len(kinds) > 10
    fatal = {kind for kind in kinds if kind.fatal}
    assert fatal == {Closed, ReaderFailed}


async def test_drops_are_reported_at_once_then_once_a_period_and_none_is_forgotten() -> None:
    reports: list[tuple[int, int]] = []
    counter = DropCounter(lambda dropped, total: reports.append((dropped, total)), period_s=0.02)
    for _ in range(10):
        counter.count()
    assert reports == [(1, 1)]
    await eventually(lambda: len(reports) == 2)
    assert reports[1] == (9, 10)
    loop = asyncio.get_running_loop()
    began = loop.time()
    counter.count()
    await eventually(lambda: len(reports) == 3)
    assert reports[2] == (1, 11)
    assert loop.time() - began < 5
    counter.close()


async def test_closing_reports_what_is_left() -> None:
    reports: list[tuple[int, int]] = []
    counter = DropCounter(lambda dropped, total: reports.append((dropped, total)), period_s=60)
    counter.count()
    counter.count()
    counter.close()
    counter.close()
    assert reports == [(1, 1), (1, 2)]
    assert counter.total == 2


async def test_after_a_quiet_period_the_next_drop_is_reported_at_once() -> None:
    reports: list[tuple[int, int]] = []
    counter = DropCounter(lambda dropped, total: reports.append((dropped, total)), period_s=0.001)
    counter.count()
    await eventually(lambda: counter._timer is None)
    counter.count()
    assert reports == [(1, 1), (1, 2)]
    counter.close()
