"""A tiny service run by the real runtime: `python fake_service.py NAME`; FAKE_<NAME> says how it misbehaves."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from services.runtime import Json, Runtime, Service, main


class FakeService(Service):
    def __init__(self, runtime: Runtime, behaviour: str) -> None:
        self._runtime = runtime
        self._behaviour = behaviour

    async def start(self) -> None:
        missing = self._behaviour.removeprefix("crash until ")
        if missing != self._behaviour and not Path(missing).exists():
            raise RuntimeError("this fake cannot start yet")
        if self._behaviour == "task fails":
            self._runtime.spawn(self._fail_when_ready(), "work")
        if self._behaviour == "never ready":
            self._runtime.health.trouble("feed", "the fake feed is away")
        if self._behaviour == "never starts":
            await asyncio.Event().wait()

    async def stop(self) -> None:
        trace = os.environ.get("FAKE_TRACE")
        if trace:
            with Path(trace).open("a") as file:
                file.write(f"{self._runtime.service}\n")
        if self._behaviour == "never stops":
            await asyncio.Event().wait()
        if self._behaviour == "blocks":
            threading.Event().wait()
        if self._behaviour == "stop fails":
            raise RuntimeError("this fake cannot stop")

    def status(self) -> Mapping[str, Json]:
        return {"events": 1234, "orders": 56, "fills": 7, "sequence": 1290}

    async def _fail_when_ready(self) -> None:
        while self._runtime.lifecycle.state.value != "ready":
            await asyncio.sleep(0.01)
        raise ValueError("the work of this fake fails")


async def bootstrap(runtime: Runtime) -> Service:
    behaviour = os.environ.get(f"FAKE_{runtime.service.upper()}", "")
    if os.environ.get("FAKE_BUS") != "none":
        await runtime.connect_nats()
    return FakeService(runtime, behaviour)


if __name__ == "__main__":
    name = sys.argv[1]
    if os.environ.get(f"FAKE_{name.upper()}") == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        threading.Event().wait()
    assert name in {"market", "engine", "execution", "audit"}
    raise SystemExit(main(name, bootstrap, []))  # type: ignore[arg-type]
