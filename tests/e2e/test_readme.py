"""What the README says is so: its programs run, its addresses answer, its commands, folders and links exist."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.demo import PATIENCE_S, ROOT, Demo, running

README = (ROOT / "README.md").read_text()
PROGRAM, STRATEGY = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
ADDRESSES = sorted(set(re.findall(r"localhost:8000(/[\w/]*)", README)))
TARGETS = sorted(set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)))
LINKS = sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README)))
FOLDERS = sorted(set(re.findall(r"`((?:\w+/)+[\w.]*)`", README)))

one_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    async with running(tmp_path_factory.mktemp("demo")) as demo:
        await demo.wait_connected()
        await demo.wait_fills(5)
        yield demo


def run(*command: str) -> str:
    """Run a command at the root of the checkout and return what it prints; it must succeed and warn of nothing."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    assert done.stderr == "", done.stderr
    return done.stdout


def test_the_reading_finds_what_is_there_to_be_tested() -> None:
    assert len(ADDRESSES) >= 5
    assert {"up", "down", "test", "replay", "bench"} <= set(TARGETS)
    assert len(LINKS) >= 5
    assert len(FOLDERS) >= 12


def test_the_backtest_trades_and_gives_the_same_digest_twice() -> None:
    first = run(sys.executable, "-c", PROGRAM)
    said = re.fullmatch(r"(\d+) events, (\d+) fills, \{'usdt': Decimal\('-?[\d.]+'\)\} digest ([0-9a-f]{32})\n", first)
    assert said is not None, first
    assert int(said.group(1)) == 1_200
    assert int(said.group(2)) > 0
    assert run(sys.executable, "-c", PROGRAM) == first


def test_the_strategy_runs_when_it_lies_where_it_is_said_to(tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "watcher.py").write_text(STRATEGY)
    config = (ROOT / "config" / "tradebus.toml").read_text()
    assert "tradebus.strategies.quoter:Quoter" in config
    config = config.replace("tradebus.strategies.quoter:Quoter", "watcher:Watcher")
    (tmp_path / "tradebus.toml").write_text(config)
    settings = ["--set", f"engine.strategies_dir={folder}", "--config", str(tmp_path / "tradebus.toml")]
    done = subprocess.run(
        [sys.executable, "-m", "tradebus.cli", "config", "validate", *settings],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "valid: mode demo with 6 instruments\n")
    decided = (
        f"{PROGRAM.partition('result = backtest(')[0]}"
        "watcher = StrategySetup(StrategyId('watcher'), 'watcher:Watcher', ())\n"
        "alone = EngineStarted('replay', 'replay', 'first', 'readme', index, (account,), (watcher,), "
        "TradingState.ENABLED)\n"
        "print(backtest(feed(), alone).orders)\n"
    )
    assert run(sys.executable, "-c", f"import sys\nsys.path.append({str(folder)!r})\n{decided}") == "0\n"


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_exists(target: str) -> None:
    assert run("make", "-n", target, "RECORDINGS=some-file")


@pytest.mark.parametrize("path", sorted({*LINKS, *FOLDERS}))
def test_a_link_or_folder_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@one_loop
async def test_every_address_answers_with_something_in_it(demo: Demo) -> None:
    for address in ADDRESSES:
        if address == "/docs":
            continue
        answer = await demo.api(address)
        assert answer["data"], address
        assert answer["verification"]["equal"] is not False, address


@one_loop
async def test_the_demo_is_what_is_promised(demo: Demo) -> None:
    """Two generated exchanges with six instruments, two strategies, fills newest first."""
    assert len(demo.settings.exchanges) == 2
    assert len((await demo.api("/v1/instruments"))["data"]) == 6
    assert len(demo.settings.engine.strategies) == 2
    sequences = [trade["sequence"] for trade in (await demo.api("/v1/trades"))["data"]]
    assert sequences == sorted(sequences, reverse=True)
