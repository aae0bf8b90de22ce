"""Write recordings in the documented format, and find the real ones where they lie."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "recordings"
"""Recordings of real venues, beside the checkout on machines that have them."""

START_NS = 1_723_161_254_000_000_000


def trade(symbol: str, number: int, price: str = "100.10", quantity: str = "0.5", *, sell: bool = False) -> bytes:
    """Return a trade frame as Binance spot sends it on a combined stream."""
    time_ms = START_NS // 1_000_000 + number
    data = {
        "e": "trade", "E": time_ms, "s": symbol, "t": number, "p": price, "q": quantity, "T": time_ms, "m": sell,
        "M": True,
    }  # fmt: skip
    return _combined(f"{symbol.lower()}@trade", data)


def ticker(symbol: str, number: int, bid: str = "100.00", ask: str = "100.10") -> bytes:
    """Return a book ticker frame."""
    data = {"u": number, "s": symbol, "b": bid, "B": "1.5", "a": ask, "A": "2.5"}
    return _combined(f"{symbol.lower()}@bookTicker", data)


def depth(symbol: str, number: int) -> bytes:
    """Return a depth update frame."""
    data = {"e": "depthUpdate", "E": 1, "s": symbol, "U": number, "u": number, "b": [["100.00", "1.0"]], "a": []}
    return _combined(f"{symbol.lower()}@depth@100ms", data)


def snapshot(number: int) -> bytes:
    """Return a REST depth snapshot, which names no symbol."""
    return json.dumps({"lastUpdateId": number, "bids": [["100.00", "1.0"]], "asks": []}, separators=(",", ":")).encode()


def line(received_ns: int, frame: bytes) -> bytes:
    """Return a line of a recording, its end included."""
    return b"%d %s\n" % (received_ns, frame)


def recording(path: Path, lines: Iterable[bytes]) -> Path:
    """Write lines to a file, gzipped where its name says so, and return its path."""
    data = b"".join(lines)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def real_recordings(*names: str) -> list[Path]:
    """Return real recordings by name; skips the test where this machine does not have them."""
    paths = [REAL / name for name in names]
    absent = [path.name for path in paths if not path.is_file()]
    if absent:
        pytest.skip(f"real recordings are not beside this checkout: {', '.join(absent)}")
    return paths


def _combined(stream: str, data: object) -> bytes:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()
