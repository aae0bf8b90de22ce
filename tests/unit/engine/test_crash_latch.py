"""The record of an engine's starts, on disk."""

from pathlib import Path

import pytest

from services.engine.crash_latch import CrashFileDamaged, CrashLatch

S = 1_000_000_000


def latch(folder: Path) -> CrashLatch:
    """Return what a new process makes of the file."""
    return CrashLatch(folder / "engine" / "demo.starts.json", 3, 300)


def crash_at(folder: Path, *times_s: int) -> bool:
    """Start at each of these times, and end without an ordered stop; return whether the last start was halted."""
    return [latch(folder).begin(time_s * S) for time_s in times_s][-1]


def test_three_crashes_in_five_minutes_halt_the_next_start(tmp_path: Path) -> None:
    assert not crash_at(tmp_path, 0, 100, 200)
    assert crash_at(tmp_path, 299)


def test_crashes_further_apart_do_not(tmp_path: Path) -> None:
    assert not crash_at(tmp_path, 0, 200, 400, 600, 800, 1_000)


def test_an_ordered_stop_is_no_crash(tmp_path: Path) -> None:
    for time_s in range(10):
        ordered = latch(tmp_path)
        assert not ordered.begin(time_s * S)
        ordered.end()


def test_a_halt_lasts_over_stops_and_hours_until_it_is_released(tmp_path: Path) -> None:
    assert crash_at(tmp_path, 0, 1, 2, 3)
    halted = latch(tmp_path)
    assert halted.begin(100_000 * S)
    halted.end()
    again = latch(tmp_path)
    assert again.begin(200_000 * S)
    again.release()
    assert not again.is_halted
    assert not latch(tmp_path).begin(200_001 * S), "one crash since the release"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"format": 2}', '{"format": 1, "is_running": true, "is_halted": false, "crashes_ns": [1.5]}'],
)
def test_a_damaged_file_is_named_and_nothing_is_assumed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "engine" / "demo.starts.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CrashFileDamaged, match=r"demo\.starts\.json: expected a record of the engine's starts"):
        latch(tmp_path).begin(1)
    assert path.read_text() == text
