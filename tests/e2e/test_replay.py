"""Replay recordings through NATS and the four services, as `make replay` does."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.engine.started import engine_started
from services.market.recording import read_recordings
from services.replay import main
from services.replaying.settings import replay_settings
from services.supervisor import Program
from tests.support.recordings import START_NS, line, recording, ticker, trade
from tradebus import backtest

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT.parent / "shared" / "data" / "recordings"
BTC = RECORDINGS / "binance-spot-btcusdt-20240808.gz"
ETH = RECORDINGS / "binance-spot-ethusdt-20240808.gz"
SAME = ("events", "skipped", "orders", "cancels", "fills", "pnl_realised", "engine_hash", "replica_hash", "digest")

recorded = pytest.mark.skipif(not BTC.is_file(), reason="the real recordings are not beside the checkout")


def made_lines(count: int) -> list[bytes]:
    """Return a recording in which prices go up and down, so that both strategies trade: books and trades in turn."""
    lines: list[bytes] = []
    for number in range(1, count + 1):
        price = 100 + 10 * math.sin(number / 60)
        frame = (
            trade("BTCUSDT", number, f"{price:.2f}", "0.5", sell=number % 4 == 1)
            if number % 2
            else ticker("BTCUSDT", number, f"{price - 0.05:.2f}", f"{price + 0.05:.2f}")
        )
        lines.append(line(START_NS + number * 50_000_000, frame))
    return lines


def replay(*arguments: object) -> tuple[int, dict[str, Any], str]:
    """Return exit code, the summary's JSON object, and everything said on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "services.replay", *map(str, arguments)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=180,
    )
    lines = done.stdout.strip().splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr


@recorded
def test_two_real_recordings_give_the_same_result_twice_and_the_same_digest_as_a_backtest() -> None:
    code, first, talk = replay(BTC, ETH)
    assert code == 0, talk
    assert first["events"] == 37_797 + 30_183
    assert first["skipped"] == {"depth": 6_885, "depth_snapshot": 2}
    assert first["equal"] is True
    assert first["fold_equal"] is True
    assert first["engine_sequence"] == first["replica_sequence"]
    assert first["fills"] >= 50
    assert first["cancels"] > 0

    code, second, talk = replay(BTC, ETH, "--hash-every-batch")
    assert code == 0, talk
    assert {name: second[name] for name in SAME} == {name: first[name] for name in SAME}

    settings = replay_settings([BTC, ETH], "other", hash_every_batch=False)
    started = engine_started(settings, "other")
    result = backtest(read_recordings([BTC, ETH], started.index), started)
    assert result.digest == first["digest"]
    assert (result.orders, result.cancels, result.fills) == (first["orders"], first["cancels"], first["fills"])
    state_hash = result.hash
    assert f"{state_hash.version}:{state_hash.core}:{state_hash.user}" == first["engine_hash"]
    fills_by_instrument = [state.exits.count for state in result.state.instruments]
    assert all(count > 0 for count in fills_by_instrument)


@recorded
@pytest.mark.parametrize(("file", "events"), [(BTC, 37_797), (ETH, 30_183)])
def test_one_real_recording_gives_its_number_of_events(file: Path, events: int) -> None:
    code, summary, talk = replay(file)
    assert code == 0, talk
    assert summary["events"] == events
    assert summary["equal"] is True


def test_a_made_recording_trades_with_both_strategies_and_agrees(tmp_path: Path) -> None:
    file = recording(tmp_path / "binance-spot-made.gz", made_lines(3_000))
    code, summary, talk = replay(file)
    assert code == 0, talk
    assert summary["events"] == 3_000
    assert summary["fills"] > 10
    settings = replay_settings([file], "other", hash_every_batch=False)
    started = engine_started(settings, "other")
    assert backtest(read_recordings([file], started.index), started).digest == summary["digest"]


def test_a_damaged_recording_gives_every_good_line_and_says_what_was_bad(tmp_path: Path) -> None:
    lines = made_lines(400)
    lines[100] = b"not a time {}\n"
    lines[200] = lines[200][: len(lines[200]) // 2] + b"\n"
    lines[-1] = lines[-1][:-20]
    code, summary, talk = replay(recording(tmp_path / "binance-spot-made.txt", lines))
    assert code == 1
    assert summary["events"] == 397
    assert summary["bad_lines"] == 3
    assert summary["equal"] is True
    assert "3 lines" in talk


def test_one_decimal_changed_inside_the_audit_service_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recording(tmp_path / "binance-spot-made.txt", made_lines(600))
    tampered = Program("audit", (sys.executable, "-m", "tests.support.tampered_audit"))
    honest = [Program(name) for name in ("market", "engine", "execution")]
    code = main([str(file)], programs=(*honest, tampered))
    summary = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert summary["equal"] is False
    assert summary["engine_hash"] != summary["replica_hash"]
    assert code == 1


def test_a_missing_file_is_refused_before_anything_starts(tmp_path: Path) -> None:
    code, summary, talk = replay(tmp_path / "binance-spot-none.gz")
    assert (code, summary) == (2, {})
    assert "no such recording" in talk
