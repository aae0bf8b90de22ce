"""Checkpoints of the replica: what cannot be one is told, and the next one is taken all the same."""

import asyncio
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger, get_logger

from services.audit.archivist import Archivist
from services.audit.config import ArchiveConfig, Limits
from services.audit.metrics import AuditMetrics
from services.audit.past import Past
from services.runtime.health import Health
from services.runtime.lifecycle import Lifecycle
from tests.support.audit_api import new_fold
from tests.support.audit_run import EngineRun, messages_of
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.strategies.ema_cross import EmaCrossData


async def test_data_that_no_checkpoint_can_hold_is_told_and_ends_nothing(run: EngineRun, tmp_path: Path) -> None:
    fold = new_fold(Limits())
    messages = messages_of(run.batches())
    for message in messages:
        fold.take(message)
    broker = MemoryBroker()
    broker.provision(topology(("demo",), ()))
    bus = MemoryBus(broker)
    registry = CollectorRegistry()
    metrics = AuditMetrics(registry)
    log: BoundLogger = get_logger("test")
    config = ArchiveConfig(tmp_path, "demo", 1 << 20, 0.01, 1_000, sets_aside=False)
    archivist = Archivist(bus, config, "test", metrics, Health(Lifecycle(), lambda _report: None), log)
    past = Past(config, fold, Limits(), archivist, metrics, log)
    data: Any = fold.state.strategies[0].data
    assert isinstance(data, EmaCrossData)
    good = data.weight_fast

    data.weight_fast = 0.5  # type: ignore[assignment]
    past.took(1_000)
    past.freeze_last()
    assert registry.get_sample_value("tradebus_archive_troubles_total", {"kind": "write"}) == 1
    await past.write()
    assert Checkpoints(tmp_path).sequences() == []

    data.weight_fast = good
    for message in messages:
        await bus.append("audit.demo", message.payload, headers=message.headers)
    await archivist.open()
    running = asyncio.create_task(archivist.run())
    past.took(1_000)
    await past.write()
    await archivist.stop()
    running.cancel()
    assert Checkpoints(tmp_path).sequences() == [fold.sequence]
