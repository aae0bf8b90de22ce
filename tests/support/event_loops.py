"""Run async tests on both kinds of event loop: the services use uvloop, everybody else may use asyncio's own."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop

LoopFactories = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]

BOTH_LOOPS: LoopFactories = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
