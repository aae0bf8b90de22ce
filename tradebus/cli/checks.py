"""The checks of `tradebus doctor`: each says what it looked at, how it is, and what to do."""

import asyncio
import json
import platform
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import httpx2
import typer
from rich.text import Text

from tradebus import __version__
from tradebus.cli.output import print_json, stdout
from tradebus.config import Address, ConfigError, ExitCode, Flags, Settings, load
from tradebus.core._compiled import COMPILED

CONNECT_TIMEOUT_S: Final = 2.0
CLOCK_OFFSET_S_MAX: Final = 1.0
DATE_AGE_S_MAX: Final = 2.0
"""The API tells the time in whole seconds, and looks at its clock once a second."""
"""An HTTP date counts whole seconds."""

GIB: Final = 1 << 30
DISK_FREE_GIB_MIN: Final = 2


class Verdict(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


_STYLES: Final = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.WRONG: "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what was found."""

    check: str
    verdict: Verdict
    found: str


def run_checks(config: Path | None, url: str, key: str | None, *, as_json: bool) -> None:
    """Run every check, tell each finding, and end with 1 when something is wrong."""
    findings = list(_findings(config, url, key))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for each in findings:
            words = (f"{each.verdict.value:<8}", _STYLES[each.verdict])
            stdout().print(Text.assemble(words, f"{each.check:<14} {each.found}"))
    if any(each.verdict is Verdict.WRONG for each in findings):
        raise typer.Exit(ExitCode.FAILURE)


def _findings(config: Path | None, url: str, key: str | None) -> Iterator[Finding]:
    yield _versions()
    settings: Settings | None = None
    try:
        settings = load(Flags(config)).settings
    except ConfigError as error:
        yield Finding("configuration", Verdict.WRONG, f"{len(error.problems)} problems; the first: {error.problems[0]}")
    else:
        yield Finding("configuration", Verdict.OK, f"valid, mode {settings.mode.value}")
        yield _disk(settings)
        yield from _ports(settings)
        yield asyncio.run(_nats(settings))
    yield from _api(url, key)


def _versions() -> Finding:
    core = "compiled" if COMPILED else "interpreted"
    found = f"tradebus {__version__}, core {core}, Python {platform.python_version()}"
    return Finding("versions", Verdict.OK if COMPILED else Verdict.WARNING, found)


def _disk(settings: Settings) -> Finding:
    folder = settings.runtime.data_dir.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free / GIB
    verdict = Verdict.OK if free >= DISK_FREE_GIB_MIN else Verdict.WARNING
    return Finding("disk", verdict, f"{free:.1f} GiB free for {folder}")


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = {"api.listen": settings.api.listen, "api.grpc_listen": settings.api.grpc_listen}
    for name, address in wanted.items():
        if address is not None:
            heard = _answers(address)
            found = f"{address}: {'somebody listens' if heard else 'free'}"
            yield Finding("port", Verdict.OK, f"{found} ({name})")


def _answers(address: Address) -> bool:
    host = "127.0.0.1" if address.host == "0.0.0.0" else address.host  # noqa: S104 - compared, not listened on
    try:
        with socket.create_connection((host, address.port), CONNECT_TIMEOUT_S):
            return True
    except OSError:
        return False


async def _nats(settings: Settings) -> Finding:
    """Read what the server says of itself when one connects: no user is needed for that."""
    address = settings.nats.address
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            line = (await reader.readline()).decode(errors="replace")
            writer.close()
    except (OSError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        return Finding("NATS", Verdict.WARNING, f"nobody answers at {settings.nats.url}: {reason}")
    if not line.startswith("INFO "):
        return Finding("NATS", Verdict.WRONG, f"{settings.nats.url}: expected a NATS server, found {line[:40]!r}")

    told = json.loads(line.removeprefix("INFO "))
    has_streams = bool(told.get("jetstream"))
    words = f"{settings.nats.url}: version {told.get('version')}, JetStream {'on' if has_streams else 'OFF'}"
    return Finding("NATS", Verdict.OK if has_streams else Verdict.WRONG, words)


def _api(url: str, key: str | None) -> Iterator[Finding]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=url, timeout=CONNECT_TIMEOUT_S, trust_env=False) as http:
        try:
            begun = time.time()
            ready = http.get("/health/ready")
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
            yield Finding("API", Verdict.WARNING, f"nobody answers at {url}: {reason}")
            return
        yield _ready(url, ready)
        yield clock_finding(ready.headers.get("date"), begun)
        yield _key(http.get("/v1/trading", headers=headers).status_code, key)


def _ready(url: str, answer: httpx2.Response) -> Finding:
    try:
        told = answer.json()
        replica, reasons = told["replica"], told["reasons"]
        words = f"{url}: sequence {replica['sequence']}, {replica['lag_ms']} ms behind"
    except (ValueError, KeyError, TypeError):
        return Finding("API", Verdict.WRONG, f"{url}: expected Tradebus, found {answer.text[:60]!r}")
    if told.get("ready"):
        return Finding("API", Verdict.OK, words)
    why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
    return Finding("API", Verdict.WRONG, f"{words}; not ready: {why}")


def clock_finding(date: str | None, begun: float) -> Finding:
    """Return how our clock, at ``begun`` (seconds since the epoch), agrees with the time that the API told."""
    if date is None:
        return Finding("clock", Verdict.WARNING, "the API told no time to compare with")
    found = begun - parsedate_to_datetime(date).timestamp()
    offset = found - min(max(found, 0.0), DATE_AGE_S_MAX)
    verdict = Verdict.OK if abs(offset) <= CLOCK_OFFSET_S_MAX else Verdict.WRONG
    return Finding("clock", verdict, f"{offset:+.1f} s from the API's, as far as its whole seconds tell")


def _key(status: int, key: str | None) -> Finding:
    if key is None:
        needed = status == httpx2.codes.UNAUTHORIZED
        words = "none given (TRADEBUS_KEY)" + ("; reading needs one here" if needed else "; reading needs none here")
        return Finding("key", Verdict.WARNING if needed else Verdict.OK, words)
    if status in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}:
        return Finding("key", Verdict.WRONG, "the one given is not taken")
    return Finding("key", Verdict.OK, "the one given is taken")
