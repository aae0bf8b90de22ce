"""The composed system in containers: built, healthy, trading, within its sizes, and gone without a trace.

Needs a Docker engine with Compose v2. Where there is none, or where the base images cannot be had, these tests skip and
say why; with ``TRADEBUS_REQUIRE_DOCKER=1`` that is a failure.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = f"tradebus-test-{os.getpid()}"
SERVICES = ("market", "engine", "execution", "audit")
BASE_IMAGES = (os.environ.get("BASE_IMAGE", "python:3.13-slim-trixie"), "nats:2.15.1-alpine")
OURS = f"label=com.docker.compose.project={PROJECT}"
MEBIBYTE = 1024 * 1024
MEMORY_BYTES_MAX = 600 * MEBIBYTE
TICKS_MORE = 200
MOVED_S = 10.0
ACCOUNTS = 2
CHECK = ROOT / "tests" / "support" / "container_check.py"
ASK_STATUS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/status', timeout=2).read().decode())"
IMAGE_BYTES_MAX = {"audit": 400_000_000}
IMAGE_BYTES_MAX_OTHERWISE = 250_000_000

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1500)]


def docker(*arguments: str, timeout_s: float = 120, stdin: str | None = None, **environment: str) -> str:
    """Run the docker client in the checkout; return what it prints. A failure shows what it said."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"docker {' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def obstacle() -> str | None:
    """Say what keeps these tests from running here; None when nothing does."""
    if shutil.which("docker") is None:
        return "there is no docker client"
    for question in (("info",), ("compose", "version")):
        try:
            docker(*question)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return f"no Docker engine with Compose: {str(error).strip().splitlines()[-1]}"
    for image in BASE_IMAGES:
        try:
            docker("image", "inspect", image)
        except AssertionError:
            try:
                docker("pull", "--quiet", image, timeout_s=300)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                return f"the image {image} is not here and cannot be pulled: {str(error).strip().splitlines()[-1]}"
    return None


class Stack:
    """The project while it runs: its containers, and the API on a port of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def compose(self, *arguments: str, timeout_s: float = 120, stdin: str | None = None) -> str:
        """Run docker compose for this project."""
        return docker(
            "compose",
            "-p",
            PROJECT,
            *arguments,
            timeout_s=timeout_s,
            stdin=stdin,
            TRADEBUS_API_PORT=str(self.port),
            TRADEBUS_MODE="demo",
        )

    def get(self, path: str) -> Any:
        """Return the decoded answer of the API to a GET."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def state(self) -> dict[str, Any]:
        """Return what the API says of the state, nothing while it does not answer."""
        try:
            found = self.get("/v1/state")
        except (OSError, ValueError):
            return {}
        assert isinstance(found, dict)
        return found

    def is_equal_behind(self, sequence: int) -> bool:
        """Tell whether engine and replica agreed on a tick behind one; fail when they differ."""
        verification = self.state().get("verification", {"equal": None, "sequence": None})
        assert verification["equal"] is not False, verification
        return bool(verification["equal"]) and int(verification["sequence"]) > sequence

    def kill(self, container: dict[str, Any]) -> None:
        """Kill the process in a container from outside it, as the kernel would: Docker is not told."""
        program = f"import os; os.kill({container['State']['Pid']}, 9)"
        image = self.container("engine")["Image"]
        docker("run", "--rm", "--pid=host", "--network=none", "--user=0", image, "python", "-c", program)

    def restarts(self, container: dict[str, Any]) -> int:
        """Return how often Docker has started a container again."""
        (found,) = json.loads(docker("inspect", container["Id"]))
        return int(found["RestartCount"])

    def owners(self) -> dict[str, str]:
        """Return the container that owns each account, as the replicas of the execution service say."""
        found: dict[str, str] = {}
        for container in self.compose("ps", "-q", "execution").split():
            try:
                status = json.loads(docker("exec", container, "python", "-c", ASK_STATUS))
            except AssertionError:
                continue  # it is not there any more, or not yet
            accounts = status["data"].get("accounts", {})
            found |= {name: container for name, account in accounts.items() if account["is_owned"]}
        return found

    def check_fills(self, more_than: int = -1) -> int:
        """Check that no fill is lost or doubled; return how many there are."""
        found = json.loads(self.compose("exec", "-T", "audit", "python", "-", stdin=CHECK.read_text()))
        assert found["fills"] > more_than, found
        assert not found["told_twice"], found
        assert not found["taken_twice"], found
        assert not found["not_taken"], found
        return int(found["fills"])

    def container(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of the one container of a service."""
        identifiers = self.compose("ps", "-q", service).split()
        assert len(identifiers) == 1, f"expected one container of {service}, found {identifiers}"
        (found,) = json.loads(docker("inspect", *identifiers))
        assert isinstance(found, dict)
        return found


def remains() -> dict[str, str]:
    """Return the names of what is left of the project, by kind; empty when nothing is."""
    left = {
        "containers": docker("ps", "-a", "--filter", OURS, "--format", "{{.Names}}"),
        "volumes": docker("volume", "ls", "--filter", OURS, "--format", "{{.Name}}"),
        "networks": docker("network", "ls", "--filter", OURS, "--format", "{{.Name}}"),
    }
    return {kind: names for kind, names in left.items() if names.strip()}


def free_port() -> int:
    """Return a port of loopback that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def memory_bytes(text: str) -> float:
    """Return the bytes that docker writes as `87.5MiB`."""
    number = text.rstrip("KMGiB")
    return float(number) * {"B": 1, "KiB": 1024, "MiB": MEBIBYTE, "GiB": 1024 * MEBIBYTE}[text.removeprefix(number)]


def wait_for(what: str, ask: Callable[[], object], limit_s: float) -> None:
    """Ask until the answer is true."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if ask():
            return
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {limit_s} s")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The running project, healthy; taken down afterwards, volumes included."""
    reason = obstacle()
    if reason is not None:
        if os.environ.get("TRADEBUS_REQUIRE_DOCKER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    running = Stack(free_port())
    try:
        running.compose("build", timeout_s=1200)
        try:
            running.compose("up", "-d", "--wait", "--wait-timeout", "90", timeout_s=150)
        except AssertionError as error:
            state = running.compose("ps", "-a") + running.compose(
                "--ansi", "never", "logs", "--no-color", "--tail", "60"
            )
            raise AssertionError(f"{error}\n{state}") from None
        yield running
    finally:
        running.compose("down", "-v", "--timeout", "30")


def test_state_is_served_with_data(stack: Stack) -> None:
    answer = stack.get("/v1/state")
    assert answer["mode"] == "demo"
    assert answer["data"]["instruments"]
    first = answer["sequence"]
    wait_for("the replica goes on", lambda: stack.get("/v1/state")["sequence"] > first, limit_s=15)


def test_demo_trades(stack: Stack) -> None:
    wait_for("a fill in /v1/trades", lambda: stack.get("/v1/trades")["data"], limit_s=30)


def test_every_container_is_healthy_and_confined(stack: Stack) -> None:
    for service in ("nats", *SERVICES):
        container = stack.container(service)
        host = container["HostConfig"]
        assert container["State"]["Health"]["Status"] == "healthy", service
        assert container["RestartCount"] == 0, service
        assert container["Config"]["User"] not in {"", "0", "root"}, service
        assert host["ReadonlyRootfs"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "5", "max-size": "10m"}}, service
        assert 0 < host["Memory"] <= MEMORY_BYTES_MAX, service


def test_nothing_but_rest_and_grpc_is_published_and_only_on_loopback(stack: Stack) -> None:
    published = {
        (service, inside, where["HostIp"])
        for service in ("nats", *SERVICES)
        for inside, hosts in stack.container(service)["HostConfig"]["PortBindings"].items()
        for where in hosts
    }
    assert published == {("audit", "8000/tcp", "127.0.0.1"), ("audit", "50051/tcp", "127.0.0.1")}


def test_memory_of_the_whole_demo_stays_within_its_size(stack: Stack) -> None:
    containers = [str(stack.container(service)["Id"]) for service in ("nats", *SERVICES)]
    lines = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *containers).splitlines()
    assert len(lines) == len(containers)
    assert sum(memory_bytes(line.split()[1]) for line in lines) <= MEMORY_BYTES_MAX, lines


def test_images_stay_within_their_sizes(stack: Stack) -> None:
    for service in SERVICES:
        (image,) = json.loads(docker("image", "inspect", stack.container(service)["Image"]))
        assert image["Size"] <= IMAGE_BYTES_MAX.get(service, IMAGE_BYTES_MAX_OTHERWISE), service


def test_images_hold_a_compiled_core(stack: Stack) -> None:
    program = "from tradebus.core._compiled import COMPILED; print(COMPILED)"
    for service in SERVICES:
        assert stack.compose("exec", "-T", service, "python", "-c", program).strip() == "True", service


@pytest.mark.parametrize("service", ["market", "engine", "execution", "audit", "nats"])
def test_a_killed_process_is_started_again_and_the_demo_goes_on(stack: Stack, service: str) -> None:
    before = stack.state()
    killed = stack.container(service)
    stack.kill(killed)

    wait_for(
        f"{service} is started again",
        lambda: stack.restarts(killed) > int(killed["RestartCount"]),
        limit_s=60,
    )
    wait_for(
        "the replica goes on, and is the engine's state",
        lambda: stack.is_equal_behind(int(before["sequence"]) + TICKS_MORE),
        limit_s=60,
    )


def test_replicas_share_the_accounts_and_those_of_a_killed_one_move(stack: Stack) -> None:
    """Behind the kills: no fill may have been lost or doubled by them either."""
    stack.compose("up", "-d", "--no-build", "--no-recreate", "--scale", "execution=3")
    try:
        wait_for(
            "each account has an owner of its own, and one of three stands by",
            lambda: len(set(stack.owners().values())) == ACCOUNTS,
            limit_s=60,
        )
        owners = stack.owners()
        fills = stack.check_fills(more_than=0)
        account, owner = min(owners.items())
        begun = time.monotonic()
        docker("kill", owner)
        wait_for(
            f"{account} moves to another replica",
            lambda: stack.owners().get(account, owner) != owner,
            limit_s=MOVED_S - (time.monotonic() - begun),
        )
        wait_for("there are fills again", lambda: stack.check_fills() > fills, limit_s=60)
        wait_for("the replica is the engine's state", lambda: stack.is_equal_behind(0), limit_s=15)
    finally:
        stack.compose("up", "-d", "--no-build", "--no-recreate", "--scale", "execution=1")


def test_stop_is_ordered_and_leaves_nothing(stack: Stack) -> None:
    """The last test of the module: afterwards there is no stack."""
    containers = {service: stack.container(service)["Id"] for service in SERVICES}
    stack.compose("stop", timeout_s=90)
    for service, identifier in containers.items():
        (container,) = json.loads(docker("inspect", identifier))
        assert container["State"]["ExitCode"] == 0, f"{service} ended with {container['State']['ExitCode']}"
    stack.compose("down", "-v")
    assert remains() == {}
