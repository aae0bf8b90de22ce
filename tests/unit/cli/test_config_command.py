"""`tradebus config` and `--version`: data on stdout, talk on stderr, the documented exit codes."""

import json
import subprocess
import sys
import textwrap
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tradebus import __version__
from tradebus.cli.app import app
from tradebus.config import Flags, load

CONFIG = """
    [[instruments]]
    exchange = "sim_alpha"
    name_exchange = "BTCUSDT"
    underlying = { base = "btc", quote = "usdt" }
    [execution.sim_alpha]
    connector = "simulated"
    balances = { usdt = "1000", btc = "0" }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tradebus.toml"
    path.write_text(textwrap.dedent(CONFIG))
    return path


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env=environ)


def test_the_version_is_printed() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"tradebus {__version__}\n")


def test_an_unknown_command_is_a_usage_error() -> None:
    assert run("config", "shw").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_a_valid_configuration_is_said_on_stderr_only(config: Path) -> None:
    result = run("config", "validate", "-c", str(config))
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "valid: mode demo with 1 instrument\n"
    assert run("config", "validate", "-c", str(config), "--quiet").stderr == ""


def test_an_invalid_configuration_ends_with_3_and_every_problem(config: Path) -> None:
    result = run("config", "validate", "-c", str(config), "--set", "engine.id=NO", TRADEBUS__API__LISTEN="x")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("configuration: 2 problems\n")
    assert "flag --set: engine.id: expected" in result.stderr
    assert "TRADEBUS__API__LISTEN: api.listen: expected host:port" in result.stderr


def test_problems_are_data_with_json(config: Path) -> None:
    result = run("config", "validate", "-c", str(config), "--mode", "lve", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {
        "valid": False,
        "problems": [
            {
                "where": "flag --mode",
                "path": "mode",
                "expected": "`demo`, `replay`, `paper` or `live`",
                "found": "'lve'",
                "hint": "Did you mean `live`?",
            }
        ],
    }
    good = run("config", "validate", "-c", str(config), "--json")
    assert json.loads(good.stdout) == {"valid": True, "mode": "demo", "files": [str(config)]}


def test_the_shown_configuration_is_complete_and_reads_back(config: Path, tmp_path: Path) -> None:
    result = run("config", "show", "-c", str(config), "--set", "engine.id=abc")
    assert result.exit_code == 0
    assert result.stderr == f"mode demo from {config}\n"
    shown = tomllib.loads(result.stdout, parse_float=Decimal)
    assert shown["engine"]["id"] == "abc"
    assert shown["nats"]["url"] == "nats://127.0.0.1:4222"
    again = tmp_path / "again.toml"
    again.write_text(result.stdout)
    assert load(Flags(again), {}).settings == load(Flags(config, settings=["engine.id=abc"]), {}).settings


def test_origins_are_a_line_a_value_for_other_programs(config: Path) -> None:
    result = run("config", "show", "-c", str(config), "--origin", TRADEBUS__ENGINE__ID="abc")
    rows = dict(line.split("\t", 1) for line in result.stdout.splitlines())
    assert rows["engine.id"] == "abc\tTRADEBUS__ENGINE__ID"
    assert rows["execution.sim_alpha.balances.usdt"] == f"1000\t{config}"
    assert rows["api.listen"] == "127.0.0.1:8000\tdefault"
    data = json.loads(run("config", "show", "-c", str(config), "--origin", "--json").stdout)
    assert {"path": "mode", "value": "demo", "origin": "default"} in data


def test_the_shown_json_holds_decimals_as_text(config: Path) -> None:
    data = json.loads(run("config", "show", "-c", str(config), "--json").stdout)
    assert data["execution"]["sim_alpha"]["balances"] == {"usdt": "1000", "btc": "0"}


def test_the_schema_is_json(config: Path) -> None:
    schema = json.loads(run("config", "schema").stdout)
    assert schema["title"] == "Tradebus configuration"
    assert schema["additionalProperties"] is False


def test_the_command_runs_as_a_module(config: Path) -> None:
    command = [sys.executable, "-m", "tradebus.cli", "config", "validate", "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "valid: mode demo with 1 instrument\n"


def test_missing_libraries_are_named_with_what_to_install(config: Path) -> None:
    code = "import sys; sys.modules['typer'] = None; from tradebus.cli.entry import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "`tradebus` needs the module `typer`: pip install 'tradebus[cli]'\n"
