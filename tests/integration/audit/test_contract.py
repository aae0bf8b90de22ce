"""The API keeps what its document promises, whatever is asked: schemathesis over every operation, once per role.

The viewer asks everything, the others what the viewer may not. ``TRADEBUS_CONTRACT_EXAMPLES`` sets how many requests
are made up for each operation, 1 unless told otherwise; with it everybody asks everything.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok

from services.audit.api.access import bad_keys
from services.audit.config import AuditConfig
from services.audit.fold import Fold
from tests.integration.audit.test_archive_memory import keeping
from tests.integration.audit.test_follow_memory import running
from tests.support.audit_run import EngineRun, append_all
from tradebus.access import KeyFile, Role
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.core.model.identifiers import ExchangeId

WHOLE = "TRADEBUS_CONTRACT_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("TRADEBUS_CONTRACT_EXAMPLES", "1"))
REFUSALS = ["2xx", "304", "403", "404", "409", "410", "428", "429", "503"]
"""What may become of a request that is as the document wants it: which names and ticks there are, it cannot say."""
ENDLESS = {"/v1/stream"}
"""Answers that do not end; they have tests of their own."""
SHOWN = (ParameterLocation.QUERY, ParameterLocation.PATH, ParameterLocation.BODY)
ANSWER_S = 60
EXCHANGES = (ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA)
NOW_NS = 1_790_000_000_000_000_000


def use_names_of(fold: Fold) -> None:
    """Have names that the document says are the journal's be names of this one."""
    index, state = fold.state.index, fold.state
    assets = [{item.asset.name_internal for item in index.assets if item.exchange is each} for each in EXCHANGES]
    names = {
        "exchange": [exchange.value for exchange in EXCHANGES],
        "instrument": [item.name for item in index.instruments],
        "asset": sorted(set.intersection(*assets)),
        "active-order": [str(order.key.cid) for order in state.orders()],
    }
    for what, known in names.items():
        assert known, what
        schemathesis.openapi.format(f"{what}-name", st.sampled_from(known))


def operations(url: str, role: Role) -> Iterator[Any]:
    """Return what the document describes and a role is to ask."""
    checks = {"positive_data_acceptance": {"expected-statuses": REFUSALS}}
    config = SchemathesisConfig.from_dict({"checks": checks})
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
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


def fits_together(query: Mapping[str, Any]) -> bool:
    """Tell whether parameters may stand beside each other, which no document can say."""
    return not {"at", "at_time"} <= set(query) and query.get("from", 0) <= query.get("to", query.get("from", 0))


def shows_what_is_wrong(case: Any) -> bool:
    """Tell whether what is wrong with a request can be seen on the wire.

    The key is not to be: it is replaced by the right one. A list of no or one value looks like none, or the value.
    """
    short_lists = (value for value in (case.query or {}).values() if isinstance(value, list) and len(value) < 2)
    return any(case.meta.is_negative_at(where) for where in SHOWN) and next(short_lists, None) is None


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
        assume(shows_what_is_wrong(case) if mode is GenerationMode.NEGATIVE else fits_together(case.query or {}))
        if mode is GenerationMode.POSITIVE and "wait" in (case.query or {}):
            case.query["wait"] = "5ms"  # no engine is there to wait for
        response = case.call(headers=headers, timeout=ANSWER_S)
        seen[operation.label, response.status_code] += 1
        case.validate_response(response, headers=headers)

    check()


@pytest.mark.timeout(300)
async def test_every_operation_keeps_its_promises_for_every_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad_keys, "FREE", 100_000)  # who shows so many bad keys must wait otherwise, and asks nothing
    run = EngineRun(events=120, is_ended=False)
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ()))
    engine = MemoryBus(broker)
    await append_all(engine, "demo", run.batches())
    settings_ = keeping(tmp_path, reading_without_key=False)
    keys = KeyFile(AuditConfig.of(settings_).keys_file)
    async with running(broker, settings_) as audit:
        await audit.starting
        use_names_of(audit.service.fold)
        for role in Role:
            headers = {"Authorization": f"Bearer {keys.add(role.value, role, NOW_NS).text}"}
            if role is Role.VIEWER:  # the process for the past takes a while to start
                status, _ = await audit.get("/v1/state?at=0", headers)
                assert status == HTTPStatus.OK
            seen, broken = await asyncio.to_thread(call_all, audit.url, role, headers)
            assert not broken, f"{role}: " + "\n".join(broken)
            statuses = {status for _, status in seen}
            assert {HTTPStatus.OK, HTTPStatus.ACCEPTED} & statuses
            assert HTTPStatus.UNPROCESSABLE_ENTITY in statuses
            assert (HTTPStatus.FORBIDDEN in statuses) == (role is not Role.ADMIN)
    await engine.close()
