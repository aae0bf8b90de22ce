"""The API in one process: a fold fed by hand, its journal on a memory bus, and a client that asks without sockets."""

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import httpx2
from prometheus_client import CollectorRegistry, generate_latest
from structlog.stdlib import BoundLogger, get_logger

from services.audit.api.access import AccessLog, Doorkeeper, Keyring, Role
from services.audit.api.access.bad_keys import BadKeys
from services.audit.api.access.rates import Rates
from services.audit.api.again import Again
from services.audit.api.app import build_api
from services.audit.api.cache import AnswerCache
from services.audit.api.context import ApiContext, NamesCache
from services.audit.api.entrance import Entrance
from services.audit.api.security import Guard
from services.audit.api.stream.hub import StreamHub
from services.audit.api.stream.limits import StreamLimits
from services.audit.api.stream.past import PastEvents
from services.audit.commands import CommandDesk, Ledger
from services.audit.config import LagLimits, Limits
from services.audit.fold import Fold
from services.audit.history import History
from services.audit.lag import NO_LAG, Lag
from services.audit.metrics import AuditMetrics
from services.audit.travel.reads import PastReads
from services.runtime import HealthReport, Json
from services.runtime.lifecycle import State
from tests.support.audit_run import append_all
from tradebus.access import KeyFile
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.topology import topology
from tradebus.journal.sealed import SealedBatch
from tradebus.strategies.loading import load_data

STREAM = "AUDIT_demo"
LIMITS = Limits()
REQUESTS_PER_S = 100_000
BODY_BYTES_MAX = 262_144
NO_STREAMS = StreamLimits(readers=0)
"""A stream does not end, so that a client that waits for whole answers is better refused."""


def new_fold(limits: Limits = LIMITS, mode: str = "demo", *, with_digest: bool = False) -> Fold:
    """Return an empty fold with the shipped strategies at hand."""
    return Fold(load_data, limits, mode, with_digest=with_digest)


class AuditApi:
    """An API whose surroundings a test sets: lag, health, whether a key is needed."""

    def __init__(
        self,
        fold: Fold,
        streams: StreamLimits = NO_STREAMS,
        past: PastEvents | None = None,
        reads: PastReads | None = None,
    ) -> None:
        self.fold = fold
        self.broker = MemoryBroker()
        self.broker.provision(topology(("demo",), ()))
        self.bus = MemoryBus(self.broker)
        self.lag = NO_LAG
        self.is_caught_up = True
        self.report = HealthReport(State.READY, {})
        self.registry = CollectorRegistry()
        self.metrics = AuditMetrics(self.registry)
        self._folder = TemporaryDirectory()
        self.keys = KeyFile(Path(self._folder.name) / "access" / "keys.json")
        self.bad_keys_clock = 0.0
        self.key_trouble = ""
        self.doorkeeper = Doorkeeper(
            Keyring(self.keys, self._note_key_trouble),
            BadKeys(lambda: self.bad_keys_clock),
            AccessLog(self.keys.path.with_name("access.jsonl"), get_logger("test")),
            reading_without_key=True,
        )
        log: BoundLogger = get_logger("test")
        self.ledger_path = Path(self._folder.name) / "demo.commands.ndjson"
        self.ledger = Ledger(self.ledger_path)
        self.ledger.open()
        self.desk = CommandDesk(self.bus, "demo", fold, self.ledger, log)
        self.context = ApiContext(
            fold=fold,
            history=History(self.bus, STREAM, fold),
            lag=self._lag,
            is_caught_up=lambda: self.is_caught_up,
            limits=LagLimits(),
            health=lambda: self.report,
            metrics=lambda: generate_latest(self.registry),
            status=self._status,
            doorkeeper=self.doorkeeper,
            commands=self.desk,
            past=reads,
        )
        self.hub = StreamHub(fold, NamesCache(), self.metrics, log, limits=streams, past=past)
        self.app = build_api(self.context, self.hub, log)
        # Seconds pass between any two looks at the clock: a test sees what is, not what was some milliseconds ago.
        self.app.state.cache = AnswerCache(itertools.count().__next__)
        self.rates_clock = 0.0
        self.rates = Rates(REQUESTS_PER_S, lambda: self.rates_clock)
        entrance = Entrance(Again(self.app), self.doorkeeper, self.rates, BODY_BYTES_MAX)
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(Guard(entrance, self.metrics), raise_app_exceptions=False),
            base_url="http://audit",
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hub.close()
        await self.client.aclose()
        await self.bus.close()
        self._folder.cleanup()

    def key(self, role: Role, name: str = "test") -> dict[str, str]:
        """Make a key; return the header that shows it."""
        return {"Authorization": f"Bearer {self.keys.add(name, role, time.time_ns()).text}"}

    async def store(self, batches: Sequence[SealedBatch]) -> None:
        """Put batches on the stream that the fold has taken in already."""
        await append_all(self.bus, "demo", batches)

    async def feed(self, batches: Sequence[SealedBatch]) -> None:
        """Put batches on the stream and let the fold take them in."""
        first = self.fold.position + 1
        last = await append_all(self.bus, "demo", batches, after=first - 1)
        for number in range(first, last + 1):
            message = await self.bus.message(STREAM, number)
            assert message is not None
            self.fold.take(message)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.client.get(path, headers=headers)

    async def data(self, path: str) -> Any:
        """Return the data of a successful answer."""
        return (await self.envelope(path))["data"]

    async def envelope(self, path: str) -> dict[str, Any]:
        """Return the body of a successful answer."""
        response = await self.get(path)
        assert response.status_code == 200, response.text
        body = response.json()
        assert isinstance(body, dict)
        return body

    async def problem(self, path: str, status: int, code: str) -> dict[str, Any]:
        """Return the body of a problem, having checked its status, code and media type."""
        response = await self.get(path)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert isinstance(body, dict)
        assert body["code"] == code
        assert body["type"] == f"urn:tradebus:problem:{code}"
        assert body["status"] == status
        return body

    def _note_key_trouble(self, trouble: str) -> None:
        self.key_trouble = trouble

    def _lag(self) -> Lag:
        return self.lag

    def _status(self) -> Mapping[str, Json]:
        return {"service": "audit", "data": {"sequence": self.fold.sequence}}
