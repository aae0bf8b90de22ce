"""Logs stay bounded, and their last lines can be read by a person."""

import json
from pathlib import Path

from services.supervisor.logfiles import last_error, rotate, tail


def test_a_log_is_cut_when_it_has_grown_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "market.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"first\n")
        assert not rotate(path, bytes_max=6)
        writer.write(b"second\n")
        assert rotate(path, bytes_max=6)
        writer.write(b"third\n")
    assert path.read_text() == "third\n"
    assert (tmp_path / "market.log.1").read_text() == "first\nsecond\n"
    assert not rotate(tmp_path / "none.log")


def test_the_tail_says_json_lines_in_words(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    identity = {"time": "t", "service": "engine", "instance": "e-1", "mode": "demo"}
    lines = [
        "plain words",
        json.dumps({**identity, "level": "info", "event": "state", "state": "ready"}),
        json.dumps({**identity, "level": "error", "event": "failed", "exception": "Traceback:\n  x\nValueError: bad"}),
        "[1, 2]",
        '{"no": "event"}',
    ]
    path.write_text("\n".join(lines) + "\n")
    assert tail(path, 10) == [
        "plain words",
        "info: state | state=ready",
        "error: failed | ValueError: bad",
        "[1, 2]",
        '{"no": "event"}',
    ]
    assert tail(path, 1) == ['{"no": "event"}']
    assert tail(path, 10, begin=len("plain words\n"))[0].startswith("info")
    assert len(tail(path, 10, begin=10**9)) == 5, "a log that was cut is read from its beginning"
    assert tail(tmp_path / "none.log", 3) == []


def test_the_last_error_is_what_ended_a_service_and_not_what_it_said_while_stopping(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    lines = [
        json.dumps({"level": "error", "event": "failed, stopping", "reason": "message 7 of AUDIT_demo: chain broken"}),
        json.dumps({"level": "warning", "event": "late"}),
        json.dumps({"level": "info", "event": "state", "state": "stopped"}),
    ]
    path.write_text("\n".join(lines) + "\n")
    assert last_error(path) == "error: failed, stopping | reason=message 7 of AUDIT_demo: chain broken"
    assert last_error(path, begin=len(lines[0])) == "info: state | state=stopped"
    path.write_text("Traceback:\n  x\nImportError: no engine\n")
    assert last_error(path) == "ImportError: no engine"
    assert last_error(tmp_path / "none.log") == ""


def test_the_tail_of_a_long_log_is_its_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert tail(path, 2) == ["line 99998", "line 99999"]
