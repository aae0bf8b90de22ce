"""The loop on which simulations run: time passes only in it, and the same program runs the same way."""

import asyncio
import time

import pytest

from services.engine.awake import AwakeClock
from tests.simulation.virtual_time import EPOCH_NS, Stalled, VirtualLoop, functions_with_clocks, virtual_time


def test_an_hour_of_sleep_takes_no_time() -> None:
    loop = VirtualLoop()
    began = time.perf_counter()

    async def sleep() -> float:
        await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    assert loop.run_until_complete(sleep()) == 3_600
    assert time.perf_counter() - began < 5
    loop.close()


def test_waiting_for_what_nobody_does_is_an_error_and_not_a_hang() -> None:
    loop = VirtualLoop()
    with pytest.raises(Stalled):
        loop.run_until_complete(asyncio.Event().wait())
    loop.close()


def test_every_clock_of_the_services_shows_the_loop_s_time_and_afterwards_the_machine_s() -> None:
    loop = VirtualLoop()
    real = time.time_ns()
    with virtual_time(loop):
        assert time.time_ns() == EPOCH_NS
        clock = AwakeClock()  # its default was bound when the class was made
        loop.run_until_complete(asyncio.sleep(0.25))
        clock.tick()
        assert clock() == 250_000_000
        loop.step_clock(-5)
        assert (time.time_ns(), time.monotonic()) == (EPOCH_NS + 250_000_000 - 5, 0.25)
    loop.close()
    assert time.time_ns() >= real


def test_the_clocks_that_were_bound_as_defaults_are_found() -> None:
    names = {each.__qualname__ for each in functions_with_clocks()}
    assert {"Stepper.__init__", "AuditJournal.__init__", "AwakeClock.__init__", "CommandInlet.__init__"} <= names
