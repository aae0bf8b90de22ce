"""Every line of a log is one JSON object that says when, how bad, who and what."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.runtime.logs import configure_logs


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_our_lines_and_the_libraries_look_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", service="market", instance="m-1", mode="demo")
    structlog.stdlib.get_logger("market").info("connected", server="a", price=object)
    logging.getLogger("some.library").warning("%s is odd", "this")
    structlog.stdlib.get_logger("market").debug("not shown")
    ours, theirs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(ours)[:6] == ["time", "level", "service", "instance", "mode", "event"]
    assert ours["event"] == "connected"
    assert ours["server"] == "a"
    assert ours["time"].endswith("Z")
    assert (theirs["level"], theirs["service"], theirs["event"]) == ("warning", "market", "this is odd")
    assert theirs["logger"] == "some.library"


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", service="audit", instance="a-1", mode="demo")
    try:
        int("broken")
    except ValueError:
        structlog.stdlib.get_logger("audit").exception("failed")
    (line,) = capsys.readouterr().out.splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error"
    assert entry["exception"].endswith("ValueError: invalid literal for int() with base 10: 'broken'")


async def test_lines_from_callbacks_say_who_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json", service="engine", instance="e-1", mode="paper")
    said = asyncio.Event()

    def speak() -> None:
        structlog.stdlib.get_logger("engine").info("from a callback")
        said.set()

    asyncio.get_running_loop().call_soon(speak)
    await said.wait()
    entry = json.loads(capsys.readouterr().out)
    assert (entry["service"], entry["instance"], entry["mode"]) == ("engine", "e-1", "paper")


def test_console_lines_are_for_reading(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("debug", "console", service="engine", instance="e-1", mode="paper")
    structlog.stdlib.get_logger("engine").debug("hello", a=1)
    out = capsys.readouterr().out
    assert "hello" in out
    assert not out.startswith("{")
