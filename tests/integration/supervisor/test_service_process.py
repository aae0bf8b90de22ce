"""A service as a process: exit codes, signals, deadlines, and clear words when something is missing."""

import json
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from services.runtime.ports import free_ports
from tests.integration.supervisor.conftest import HERE, Started, fake_environment, wait_until

FAKE = str(HERE / "fake_service.py")


class Fake:
    def __init__(self, tmp_path: Path, config: Path) -> None:
        self._said = tmp_path / "said.txt"
        self.port, nats = free_ports(2)
        self.nats_url = f"nats://127.0.0.1:{nats}"
        self.environment = fake_environment(bus="none") | {
            "TRADEBUS_CONFIG": str(config),
            "TRADEBUS__RUNTIME__HTTP__MARKET": f"127.0.0.1:{self.port}",
            "TRADEBUS__NATS__URL": self.nats_url,
        }

    def behaving(self, behaviour: str, **settings: str) -> dict[str, str]:
        return self.environment | {"FAKE_MARKET": behaviour} | settings

    @property
    def said(self) -> str:
        return self._said.read_text()

    def logged(self, event: str) -> dict[str, object]:
        """Return the newest log line of this event; fail if there is none."""
        lines = [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]
        return next(line for line in reversed(lines) if line["event"] == event)

    def has_logged(self, event: str) -> bool:
        return f'"event": "{event}"' in self.said

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    @property
    def is_ready(self) -> bool:
        return '"state": "ready"' in self.said


@pytest.fixture
def fake(tmp_path: Path, config: Path) -> Fake:
    return Fake(tmp_path, config)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_order_with_0(started: Started, fake: Fake, which: signal.Signals) -> None:
    with started(FAKE, "market", **fake.environment) as process:
        wait_until(lambda: fake.is_ready)
        assert fake.get("/health/ready")[0] == 200
        status = fake.get("/status")[1]
        assert (status["service"], status["mode"], status["pid"]) == ("market", "demo", process.pid)
        process.send_signal(which)
        assert process.wait(10) == 0
    assert fake.logged("stopping")["reason"] == which.name
    assert fake.logged("stopped")["exit_code"] == 0


def test_a_wrong_configuration_ends_with_3_and_every_problem(started: Started, fake: Fake) -> None:
    wrong = {"TRADEBUS__ENGINE__ID": "NO", "TRADEBUS__API__LISTEN": "nowhere"}
    with started(FAKE, "market", **fake.environment, **wrong) as process:
        assert process.wait(10) == 3
    assert "configuration: 2 problems, nothing started" in fake.said
    assert "TRADEBUS__ENGINE__ID: engine.id: expected" in fake.said
    assert "TRADEBUS__API__LISTEN: api.listen: expected host:port" in fake.said


def test_a_port_in_use_ends_with_1_and_says_which_for_what_and_how_to_change_it(started: Started, fake: Fake) -> None:
    with (
        socket.create_server(("127.0.0.1", fake.port)),
        started(FAKE, "market", **fake.environment) as process,
    ):
        assert process.wait(10) == 1
    reason = str(fake.logged("cannot listen")["reason"])
    assert reason.startswith(f"port {fake.port} is already in use; it is for health and metrics of market.")
    assert "TRADEBUS__RUNTIME__HTTP__MARKET" in reason


def test_an_absent_nats_is_waited_for_and_said_in_log_and_health(started: Started, fake: Fake) -> None:
    with started(FAKE, "market", **(fake.environment | {"FAKE_BUS": "nats"})) as process:
        wait_until(lambda: fake.has_logged("NATS not reachable, retrying"))
        code, body = fake.get("/health/ready")
        assert code == 503
        assert body["reasons"] == {"bus": f"NATS not reachable at {fake.nats_url}, retrying"}
        assert fake.get("/health/live")[0] == 200
        process.terminate()
        assert process.wait(10) == 0
    assert fake.has_logged("stopped while starting")


def test_a_failed_start_ends_with_1_and_one_clear_line(started: Started, fake: Fake, tmp_path: Path) -> None:
    with started(FAKE, "market", **fake.behaving(f"crash until {tmp_path / 'never'}")) as process:
        assert process.wait(20) == 1
    entry = fake.logged("could not start")
    assert str(entry["exception"]).endswith("RuntimeError: this fake cannot start yet")
    assert fake.said.count("Traceback") == 1


def test_a_failed_stop_ends_with_1_and_says_so(started: Started, fake: Fake) -> None:
    with started(FAKE, "market", **fake.behaving("stop fails")) as process:
        wait_until(lambda: fake.is_ready)
        process.terminate()
        assert process.wait(10) == 1
    assert fake.has_logged("stop failed")


def test_a_stop_has_a_deadline(started: Started, fake: Fake) -> None:
    quick = {"TRADEBUS__RUNTIME__STOP_TIMEOUT_MS": "100"}
    with started(FAKE, "market", **fake.behaving("never stops"), **quick) as process:
        wait_until(lambda: fake.is_ready)
        process.terminate()
        assert process.wait(10) == 1
    assert fake.has_logged("not stopped in time, ending anyway")


def test_even_a_blocked_loop_ends_after_the_deadline(started: Started, fake: Fake) -> None:
    quick = {"TRADEBUS__RUNTIME__STOP_TIMEOUT_MS": "100"}
    with started(FAKE, "market", **fake.behaving("blocks"), **quick) as process:
        wait_until(lambda: fake.is_ready)
        process.terminate()
        assert process.wait(10) == 1


def test_a_second_signal_ends_at_once(started: Started, fake: Fake) -> None:
    with started(FAKE, "market", **fake.behaving("never stops")) as process:
        wait_until(lambda: fake.is_ready)
        process.terminate()
        wait_until(lambda: fake.has_logged("stopping"))
        process.terminate()
        assert process.wait(5) == 128 + signal.SIGTERM
    assert fake.has_logged("second signal, ending at once")
