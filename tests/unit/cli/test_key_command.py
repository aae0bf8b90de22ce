"""`tradebus key`: the key alone on stdout, what is kept in the file, the documented exit codes."""

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tradebus.access import KeyFile, Role
from tradebus.cli.app import app


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access" / "keys.json"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["key", *arguments])


def test_key_is_made_listed_and_revoked(file: Path) -> None:
    made = run("new", "alice", "--role", "operator", "--days", "30", "--file", str(file))
    assert made.exit_code == 0, made.output
    text = made.stdout.strip()
    (key,) = KeyFile(file).read().values()
    assert (key.name, key.role, key.is_of(text)) == ("alice", Role.OPERATOR, True)
    assert key.expires_ns == key.created_ns + 30 * 86_400 * 10**9
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert text not in made.stderr
    listed = json.loads(run("list", "--json", "--file", str(file)).stdout)
    assert [(row["id"], row["role"], row["last_used"], row["revoked"]) for row in listed] == [
        (key.id, "operator", None, None)
    ]
    assert text not in json.dumps(listed)
    assert run("revoke", key.id, "--file", str(file)).exit_code == 0
    assert json.loads(run("list", "--json", "--file", str(file)).stdout)[0]["revoked"]
    assert run("revoke", "00000000", "--file", str(file)).exit_code == 1


def test_wrong_names_and_files_are_refused_with_words(file: Path) -> None:
    bad = run("new", "bad\nname", "--file", str(file))
    assert bad.exit_code == 2
    assert "1 to 64 letters" in bad.output.replace("│", "").replace("\n", " ")
    assert run("new", "a", "--role", "owner", "--file", str(file)).exit_code == 2
    file.parent.mkdir(exist_ok=True)
    file.write_text("{}")
    damaged = run("list", "--file", str(file))
    assert damaged.exit_code == 1
    assert "expected a file of API keys" in damaged.stderr


def test_file_is_the_one_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEBUS__RUNTIME__DATA_DIR", str(tmp_path))
    root = Path(__file__).resolve().parents[3]
    assert run("new", "alice", "--config", str(root / "config" / "tradebus.toml")).exit_code == 0
    assert len(KeyFile(tmp_path / "access" / "keys.json").read()) == 1
