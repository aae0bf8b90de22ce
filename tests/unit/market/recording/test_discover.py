from pathlib import Path

import pytest

from services.market.recording import discover_instruments, split_symbol
from tests.support.recordings import START_NS, depth, line, recording, snapshot, ticker, trade
from tradebus.core.model.identifiers import ExchangeId


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("BTCUSDT", ("BTC", "USDT")),
        ("ETHBTC", ("ETH", "BTC")),
        ("BTCFDUSD", ("BTC", "FDUSD")),
        ("USDCUSDT", ("USDC", "USDT")),
        ("BTCEUR", ("BTC", "EUR")),
        ("USDT", None),
        ("BTCXYZ", None),
        ("", None),
    ],
)
def test_a_symbol_splits_into_base_and_quote(symbol: str, expected: tuple[str, str] | None) -> None:
    assert split_symbol(symbol) == expected


def test_every_symbol_of_every_file_is_found_once_in_order(tmp_path: Path) -> None:
    first = recording(
        tmp_path / "binance-spot-a.gz",
        [
            line(START_NS, snapshot(1)),
            line(START_NS, ticker("SOLUSDT", 2)),
            line(START_NS, trade("BTCUSDT", 3)),
            line(START_NS, trade("BTCUSDT", 4)),
        ],
    )
    # Raw frames, as a single-stream connection gives them.
    second = recording(
        tmp_path / "binance-spot-b",
        [
            line(START_NS, b'{"u":1,"s":"ETHUSDT","b":"1","B":"1","a":"2","A":"1"}'),
            line(START_NS, depth("BTCUSDT", 5)),
        ],
    )
    assert discover_instruments([first, second]) == [
        (ExchangeId.BINANCE_SPOT, symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    ]


def test_bad_lines_unknown_quotes_and_a_cut_end_do_not_matter(tmp_path: Path) -> None:
    path = recording(
        tmp_path / "binance-spot-a.gz",
        [
            b"garbage\n",
            line(START_NS, b'{"stream":"'),
            line(START_NS, b'{"stream":"broken@trade","data":{"s":5}}'),
            line(START_NS, trade("ABCXYZ", 1)),
            line(START_NS, trade("BTCUSDT", 1)),
        ],
    )
    path.write_bytes(path.read_bytes()[:-4])
    assert discover_instruments([path]) == [(ExchangeId.BINANCE_SPOT, "BTCUSDT")]


def test_a_file_of_an_unknown_venue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="binance-spot-"):
        discover_instruments([recording(tmp_path / "other", [])])
