"""The API keeps what its document promises, whatever is asked: schemathesis over every operation, once per role.

The viewer asks everything, the others what the viewer may not. ``TRADEBUS_CONTRACT_EXAMPLES`` sets how many requests
are made up for each operation, 1 unless told otherwise; with it everybody asks everything.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from services.audit.config import AuditConfig
from tests.integration.audit.test_archive_memory import keeping
from tests.integration.audit.test_follow_memory import running
from tests.support.audit_run import EngineRun, append_all
from tradebus.access import KeyFile, Role
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology

WHOLE = "TRADEBUS_CONTRACT_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("TRADEBUS_CONTRACT_EXAMPLES", "1"))
# The first: a document cannot say that two parameters exclude each other, or which names a journal has. The second
# shows one bad key after the other, and is told to wait, which it takes for a mistake; unit tests walk all routes.
EXCLUDED = [positive_data_acceptance, ignored_auth]
ENDLESS = {"/v1/stream"}
"""Answers that do not end; they have tests of their own."""
ANSWER_S = 60
NOW_NS = 1_790_000_000_000_000_000


def operations(url: str, role: Role) -> Iterator[Any]:
    """Return what the document describes and a role is to ask."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for each in schema.get_all_operations():
        assert isinstance(each, Ok), each
        operation = each.ok()
        needed = operation.definition.raw.get("x-required-role")
        is_asked = WHOLE or role is Role.VIEWER or needed not in {None, Role.VIEWER.value}
        if is_asked and operation.path not in ENDLESS:
            yield operation


def call_all(url: str, role: Role, headers: dict[str, str]) -> tuple[Counter[tuple[str, int]], list[str]]:
    """Make requests up for every operation; return how often each status came, and what broke a promise."""
    seen: Counter[tuple[str, int]] = Counter()
    broken: list[str] = []
    for operation in operations(url, role):
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                _call(operation, mode, headers, seen)
            except Unsatisfiable:
                continue  # nothing can be wrong with it: every text is a name that there might be
            except FailureGroup as group:  # all that is broken is told at once
                broken += [f"{operation.label}: {failure!r} {failure}" for failure in group.exceptions]
    return seen, broken


def _call(operation: Any, mode: GenerationMode, headers: dict[str, str], seen: Counter[tuple[str, int]]) -> None:
    if mode is GenerationMode.NEGATIVE and not (operation.path_parameters or operation.query or operation.body):
        return

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: Any) -> None:
        response = case.call(headers=headers, timeout=ANSWER_S)
        seen[operation.label, response.status_code] += 1
        case.validate_response(response, headers=headers, excluded_checks=EXCLUDED)

    check()


@pytest.mark.timeout(300)
async def test_every_operation_keeps_its_promises_for_every_role(tmp_path: Path) -> None:
    run = EngineRun(events=120, is_ended=False)
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ()))
    engine = MemoryBus(broker)
    await append_all(engine, "demo", run.batches())
    settings_ = keeping(tmp_path)
    keys = KeyFile(AuditConfig.of(settings_).keys_file)
    async with running(broker, settings_) as audit:
        await audit.starting
        status, _ = await audit.get("/v1/state?at=0")  # the process for the past takes a while to start
        assert status == HTTPStatus.OK
        for role in Role:
            headers = {"Authorization": f"Bearer {keys.add(role.value, role, NOW_NS).text}"}
            seen, broken = await asyncio.to_thread(call_all, audit.url, role, headers)
            assert broken == [], role
            statuses = {status for _, status in seen}
            assert {HTTPStatus.OK, HTTPStatus.ACCEPTED} & statuses
            assert HTTPStatus.UNPROCESSABLE_ENTITY in statuses
            assert (HTTPStatus.FORBIDDEN in statuses) == (role is not Role.ADMIN)
    await engine.close()
