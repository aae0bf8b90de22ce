"""`tradebus state`, `ctl` and `doctor` against a real API over HTTP, with an engine that reads what is sent to it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from services.audit.api.access import Role
from services.runtime.ports import free_ports
from tests.support.api_server import Served, served_api
from tradebus.cli.app import app
from tradebus.core.engine.state.trading import TradingState

BTC = "sim_alpha-btc_usdt"
HEAVY = {"rich", "nats", "aiohttp", "httpx2", "uvloop", "google.protobuf", "grpc", "pydantic", "pydantic_core"}
HEAVY_OURS = {
    "tradebus.config",
    "tradebus.client",
    "tradebus.core",
    "tradebus.bus",
    "tradebus.journal",
    "tradebus.wire",
}


class Terminal:
    """Runs commands as somebody at a terminal with an operator's key."""

    def __init__(self, served: Served) -> None:
        self.api = served.api
        self.url = served.url
        self.key = served.key

    async def run(self, *arguments: str, role: Role | None = None, said: str = "") -> Result:
        key = self.key if role is None else self.api.key(role)["Authorization"].removeprefix("Bearer ")
        environment = {"TRADEBUS_URL": self.url, "TRADEBUS_KEY": key, "COLUMNS": "160"}
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), said, environment)

    async def data(self, *arguments: str) -> Any:
        result = await self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        # The server shares this process, and with it the stream that its log goes to.
        return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture
async def terminal() -> AsyncIterator[Terminal]:
    async with served_api() as served:
        yield Terminal(served)


async def test_trading_is_switched_and_told(terminal: Terminal) -> None:
    result = await terminal.run("ctl", "trading", "off")
    assert result.exit_code == 0, result.output
    assert f"applied at sequence {terminal.api.fold.sequence}: switch trading off" in result.stdout
    assert terminal.api.fold.state.trading is TradingState.DISABLED
    told = await terminal.data("ctl", "trading", "on", "--yes")
    assert (told["status"], told["sequence"]) == ("applied", terminal.api.fold.sequence)
    assert told["origin"].startswith("alice (key ")


async def test_what_makes_trouble_asks_first(terminal: Terminal) -> None:
    result = await terminal.run("ctl", "positions", "close", "--all")
    assert result.exit_code == 2
    assert "expected --yes" in result.output
    assert await terminal.api.sent() == []


async def test_orders_are_opened_and_cancelled(terminal: Terminal) -> None:
    told = await terminal.data("ctl", "orders", "open", BTC, "buy", "4", "--price", "1.5", "--yes")
    (cid,) = told["opened"]
    shown = await terminal.run("state", "show", f"orders/{cid}")
    assert shown.exit_code == 0
    assert cid in shown.stdout
    told = await terminal.data("ctl", "orders", "cancel", cid, "--yes")
    assert told["cancelled"] == [cid]
    for arguments in (["--exchange", "sim_beta"], ["--underlying", "sim_beta:btc/usdt"], ["--all"]):
        assert (await terminal.run("ctl", "orders", "cancel", *arguments, "--yes")).exit_code == 0
    result = await terminal.run("ctl", "orders", "cancel", "--yes")
    assert result.exit_code == 2
    result = await terminal.run("ctl", "orders", "cancel", "--all", "--exchange", "sim_beta", "--yes")
    assert result.exit_code == 2
    result = await terminal.run("ctl", "orders", "cancel", "--underlying", "btc", "--yes")
    assert "expected EXCHANGE:BASE/QUOTE" in result.output


async def test_exit_statuses(terminal: Terminal) -> None:
    result = await terminal.run("ctl", "orders", "open", BTC, "buy", "0.0001", "--price", "1", "--yes")
    assert (result.exit_code, "rejected" in result.output) == (5, True), result.output
    result = await terminal.run("ctl", "orders", "open", "sim_alpha-btc_usd", "buy", "1", "--price", "1", "--yes")
    assert result.exit_code == 2
    assert f"orders.0.instrument: expected an instrument of this journal, found sim_alpha-btc_usd; near: {BTC}" in (
        result.stderr
    )
    assert (await terminal.run("ctl", "shutdown", "--yes")).exit_code == 1
    (port,) = free_ports(1)
    result = await terminal.run("ctl", "trading", "off", "--url", f"http://127.0.0.1:{port}")
    assert (result.exit_code, "nobody answers at" in result.stderr) == (4, True)
    terminal.api.is_caught_up = False
    assert (await terminal.run("state", "show")).exit_code == 4


async def test_nothing_in_time(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing() -> None:
        """Do not read: the engine is down."""

    monkeypatch.setattr(terminal.api, "engine_reads", nothing)
    result = await terminal.run("ctl", "trading", "off", "--wait", "0.2")
    assert result.exit_code == 6
    assert "was not applied within 0.2 s; it expires" in result.stderr
    result = await terminal.run("ctl", "trading", "off", "--wait", "0")
    assert (result.exit_code, "accepted" in result.stdout) == (0, True)


async def test_kill_ends_well_only_when_the_journal_says_so(terminal: Terminal) -> None:
    result = await terminal.run("ctl", "kill")
    assert result.exit_code == 0, result.output
    assert "switch trading off" in result.stdout
    assert "cancel every active order" in result.stdout
    assert terminal.api.fold.state.trading is TradingState.DISABLED
    told = await terminal.data("ctl", "kill", "--close", "--yes")
    assert ([each["kind"] for each in told["done"]], told["exit"]) == (
        ["trading_state", "cancel_orders", "close_positions"],
        0,
    )
    terminal.api.broker.start_outage()
    result = await terminal.run("ctl", "kill", "--wait", "0.1")
    terminal.api.broker.end_outage()
    assert result.exit_code == 4


async def test_dry_run_sends_nothing(terminal: Terminal) -> None:
    told = await terminal.data("ctl", "orders", "open", BTC, "sell", "4", "--dry-run")
    assert told["status"] == "valid"
    assert await terminal.api.sent() == []


async def test_state_is_shown(terminal: Terminal) -> None:
    for resource in ("state", "trading", "assets", "instruments", "positions", "orders", "trades"):
        answer = await terminal.data("state", "show", resource)
        assert answer["sequence"] == terminal.api.fold.sequence
        result = await terminal.run("state", "show", resource)
        assert result.exit_code == 0, result.output
        assert "demo sequence" in result.stderr
        assert "verified" in result.stderr
        assert result.stdout.strip()
    result = await terminal.run("state", "show", "instruments/sim_alpha-btc_usd")
    assert (result.exit_code, "near: sim_alpha-btc_usdt" in result.stderr) == (1, True)


async def test_doctor_says_how_everything_is_and_never_the_key(terminal: Terminal) -> None:
    findings = {each["check"]: each for each in await terminal.data("doctor")}
    assert findings["API"]["verdict"] == findings["key"]["verdict"] == findings["clock"]["verdict"] == "ok"
    assert {"versions", "configuration", "disk", "port", "NATS"} <= set(findings)
    result = await terminal.run("doctor", "--key", "tb_wrong")
    assert (result.exit_code, "the one given is not taken" in result.stdout) == (1, True)
    assert terminal.key not in (await terminal.run("doctor")).output


def paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command and group as one calls them."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from paths(each, (*path, name))


def test_help_imports_nothing_that_only_commands_need() -> None:
    """Help is to come at once; this is a list and no time, because a busy machine tells no times."""
    groups = list(paths(get_command(app)))
    assert {("state", "show"), ("ctl", "orders", "open"), ("audit", "verify"), ("key", "new")} <= set(groups)
    script = (
        "import sys\nfrom tradebus.cli.entry import main\n"
        f"for group in {groups}:\n"
        "    sys.argv = ['tradebus', *group, '--help']\n"
        "    try: main()\n"
        "    except SystemExit as end: assert not end.code, (group, end.code)\n"
        f"print('found', sorted({HEAVY | HEAVY_OURS} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "found []"
