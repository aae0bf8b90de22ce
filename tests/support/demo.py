"""The whole demo, run by the supervisor as `make up` runs it, and what tests ask of it over and over."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.runtime.nats import connector
from services.supervisor import RestartPolicy, Supervisor
from tests.support.system import account_sum, get, until
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalMessage
from tradebus.config import Flags, Settings, load_settings
from tradebus.journal.verify import AuditVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.dlq import DeadLetter, dead_letter_from_bytes
from tradebus.wire.codec.error import DecodeError

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("market", "engine", "execution", "audit")
PATIENCE_S = 90.0
"""How long a condition may take on a machine that does other things too."""


def demo_settings(*settings: str, mode: str | None = None) -> Settings:
    """Return the settings of `config/`, some of them changed: `"nats.sync_always=false"`."""
    return load_settings(Flags(config=ROOT / "config" / "tradebus.toml", mode=mode, settings=list(settings)))


@dataclass
class Demo:
    """A running system and a connection to its bus."""

    supervisor: Supervisor
    bus: Bus

    @property
    def settings(self) -> Settings:
        return self.supervisor.settings

    @property
    def engine_id(self) -> str:
        """Name the engine in subjects and streams."""
        return self.settings.journal_id

    async def data(self, name: str) -> dict[str, Any]:
        """Return what a service says of itself, nothing while it does not answer."""
        status = await self.supervisor.status(name)
        return {} if status is None else dict(status["data"])

    async def ready(self, name: str) -> tuple[bool, dict[str, str]]:
        """Return whether a service is ready, and the reasons why not; not ready while it does not answer."""
        status = await self.supervisor.status(name)
        if status is None:
            return False, {}
        return status["state"] == "ready", dict(status["reasons"])

    async def log(self, name: str) -> str:
        """Return the log of a service up to now."""
        path = self.supervisor.log_file(name)
        return await asyncio.to_thread(path.read_text) if path.exists() else ""

    async def api(self, path: str) -> dict[str, Any]:
        """Return the JSON of the REST API, nothing while it does not answer."""
        return await get(f"{self.supervisor.api_url}{path}")

    async def wait_fills(self, more: int) -> int:
        """Wait until the engine has so many fills more than now; return how many it has."""
        begin = int((await self.data("engine")).get("fills", 0))

        async def enough() -> int:
            fills = int((await self.data("engine")).get("fills", 0))
            return fills if fills >= begin + more else 0

        return int(await until(enough, f"{more} fills more than {begin}", PATIENCE_S))

    async def wait_connected(self) -> None:
        """Wait until every service is ready and every link of the engine healthy."""
        await self.supervisor.wait_ready(PATIENCE_S)

        async def healthy() -> bool:
            return (await self.data("engine")).get("health") == "healthy"

        await until(healthy, "every link is healthy", PATIENCE_S)

    async def at_rest(self) -> dict[str, Any]:
        """Stop the market and return the engine's status, with the same sequence and state as the replica's."""
        await self.supervisor.kill("market")

        async def quiet() -> bool:
            return (await self.data("engine")).get("health") == "reconnecting"

        await until(quiet, "the engine notices that the market is gone", PATIENCE_S)

        async def same() -> dict[str, Any]:
            engine, replica = await self.data("engine"), await self.data("audit")
            if engine.get("sequence") is None or engine["sequence"] != replica.get("sequence"):
                return {}
            return {"engine": engine, "replica": replica}

        rest = await until(same, "replica and engine stand at the same sequence", PATIENCE_S)
        assert rest["engine"]["hash"] == rest["replica"]["hash"]
        assert rest["engine"]["hash"]["core"]
        assert rest["engine"]["hash"]["user"]
        assert rest["replica"]["verification"]["unequal"] == 0
        found: dict[str, Any] = rest["engine"]
        return found

    async def check_accounts(self) -> dict[str, list[int]]:
        """Check positions and balances of the replica against an independent sum over the account journals.

        Call it at rest. Returns for each account the sequences of the ticks that caused its fills.
        """
        index = self.settings.indexed_instruments()
        positions = {item["instrument"]: item for item in (await self.api("/v1/positions"))["data"]}
        assets = (await self.api("/v1/assets"))["data"]
        held = {(item["exchange"], item["name"]): Decimal(item["balance"]["total"]) for item in assets}
        causes: dict[str, list[int]] = {}
        for exchange in index.exchanges:
            account = self.settings.account(exchange)
            total = await account_sum(self.bus, account, index)
            ids = [trade.id for _, trade in total.trades]
            assert len(ids) == len(set(ids)), f"{account}: a fill stands twice in the journal"
            causes[account] = [cause for cause, _ in total.trades]
            for instrument in index.instruments_of(index.find_exchange_index(exchange)):
                assert _signed(positions.get(instrument.name)) == total.net[instrument.index], instrument.name
            for name, amount in self.settings.execution[exchange].balances.items():
                asset = index.find_asset_index(exchange, name)
                assert held[exchange.value, name] == amount + total.moved[asset], (account, name)
        return causes

    async def check_journal(self) -> int:
        """Verify every batch of the audit journal, checksum, chain and numbers; return the last tick's sequence."""
        verifier = AuditVerifier()

        def verify(message: JournalMessage) -> None:
            verifier.accept(message)

        await self._read(subjects.audit_stream(self.engine_id), verify)
        return verifier.sequence

    async def dead_letters(self) -> list[DeadLetter]:
        """Return every dead letter kept so far; what somebody else put there is left out."""
        letters: list[DeadLetter] = []

        def keep(message: JournalMessage) -> None:
            with suppress(DecodeError):
                letters.append(dead_letter_from_bytes(message.payload))

        await self._read(subjects.DLQ_STREAM, keep)
        return letters

    async def _read(self, stream: str, take: Callable[[JournalMessage], None]) -> None:
        """Give everything that is in a stream now."""
        reader = await self.bus.consume(stream, 1, take)
        try:
            await reader.wait_caught_up()
        finally:
            await reader.stop()


def _signed(position: Mapping[str, Any] | None) -> Decimal:
    if position is None:
        return Decimal(0)
    return Decimal(position["quantity_abs"]) * (1 if position["side"] == "buy" else -1)


@asynccontextmanager
async def running(
    folder: Path, settings: Settings | None = None, policy: RestartPolicy | None = None, *, fresh: bool = False
) -> AsyncIterator[Demo]:
    """Run a system, the demo unless other settings are given, until the block ends; ready at its beginning."""
    supervisor = Supervisor(settings or demo_settings(), data_dir=folder, any_ports=True, policy=policy, fresh=fresh)
    async with supervisor:
        bus = await connector(supervisor.settings, "audit", "test")(lambda event: None)
        try:
            yield Demo(supervisor, bus)
        finally:
            await bus.close()


def pids_with(marker: str) -> list[int]:
    """Return the living processes whose environment holds this text: everything that one program started."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            environment = (path / "environ").read_bytes()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if marker.encode() in environment and state != "Z":
            found.append(int(path.name))
    return sorted(found)
