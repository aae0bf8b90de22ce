import json
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from services.market.recording import BadLine, RecordingsRefused, read_recordings
from services.market.recording.lines import LINE_BYTES_MAX
from services.market.recording.report import BAD_LINES_LISTED_MAX
from tests.support.market_instruments import spot_index
from tests.support.recordings import START_NS, depth, line, recording, snapshot, ticker, trade
from tradebus.core.market.event import BookL1, Level, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.side import Side

INDEX = spot_index(ExchangeId.BINANCE_SPOT, "btc", "eth")
EXCHANGE = INDEX.find_exchange_index(ExchangeId.BINANCE_SPOT)
BTC, ETH = (INDEX.find_instrument_by_symbol(ExchangeId.BINANCE_SPOT, symbol) for symbol in ("BTCUSDT", "ETHUSDT"))


def trade_ids(events: list[MarketEvent]) -> list[str]:
    return [event.data.id for event in events if isinstance(event.data, PublicTrade)]


def test_trades_and_best_prices_become_events_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = recording(
        tmp_path / "binance-spot-btcusdt.gz",
        [
            line(START_NS, depth("BTCUSDT", 1)),
            line(START_NS + 1, ticker("BTCUSDT", 2)),
            line(START_NS + 2, snapshot(3)),
            line(START_NS + 3, trade("BTCUSDT", 4, "61837.63000000", "0.02000000", sell=True)),
            line(START_NS + 4, b'{"stream":"btcusdt@kline_1m","data":{"e":"kline","s":"BTCUSDT"}}'),
        ],
    )
    reader = read_recordings([path], INDEX)
    assert list(reader) == [
        MarketEvent(
            START_NS + 1,
            START_NS + 1,
            EXCHANGE,
            BTC,
            1,
            BookL1(Level(Decimal("100.00"), Decimal("1.5")), Level(Decimal("100.10"), Decimal("2.5"))),
        ),
        MarketEvent(
            START_NS + 4_000_000,
            START_NS + 3,
            EXCHANGE,
            BTC,
            2,
            PublicTrade("4", Decimal("61837.63"), Decimal("0.02"), Side.SELL),
        ),
    ]
    assert reader.report.events == 2
    assert reader.report.lines == 5
    assert reader.report.skipped == {"depth": 1, "depth_snapshot": 1, "kline": 1}
    assert reader.report.is_clean


def test_files_are_merged_by_receive_time_then_file_then_line(tmp_path: Path) -> None:
    later = recording(
        tmp_path / "binance-spot-a",
        [line(START_NS + 5, trade("BTCUSDT", 1)), line(START_NS + 7, trade("BTCUSDT", 2))],
    )
    sooner = recording(
        tmp_path / "binance-spot-b",
        [line(START_NS + at, trade("ETHUSDT", 10 + at)) for at in (1, 5, 5, 6, 9)],
    )
    reader = read_recordings([later, sooner], INDEX)
    events = list(reader)
    assert trade_ids(events) == ["11", "1", "15", "15", "16", "2", "19"]
    assert [event.sequence for event in events] == list(range(1, 8))
    assert {event.instrument for event in events} == {BTC, ETH}


def test_a_clock_that_steps_back_reorders_nothing_and_keeps_the_recorded_times(tmp_path: Path) -> None:
    stepping = recording(
        tmp_path / "binance-spot-a",
        [line(START_NS + at, trade("BTCUSDT", number)) for number, at in enumerate((10, 4, 11), start=1)],
    )
    steady = recording(tmp_path / "binance-spot-b", [line(START_NS + at, trade("ETHUSDT", at)) for at in (5, 10, 12)])
    reader = read_recordings([stepping, steady], INDEX)
    events = list(reader)
    assert trade_ids(events) == ["5", "1", "2", "10", "3", "12"]
    assert [event.time_received_ns - START_NS for event in events] == [5, 10, 4, 10, 11, 12]
    assert reader.report.steps_back == 1


def test_every_kind_of_bad_line_is_reported_with_its_number_and_the_good_ones_are_read(tmp_path: Path) -> None:
    whole = line(START_NS, trade("BTCUSDT", 9))
    bad = {
        2: (b"garbage\n", "no_time"),
        4: (trade("BTCUSDT", 1) + b"\n", "no_time"),
        6: (b"\n", "no_time"),
        8: (line(START_NS // 1_000_000, trade("BTCUSDT", 1)), "no_time"),
        10: (whole[:60] + b"\n", "malformed"),
        12: (line(START_NS, b"\xff\xfe"), "malformed"),
        14: (line(START_NS, trade("DOGEUSDT", 1)), "unidentifiable"),
        16: (line(START_NS, trade("BTCUSDT", 1, price="NaN")), "malformed"),
        18: (line(START_NS, b"{" + b" " * LINE_BYTES_MAX + b"}"), "too_long"),
        20: (whole[:-30], "malformed"),
    }
    lines = [bad[number][0] if number in bad else line(START_NS, trade("BTCUSDT", number)) for number in range(1, 21)]
    reader = read_recordings([recording(tmp_path / "binance-spot-btcusdt", lines)], INDEX)
    assert trade_ids(list(reader)) == [str(number) for number in range(1, 20, 2)]
    report = reader.report
    assert {(found.line, found.kind) for found in report.bad_lines} == {(at, kind) for at, (_, kind) in bad.items()}
    assert {found.file for found in report.bad_lines} == {"binance-spot-btcusdt"}
    assert report.bad == {"no_time": 4, "malformed": 4, "unidentifiable": 1, "too_long": 1}
    assert report.bad_lines_total == 10
    assert report.lines == 20
    assert not report.is_clean
    assert all(len(found.reason) < 1_000 for found in report.bad_lines)
    assert report.bad_lines[0] == BadLine(
        "binance-spot-btcusdt", 2, "no_time", "expected '<receive time in ns> <JSON>', found 'garbage'"
    )


def test_many_bad_lines_are_counted_but_not_all_listed(tmp_path: Path) -> None:
    path = recording(tmp_path / "binance-spot-x", [b"?\n"] * 5_000 + [line(START_NS, trade("BTCUSDT", 1))])
    reader = read_recordings([path], INDEX)
    assert len(list(reader)) == 1
    assert reader.report.bad_lines_total == 5_000
    assert len(reader.report.bad_lines) == BAD_LINES_LISTED_MAX


def test_a_cut_file_gives_its_good_lines_and_the_other_file_all_of_its(tmp_path: Path) -> None:
    cut = recording(
        tmp_path / "binance-spot-cut.gz", [line(START_NS + at, trade("BTCUSDT", at)) for at in range(1, 2_001)]
    )
    data = cut.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    whole = recording(tmp_path / "binance-spot-whole", [line(START_NS + at, ticker("ETHUSDT", at)) for at in range(50)])
    reader = read_recordings([cut, whole], INDEX)
    events = list(reader)
    ids = trade_ids(events)
    assert ids == [str(number) for number in range(1, len(ids) + 1)]
    assert 200 < len(ids) < 2_000
    assert len(events) == len(ids) + 50
    (damaged,) = reader.report.damaged_files
    assert damaged.file == "binance-spot-cut.gz"
    assert damaged.lines in {len(ids), len(ids) + 1}
    assert "cut off" in damaged.reason
    assert not reader.report.is_clean


def test_the_report_is_plain_data(tmp_path: Path) -> None:
    path = recording(
        tmp_path / "binance-spot-x.gz",
        [line(START_NS, trade("BTCUSDT", 1)), b"?\n", line(START_NS, depth("BTCUSDT", 2))],
    )
    path.write_bytes(path.read_bytes()[:-1])
    reader = read_recordings([path], INDEX)
    list(reader)
    data = json.loads(json.dumps(reader.report.as_data()))
    assert data["events"] == 1
    assert data["lines"] == 3
    assert data["skipped"] == {"depth": 1}
    assert data["bad"] == {"no_time": 1}
    assert data["bad_lines_first"][0]["line"] == 2
    assert data["damaged_files"][0]["file"] == "binance-spot-x.gz"
    assert data["is_clean"] is False


def test_the_same_files_give_the_same_events_again(tmp_path: Path) -> None:
    paths = [
        recording(tmp_path / f"binance-spot-{name}", [line(START_NS + at, trade(symbol, at)) for at in range(100)])
        for name, symbol in (("a", "BTCUSDT"), ("b", "ETHUSDT"))
    ]
    assert repr(list(read_recordings(paths, INDEX))) == repr(list(read_recordings(paths, INDEX)))


def test_nothing_is_read_before_the_first_event_is_asked_for_and_closing_ends_it(tmp_path: Path) -> None:
    path = recording(tmp_path / "binance-spot-x", [line(START_NS + at, trade("BTCUSDT", at)) for at in range(10)])
    reader = read_recordings([path], INDEX)
    assert reader.report.lines == 0
    next(reader)
    assert reader.report.events == 1
    reader.close()
    assert list(reader) == []


def test_every_problem_with_the_files_is_named_at_once(tmp_path: Path) -> None:
    good = recording(tmp_path / "binance-spot-x", [])
    foreign = recording(tmp_path / "nowhere-x", [])
    with pytest.raises(RecordingsRefused) as caught:
        read_recordings([good, tmp_path / "binance-spot-absent", foreign, good, tmp_path], INDEX)
    assert len(caught.value.problems) == 4
    text = str(caught.value)
    for expected in ("No such file", "begins with binance-spot-", "given twice", "Is a directory"):
        assert expected in text


def test_a_venue_without_configured_instruments_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "binance-spot-x", [])
    with pytest.raises(RecordingsRefused, match="no instrument of binance_spot is configured"):
        read_recordings([path], spot_index(ExchangeId.KRAKEN, "btc"))


def test_no_recording_at_all_is_refused() -> None:
    with pytest.raises(RecordingsRefused, match="at least one recording"):
        read_recordings([], INDEX)


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    def peak_bytes(count: int) -> int:
        lines = (line(START_NS + at, trade("BTCUSDT", at, price=f"{at + 1}.5")) for at in range(count))
        paths = [recording(tmp_path / f"binance-spot-{count}.gz", lines)]
        tracemalloc.start()
        try:
            for _ in read_recordings(paths, INDEX):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak_bytes(2_000), peak_bytes(16_000)
    assert many < few + 3_000_000
