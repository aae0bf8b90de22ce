"""Commands through real processes: sent often, sent while the engine is down, and applied once or not at all."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.audit_process import AuditProcess
from tests.support.engine_process import EngineProcess
from tests.support.engine_service import engine_settings, read_journal, ticks_of
from tests.support.nats_server import NatsServer
from tests.support.system import until
from tradebus.access import KeyFile, Role
from tradebus.bus.nats_bus import NatsBus
from tradebus.core.engine.command import Command, CommandRejected
from tradebus.core.engine.event import TradingStateUpdate

READY_LIMIT_S = 30.0


class Operator:
    """Sends commands to a running audit service."""

    def __init__(self, audit: AuditProcess, folder: Path) -> None:
        self._url = audit.url
        self._key = KeyFile(folder / "access" / "keys.json").add("alice", Role.OPERATOR, time.time_ns()).text

    async def send(self, what: str, body: dict[str, Any], key: str, wait: str = "1ms") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": key}
        url = f"{self._url}/v1/commands/{what}?wait={wait}"
        async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
            found: dict[str, Any] = await answer.json(content_type=None)
            assert answer.status in {200, 202}, found
            return dict(found["data"])


async def ready(engine: EngineProcess) -> None:
    async def is_ready() -> bool:
        assert engine.process.returncode is None, engine.said
        return (await engine.status()).get("state") == "ready"

    await until(is_ready, "the engine ready", READY_LIMIT_S)


async def test_command_is_applied_once_whatever_happens(
    nats_server: NatsServer, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = "demo" + unique("c").replace("-", "")
    settings = engine_settings(name, nats={"url": nats_server.url, "embedded": False, "sync_always": False})
    bus = await NatsBus.connect(nats_server.options())
    async with AuditProcess(name, nats_server.url, tmp_path) as audit:
        operator = Operator(audit, tmp_path)
        async with EngineProcess(settings, tmp_path, "engine") as engine:
            await ready(engine)
            await audit.wait_ready()
            answers = await asyncio.gather(
                *(operator.send("trading-state", {"state": "disabled"}, "off", "20s") for _ in range(3))
            )
            assert {each["status"] for each in answers} == {"applied"}
            assert len({(each["id"], each["sequence"]) for each in answers}) == 1
            await audit.kill()
            await audit.start()
            await audit.wait_ready()
            again = await operator.send("trading-state", {"state": "disabled"}, "off", "20s")
            assert (again["id"], again["sequence"]) == (answers[0]["id"], answers[0]["sequence"])
            engine.process.kill()
            await engine.ended()
        on = await operator.send("trading-state", {"state": "enabled"}, "on")
        everything = {"filter": {"type": "all_instruments"}}
        late = await operator.send("cancel-orders", {**everything, "expires_in": "1ms"}, "late")
        assert {on["status"], late["status"]} == {"accepted"}
        await operator.send("trading-state", {"state": "enabled"}, "on")
        async with EngineProcess(settings, tmp_path, "engine") as engine:
            applied = await operator.send("trading-state", {"state": "enabled"}, "on", "30s")
            assert (applied["id"], applied["status"]) == (on["id"], "applied")
            rejected = await operator.send("cancel-orders", {**everything, "expires_in": "1ms"}, "late", "30s")
            assert (rejected["status"], rejected["reason"]) == (
                "rejected",
                f"command {late['id']} expired before it was read",
            )
            engine.process.kill()
            await engine.ended()
        async with EngineProcess(settings, tmp_path, "engine") as engine:
            await ready(engine)
            last = await operator.send("trading-state", {"state": "disabled"}, "off-2", "20s")
            assert last["status"] == "applied"
        ids: Counter[str] = Counter()
        for tick in ticks_of(await read_journal(bus, name)):
            event = tick.event
            if isinstance(event, TradingStateUpdate):
                ids[event.command_id] += 1
                assert event.origin.startswith("alice (key ")
            elif isinstance(event, Command | CommandRejected):
                ids[event.id] += 1
        assert ids == {answers[0]["id"]: 1, on["id"]: 1, late["id"]: 1, last["id"]: 1}
    await bus.close()
