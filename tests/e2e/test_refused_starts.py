"""What cannot start says everything that is wrong, in one go, and leaves nothing behind."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.demo import PATIENCE_S, ROOT, pids_with

PROGRAMS = ("up", "market", "engine", "execution", "audit")
CONFIG = (ROOT / "config" / "tradebus.toml").read_text()
WRONG = {
    "engine.trading_at_start": ("trading_at_start = true", 'trading_at_start = "perhaps"'),
    "engine.colour": ("[engine]", '[engine]\ncolour = "red"'),
    "instruments[5].name_exchange": ('name_exchange = "SOL-USDT"', "name_exchange = 7"),
    "execution.sim_beta.fees_percent": ('fees_percent = "0.1"', 'fees_percent = "much"'),
    "nats.url": ('url = "nats://127.0.0.1:4222"', 'url = "somewhere"'),
}
DISAGREEING = {
    "engine.strategies[1].instruments[0]": ('"sim_alpha-sol_usdt", ', '"sim_alpha-doge_usdt", '),
    "execution.sim_alpha.balances.btc": ('{ usdt = "100000", btc = "1", eth', '{ usdt = "100000", eth'),
}
STRATEGIES = {
    "engine.strategies[0]": ("fast = 20", "fast = 90"),
    "engine.strategies[1]": ("tradebus.strategies.quoter:Quoter", "nowhere:Nothing"),
}

Run = Callable[..., Coroutine[None, None, tuple[int, str]]]


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Run]:
    """Run a program of ours to its end; return its exit code and everything it said. It leaves no process."""
    marker = f"refused-{os.getpid()}-{tmp_path.name}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEBUS_")}
    data_dir = {"TRADEBUS__RUNTIME__DATA_DIR": str(tmp_path / "data")}

    async def start(program: str, **environment: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"services.{program}"),
            cwd=ROOT,
            env={**inherited, **data_dir, **environment, "MARKER": marker},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    yield start
    assert pids_with(marker) == []


def config_with(folder: Path, changes: dict[str, tuple[str, str]]) -> Path:
    """Return a file that is the demo's but for these changes."""
    text = CONFIG
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    path = folder / "tradebus.toml"
    path.write_text(text)
    return path


def check_said(said: str, path: Path, changes: dict[str, tuple[str, str]]) -> None:
    for key in changes:
        assert f"{path}: {key}: expected " in said, f"{key} is not in\n{said}"
    assert "Traceback" not in said


async def test_every_program_lists_every_problem_and_starts_nothing(run: Run, tmp_path: Path) -> None:
    path = config_with(tmp_path, WRONG)
    environment = {"TRADEBUS_CONFIG": str(path), "TRADEBUS__API__LISTEN": "99"}
    for code, said in await asyncio.gather(*(run(program, **environment) for program in PROGRAMS)):
        assert code == 3, said
        assert said.startswith("configuration: 6 problems, nothing started\n"), said
        check_said(said, path, WRONG)
        assert "TRADEBUS__API__LISTEN: api.listen: expected host:port" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("changes", [DISAGREEING, STRATEGIES], ids=["sections", "strategies"])
async def test_what_only_shows_in_use_is_refused_before_anything_is_started_too(
    run: Run, tmp_path: Path, changes: dict[str, tuple[str, str]]
) -> None:
    path = config_with(tmp_path, changes)
    code, said = await run("up", TRADEBUS_CONFIG=str(path))
    assert code == 3, said
    assert said.startswith("configuration: "), said
    check_said(said, path, changes)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'mode = "demo\n', "(at line 1, column 13)"),
        (b"\xff\xfe\x00", "expected a readable UTF-8 file"),
        (None, "found no such file"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named(run: Run, tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "tradebus.toml"
    if content is not None:
        path.write_bytes(content)
    code, said = await run("up", TRADEBUS_CONFIG=str(path))
    assert code == 3
    assert str(path) in said
    assert words in said


async def test_every_port_in_use_is_named_with_what_it_is_for_and_how_to_change_it(run: Run, tmp_path: Path) -> None:
    wanted = {
        "TRADEBUS__API__LISTEN": ("the REST API and the web page", "api.listen"),
        "TRADEBUS__API__GRPC_LISTEN": ("gRPC", "api.grpc_listen"),
        "TRADEBUS__NATS__URL": ("the NATS server", "nats.url"),
        "TRADEBUS__RUNTIME__HTTP__ENGINE": ("health and metrics of engine", "runtime.http.engine"),
    }
    with ExitStack() as taken:
        ports = [taken.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in wanted]
        environment = {
            name: f"{'nats://' if name.endswith('URL') else ''}127.0.0.1:{port}"
            for name, port in zip(wanted, ports, strict=True)
        }
        code, said = await run("up", **environment)
    assert code == 1, said
    for (name, (purpose, key)), port in zip(wanted.items(), ports, strict=True):
        line = f"port {port} is already in use; it is for {purpose}. Stop the program that has it, or choose another"
        assert line in said, said
        scheme = "nats://" if name.endswith("URL") else ""
        assert f"with `{key}` ({name}={scheme}127.0.0.1:PORT)." in said, said
    assert "Traceback" not in said
    assert not (tmp_path / "data" / "nats").exists()


async def test_a_service_on_its_own_says_the_same_of_its_port(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = await run("engine", TRADEBUS__RUNTIME__HTTP__ENGINE=f"127.0.0.1:{port}")
    assert code == 1
    assert f"port {port} is already in use; it is for health and metrics of engine." in said
    assert "TRADEBUS__RUNTIME__HTTP__ENGINE=127.0.0.1:PORT" in said
    assert "Traceback" not in said


async def test_a_replay_is_not_brought_up_over_what_another_run_left(run: Run, tmp_path: Path) -> None:
    left = tmp_path / "data" / "audit" / "demo"
    left.mkdir(parents=True)
    recording = tmp_path / "binance-spot-x.gz"
    recording.touch()
    code, said = await run("up", MODE="replay", TRADEBUS_RECORDING=str(recording))
    assert code == 3
    assert "make replay RECORDINGS=" in said
    assert left.exists()
