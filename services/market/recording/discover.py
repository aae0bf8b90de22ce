"""Find out which instruments recordings are about, so that a replay needs no list of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from services.market.recording.lines import DamagedRecording, read_lines
from services.market.venues.interface import Venue
from services.market.venues.registry import venue_of_recording
from tradebus.core.model.identifiers import ExchangeId, exchange_order

QUOTES: Final = (
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USD", "DAI", "EUR", "GBP", "TRY", "BRL", "BTC", "ETH", "BNB",
)  # fmt: skip
"""Assets that others are quoted in. The longest that fits is taken: ``BTCFDUSD`` is quoted in FDUSD, not in USD."""


class RecordedInstrument(NamedTuple):
    """An instrument that occurs in a recording: its exchange, and the venue's own name for it."""

    exchange: ExchangeId
    symbol: str


def discover_instruments(paths: Iterable[Path]) -> list[RecordedInstrument]:
    """Return the instruments of the recordings, each once, ordered by exchange and symbol.

    Every line is looked at, but only the first of each stream is decoded. Damaged files give what can be read of them;
    lines that cannot be read give nothing.

    Raises LookupError for a name without a known venue, OSError for a file that cannot be opened.
    """
    found: set[RecordedInstrument] = set()
    for path in paths:
        venue = venue_of_recording(path)
        found |= {RecordedInstrument(venue.exchange, symbol) for symbol in _symbols(path, venue)}
    return sorted(found, key=lambda instrument: (exchange_order(instrument.exchange), instrument.symbol))


def split_symbol(symbol: str) -> tuple[str, str] | None:
    """Return base and quote of a symbol written without a separator (``BTCUSDT``), None for an unknown quote."""
    for quote in sorted(QUOTES, key=len, reverse=True):
        base = symbol.removesuffix(quote)
        if base and base != symbol:
            return base, quote
    return None


def _symbols(path: Path, venue: Venue) -> set[str]:
    symbols: set[str] = set()
    streams: set[bytes] = set()
    try:
        for line in read_lines(path):
            _, _, frame = line.partition(b" ")
            # {"stream":"btcusdt@trade","data":...: what stands between the second pair of quotation marks.
            stream = frame.split(b'"', 4)[3] if frame.startswith(b'{"stream":"') else None
            if stream in streams:
                continue
            symbol = venue.symbol_of(frame)
            if symbol is None or split_symbol(symbol) is None:
                continue
            symbols.add(symbol)
            if stream is not None:
                streams.add(stream)
    except DamagedRecording:
        pass  # reported by whoever reads the recording; here only its instruments matter
    return symbols
