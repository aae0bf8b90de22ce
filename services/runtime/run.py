"""Run a service from command line to exit code: what every `__main__` does."""

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TextIO, TypeAlias

import uvloop

from services.runtime import signals
from services.runtime.heartbeat import Heartbeats
from services.runtime.http import InternalServer
from services.runtime.lifecycle import Event
from services.runtime.logs import configure_logs
from services.runtime.ports import CannotListen, Listening
from services.runtime.runtime import Runtime, ServiceName, default_instance
from services.runtime.service import Json, Service
from tradebus.bus.interface import Bus
from tradebus.bus.self_check import MissingPermissions
from tradebus.config import ConfigError, ExitCode, Settings, load_settings
from tradebus.wire import subjects
from tradebus.wire.codec.heartbeat import Heartbeat, heartbeat_to_bytes

Bootstrap: TypeAlias = Callable[[Runtime], Awaitable[Service]]
"""Builds the service; the only place that makes concrete things. May raise ConfigError."""

_WATCHDOG_GRACE_S: Final = 2.0


def main(service: ServiceName, bootstrap: Bootstrap, argv: Sequence[str] | None = None) -> int:
    """Run `service` until it is stopped or fails, and return the exit code.

    3: the configuration is wrong, every problem is on stderr and nothing was started. 1: it failed. 0: an ordered stop.
    """
    try:
        settings = load_settings(sys.argv[1:] if argv is None else argv, program=f"python -m services.{service}")
    except ConfigError as error:
        print_problems(error, sys.stderr)
        return ExitCode.CONFIG_INVALID
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(service, bootstrap, settings))


def print_problems(error: ConfigError, stream: TextIO) -> None:
    """Write every problem of a configuration, one a line."""
    count = len(error.problems)
    print(f"configuration: {count} {'problem' if count == 1 else 'problems'}, nothing started", file=stream)
    for problem in error.problems:
        print(f"  {problem}", file=stream)


async def run(service: ServiceName, bootstrap: Bootstrap, settings: Settings) -> int:
    """Run a service whose settings are known; return the exit code."""
    instance = settings.runtime.instance or default_instance()
    configure_logs(
        settings.runtime.log_level,
        settings.runtime.log_format,
        service=service,
        instance=instance,
        mode=settings.mode.value,
    )
    runtime = Runtime(service, instance, settings)
    signals.install(asyncio.get_running_loop(), runtime.log, runtime.finish)
    built: list[Service] = []
    listening = Listening(
        getattr(settings.runtime.http, service), f"health and metrics of {service}", f"runtime.http.{service}"
    )
    server = InternalServer(listening, runtime.health, runtime.metrics, lambda: _status(runtime, built))
    try:
        address = await server.start()
    except CannotListen as error:
        runtime.log.error("cannot listen", reason=str(error))  # noqa: TRY400 - the text says it all
        return ExitCode.FAILURE
    runtime.log.info("starting", http=str(address), exchanges=[item.value for item in settings.exchanges])
    starting = asyncio.create_task(_start(runtime, bootstrap, built), name="start")
    stop = asyncio.create_task(runtime.stopping.wait(), name="stop")
    await asyncio.wait({starting, stop}, return_when=asyncio.FIRST_COMPLETED)
    code = await _outcome(runtime, starting)
    await stop
    code = await _stop(runtime, built, server, code)
    runtime.log.info("stopped", exit_code=int(code))
    return code


async def _start(runtime: Runtime, bootstrap: Bootstrap, built: list[Service]) -> None:
    service = await bootstrap(runtime)
    built.append(service)
    if runtime.bus is not None:
        beats = _heartbeats(runtime, service, runtime.bus)
        runtime.spawn(beats.run(), "heartbeats")
    await service.start()
    _spare_the_collector()
    runtime.health.started()


def _spare_the_collector() -> None:
    """Look for cycles seldom: messages and ticks make none, and each look costs as much as many of them."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)


def _heartbeats(runtime: Runtime, service: Service, bus: Bus) -> Heartbeats:
    subject = subjects.hb(runtime.service, runtime.instance)

    def send(beat: Heartbeat) -> None:
        if bus.publish(subject, heartbeat_to_bytes(beat)):
            runtime.metrics.heartbeats.inc()

    period_s = runtime.settings.runtime.heartbeat_ms / 1000
    return Heartbeats(lambda time_ns: runtime.beat(service, time_ns), send, period_s)


async def _outcome(runtime: Runtime, starting: asyncio.Task[None]) -> ExitCode:
    """Wait for the start to end, or cancel it when a stop came first; return the exit code so far."""
    if not starting.done():
        starting.cancel()
    try:
        await starting
    except asyncio.CancelledError:
        runtime.log.info("stopped while starting")
    except ConfigError as error:
        print_problems(error, sys.stderr)
        runtime.fail("the configuration is wrong")
        return ExitCode.CONFIG_INVALID
    except (CannotListen, MissingPermissions) as error:
        runtime.fail(str(error))
    except Exception as error:  # Whatever it is, the process ends with it in one log line.
        runtime.log.exception("could not start")
        runtime.fail(f"could not start: {error!r}")
    return ExitCode.OK


async def _stop(runtime: Runtime, built: list[Service], server: InternalServer, code: ExitCode) -> ExitCode:
    """Stop everything within the time allowed, whatever fails on the way."""
    runtime.lifecycle.advance(Event.STOP)
    timeout_s = runtime.settings.runtime.stop_timeout_ms / 1000
    # A loop that something blocks cannot time out by itself.
    watchdog = threading.Timer(timeout_s + _WATCHDOG_GRACE_S, os._exit, (int(ExitCode.FAILURE),))
    watchdog.daemon = True
    watchdog.start()
    try:
        async with asyncio.timeout(timeout_s):
            for service in built:
                await service.stop()
            await runtime.close()
    except TimeoutError:
        runtime.failure = f"not stopped within {timeout_s:g} s"
        runtime.log.error("not stopped in time, ending anyway", timeout_s=timeout_s)  # noqa: TRY400 - see above
    except Exception as error:  # The process ends either way, with the reason in the log.
        runtime.failure = f"stop failed: {error!r}"
        runtime.log.exception("stop failed")
    runtime.lifecycle.advance(Event.DONE)
    await server.stop()
    watchdog.cancel()
    return code if code != ExitCode.OK or runtime.failure is None else ExitCode.FAILURE


def _status(runtime: Runtime, built: list[Service]) -> Mapping[str, Json]:
    return runtime.status(built[0] if built else None)
