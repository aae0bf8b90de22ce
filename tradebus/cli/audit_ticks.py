"""`tradebus audit export`, `tail` and `get`: the journal tick by tick."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from rich.text import Text

from tradebus.cli.audit_source import Source, Unusable, number, opened
from tradebus.cli.output import print_json, stderr, stdout
from tradebus.config import ExitCode
from tradebus.journal.source import first_tick, follow, last_tick, one_tick, tick_at_time, ticks_from
from tradebus.wire.codec.shown import kind_of_tick, tick_as_data

_NS: Final = 1_000_000_000
_LINE_CHARACTERS: Final = 96


async def export(
    archive: Path | None,
    nats: str | None,
    engine: str | None,
    bounds: tuple[int | None, int | None],
    times: tuple[str | None, str | None],
    output: Path | None,
) -> int:
    """Write ticks as NDJSON; return 0, or 1 when not all of them were to be had."""
    async with opened(archive, nats, engine) as source:
        first, last = await _range(source, bounds, times)
        count = 0
        with _writing(output) as file:
            async for sequence, encoded in _ticks(source, first):
                if sequence > last:
                    break
                file.write(_line(encoded) + "\n")
                count += 1
        if output is not None:
            stderr().print(f"{number(count)} ticks, {number(first)} to {number(first + count - 1)}, in {output}")
        if first + count <= last:
            raise Unusable(f"find tick {first + count}: it is neither in the archive nor in the stream")
    return ExitCode.OK


async def tail(
    archive: Path | None, nats: str | None, engine: str | None, count: int, *, is_followed: bool, as_json: bool
) -> int:
    """Print the last ticks, and then those that come."""
    async with opened(archive, nats, engine) as source:
        newest = await last_tick(source.archive, source.bus, source.stream)
        first = max(newest - count + 1, await first_tick(source.archive, source.bus, source.stream))
        ticks = follow(source.archive, source.bus, source.stream, first) if is_followed else _ticks(source, first)
        async for sequence, encoded in ticks:
            if sequence > newest and not is_followed:
                break  # it came while we read
            _print(encoded, as_json=as_json)
    return ExitCode.OK


async def get(archive: Path | None, nats: str | None, engine: str | None, sequence: int) -> int:
    """Print one tick."""
    async with opened(archive, nats, engine) as source:
        found = await one_tick(source.archive, source.bus, source.stream, sequence)
        if found is None:
            newest = await last_tick(source.archive, source.bus, source.stream)
            oldest = await first_tick(source.archive, source.bus, source.stream)
            raise Unusable(f"find tick {number(sequence)}: there are {number(oldest)} to {number(newest)}")
        print_json(_shown(found))
    return ExitCode.OK


def _ticks(source: Source, first: int) -> AsyncIterator[tuple[int, bytes]]:
    return ticks_from(source.archive, source.bus, source.stream, first)


async def _range(
    source: Source, bounds: tuple[int | None, int | None], times: tuple[str | None, str | None]
) -> tuple[int, int]:
    """Return the first and last tick that were asked for, by number, by time, or all."""
    first, last = bounds
    since, until = times
    if since is not None:
        first = await tick_at_time(source.archive, source.bus, source.stream, time_ns_of(since))
    if until is not None:
        last = await tick_at_time(source.archive, source.bus, source.stream, time_ns_of(until)) - 1
    if first is None:
        first = await first_tick(source.archive, source.bus, source.stream)
    if last is None:
        last = await last_tick(source.archive, source.bus, source.stream)
    return first, last


def time_ns_of(text: str) -> int:
    """Return a moment as nanoseconds since the epoch: ISO 8601, UTC unless it says otherwise. Raises Unusable."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Unusable(f"read {text!r} as a time: expected 2026-11-22T13:00:00, say", ExitCode.USAGE) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _NS + moment.microsecond * 1_000


def time_text(time_ns: int) -> str:
    """Return a time as ISO 8601 in UTC, to the nanosecond."""
    seconds, rest = divmod(time_ns, _NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _shown(encoded: bytes) -> dict[str, Any]:
    data = tick_as_data(encoded)
    sequence, time_ns = data.pop("sequence"), data.pop("time_ns")
    return {"sequence": sequence, "time": time_text(time_ns), "time_ns": time_ns, **data}


def _line(encoded: bytes) -> str:
    return json.dumps(_shown(encoded), ensure_ascii=False, separators=(",", ":"))


def _print(encoded: bytes, *, as_json: bool) -> None:
    """Print a tick: a line for people on a terminal, a line of JSON elsewhere."""
    if as_json or not sys.stdout.isatty():
        sys.stdout.write(_line(encoded) + "\n")
        sys.stdout.flush()
        return
    data = tick_as_data(encoded)
    kind = kind_of_tick(encoded)
    outputs = [name for each in data.get("outputs", []) for name in each]
    time = time_text(data["time_ns"])[11:26]
    text = Text.assemble((f"{number(data['sequence']):>14}", "bold"), f"  {time}  ", (f"{kind:<20}", "cyan"))
    content = json.dumps(data.get(kind, {}), ensure_ascii=False, separators=(",", ":"))
    text.append(content if len(content) <= _LINE_CHARACTERS else content[: _LINE_CHARACTERS - 1] + "…", "dim")
    if outputs:
        text.append("  → " + ", ".join(outputs), "yellow")
    stdout().print(text)


@contextmanager
def _writing(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    with output.open("w", encoding="utf-8") as file:
        yield file
