"""`python -m services.up` as a person uses it: the demo trades at once, stays small and stops in order."""

import json
import re
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from services.runtime.ports import free_ports
from tests.integration.supervisor.conftest import Started, is_gone, wait_until

FIRST_FILL_S = 10.0
"""Promised from the services' start; measured here from the start of everything, NATS included."""
MEMORY_BYTES_MAX = 600 * 1024 * 1024


class Demo:
    def __init__(self, tmp_path: Path) -> None:
        api, nats, grpc = free_ports(3)
        self.api_url = f"http://127.0.0.1:{api}"
        self.data = tmp_path / "data"
        self._said = tmp_path / "said.txt"
        settings = {
            "api.listen": f"127.0.0.1:{api}",
            "api.grpc_listen": f"127.0.0.1:{grpc}",
            "nats.url": f"nats://127.0.0.1:{nats}",
            "runtime.data_dir": str(self.data),
        }
        self.flags = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]

    @property
    def said(self) -> str:
        return self._said.read_text()

    def rows(self, path: str) -> list[Any]:
        """Return the data of an answer, nothing while nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.api_url}{path}", timeout=5) as answer:  # noqa: S310 - http, see above
                data = json.load(answer)["data"]
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return []
        return data if isinstance(data, list) else []


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


def memory_bytes(pids: list[int]) -> int:
    """Return what processes hold together; what they share counts once."""
    return sum(psutil.Process(pid).memory_full_info().pss for pid in pids)


def test_the_demo_fills_its_first_order_soon_stays_small_and_stops_in_order(started: Started, demo: Demo) -> None:
    began = time.monotonic()
    with started("-m", "services.up", *demo.flags) as process:
        wait_until(lambda: process.poll() is not None or demo.rows("/v1/trades"), timeout_s=60)
        seconds = time.monotonic() - began
        assert process.poll() is None, demo.said
        wait_until(lambda: "tradebus  up" in demo.said)
        children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert len(children) == 5
        held = memory_bytes([process.pid, *children])
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    summary = re.search(r"summary +([\d,]+) events, ([\d,]+) orders, ([\d,]+) fills, sequence ([\d,]+)", demo.said)
    assert summary is not None, demo.said
    events, orders, fills, sequence = (int(text.replace(",", "")) for text in summary.groups())
    assert fills > 0
    assert fills <= sequence
    assert 0 < orders < sequence
    assert 0 < events < sequence
    assert all(is_gone(pid) for pid in children)
    assert held < MEMORY_BYTES_MAX
    assert seconds < FIRST_FILL_S


def test_a_wrong_configuration_starts_nothing_and_ends_with_3(started: Started, demo: Demo) -> None:
    with started("-m", "services.up", *demo.flags, "--set", "engine.id=NO", TRADEBUS__NATS__EMBEDED="yes") as process:
        assert process.wait(20) == 3
    assert demo.said.startswith("configuration: 2 problems, nothing started\n")
    assert "flag --set: engine.id: expected" in demo.said
    assert "TRADEBUS__NATS__EMBEDED: nats.embeded: " in demo.said
    assert not demo.data.exists()


def test_make_s_variables_are_understood(started: Started, demo: Demo) -> None:
    with started("-m", "services.up", *demo.flags, MODE="life") as process:
        assert process.wait(20) == 3
    assert "mode: expected `demo`, `replay`, `paper` or `live`, found 'life'" in demo.said


def test_stopping_what_does_not_run_is_no_error(started: Started, demo: Demo) -> None:
    for flag in ("--stop", "--down"):
        with started("-m", "services.up", flag, *demo.flags) as process:
            assert process.wait(20) == 0
        assert f"nothing is running in {demo.data}" in demo.said
