"""Replay damaged recordings, and one among noise on the bus: every good line counts, and what was bad is told."""

import asyncio
import gzip
import json
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

from services.engine.started import engine_started
from services.market.recording import read_recordings
from services.replaying.run import run_replay
from services.replaying.settings import replay_settings
from tests.support.attack import Intruder
from tests.support.demo import PATIENCE_S, ROOT
from tests.support.recordings import START_NS, line, recording, ticker, trade
from tests.support.system import until
from tradebus import backtest
from tradebus.wire import subjects

EVENTS = 2_000


def lines_of(symbol: str, count: int) -> list[bytes]:
    """Return a recording of so many events, books and trades in turn, around a price that goes up and down."""
    made: list[bytes] = []
    for number in range(1, count + 1):
        cents = 10_000 + 500 * abs(number % 100 - 50) // 10
        frame = (
            trade(symbol, number, f"{cents / 100:.2f}", "0.5", sell=number % 4 == 1)
            if number % 2
            else ticker(symbol, number, f"{(cents - 5) / 100:.2f}", f"{(cents + 5) / 100:.2f}")
        )
        made.append(line(START_NS + number * 50_000_000, frame))
    return made


def whole_lines(cut: bytes) -> int:
    """Return how many whole lines can be had of a gzip file that ends too soon."""
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(cut).count(b"\n")


def test_damaged_gzip_files_give_every_good_line_and_a_status_that_says_so(tmp_path: Path) -> None:
    # One file is whole; the other holds garbage and ends too soon.
    whole = recording(tmp_path / "binance-spot-whole.gz", lines_of("BTCUSDT", 300))
    made = lines_of("ETHUSDT", 600)
    made[200] = b"\x00\x01\xfe garbage\n"
    made[400] = b"1723161274000000000 {]\n"
    packed = gzip.compress(b"".join(made))
    cut = tmp_path / "binance-spot-cut.gz"
    cut.write_bytes(packed[: len(packed) * 3 // 4])
    readable = whole_lines(cut.read_bytes())
    assert 201 < readable < 600
    bad = 1 + (readable > 400)

    done = subprocess.run(
        [sys.executable, "-m", "services.replay", str(whole), str(cut)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    summary = json.loads(done.stdout.strip().splitlines()[-1])
    assert summary["bad_lines"] >= bad
    assert summary["equal"] is True
    assert summary["fold_equal"] is True
    # What stands behind the last line's end may be an event too, if it is whole but for the end.
    assert 0 <= summary["events"] - (300 + readable - bad) <= 1
    said = re.sub(r"\s+", " ", done.stderr)
    assert "not good: " in said
    folder = Path(said.rpartition("streams and logs: ")[2].strip().replace(" ", ""))
    log = (folder / "logs" / "market.log").read_text()
    shutil.rmtree(folder)
    entries = [json.loads(text) for text in log.splitlines() if text.startswith("{")]
    where = [(entry["file"], entry["line"]) for entry in entries if entry["event"] == "bad line"]
    assert any(file.endswith("binance-spot-cut.gz") and number == 201 for file, number in where), where
    assert any(entry["event"] == "damaged recording" for entry in entries)


async def test_noise_on_the_feed_and_on_the_credit_changes_nothing(tmp_path: Path) -> None:
    file = recording(tmp_path / "binance-spot-made.gz", lines_of("BTCUSDT", EVENTS))
    settings = replay_settings([file], "noise", hash_every_batch=False)
    # Open to anybody, as a server of another kind may be: with users nobody else could make noise there at all.
    settings = settings.model_copy(update={"nats": settings.nats.model_copy(update={"users": False})})
    started = engine_started(settings, "other")
    expected = backtest(read_recordings([file], started.index), started)
    assert expected.fills > 0

    replaying = asyncio.create_task(run_replay(settings, tmp_path / "data", stalled_s=PATIENCE_S))
    written = tmp_path / "data" / "run" / "tradebus.toml"

    async def url() -> str:
        found = re.search(r'^url = "(nats://[^"]+)"', written.read_text(), re.MULTILINE) if written.exists() else None
        return found.group(1) if found else ""

    refused = 0
    async with await Intruder.connect(await until(url, "the broker's address", PATIENCE_S)) as intruder:
        while not replaying.done():
            for subject in (subjects.md_replay(), subjects.flow(settings.journal_id)):
                for payload in (b"", b"\xff\xff", b"\x0a\x05noise"):
                    intruder.publish(subject, payload)
                    refused += 1
            if await intruder.settle():
                break  # the replay is over, and with it the broker
            await asyncio.sleep(0.02)
    outcome = await replaying
    assert refused > 0
    assert outcome.complaints == []
    assert outcome.events == EVENTS
    assert (outcome.digest, outcome.fills) == (expected.digest, expected.fills)
    logs = {name: (tmp_path / "data" / "logs" / f"{name}.log").read_text() for name in ("engine", "market")}
    for name, log in logs.items():
        assert '"event": "unreadable message"' in log, f"{name} says nothing of the noise"
