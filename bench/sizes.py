"""How many bytes an event takes in the journal and in the archive, by what it is."""

import gzip
import json
import tempfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bench.journal import ENGINE, STREAM, feed, write_journal
from tradebus.bus.message import JournalMessage
from tradebus.core.market.event import BookL1, BookL2Update, Level, MarketData, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex
from tradebus.core.model.side import Side
from tradebus.journal.archive.chunk import CHUNK_BYTES
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.wire import subjects

EVENTS: Final = 200_000
_KINDS: Final = {"trades": PublicTrade, "best bids and asks": BookL1}


def _size(market_events: Iterable[MarketEvent]) -> dict[str, Any]:
    """Return bytes per tick, as stored in the stream (without its index) and in the archive with its own."""
    ticks = batches = payload_bytes = 0
    verifier = FrameVerifier()
    with (
        tempfile.TemporaryDirectory(prefix="tradebus-bench-") as folder,
        ArchiveWriter(Path(folder), STREAM, subjects.audit(ENGINE)) as writer,
    ):

        def take(message: JournalMessage) -> None:
            nonlocal ticks, batches, payload_bytes
            stored = verifier.accept(message)
            ticks = stored.last_sequence + 1
            payload_bytes += len(message.payload)
            batches += 1
            writer.append(stored)
            if writer.waiting_bytes >= CHUNK_BYTES:
                writer.flush()

        write_journal(market_events, take)
        writer.flush()
        archived = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {
        "ticks": ticks,
        "ticks_per_batch": round(ticks / batches, 1),
        "journal_bytes": round(payload_bytes / ticks, 1),
        "archive_bytes": round(archived / ticks, 1),
    }


def read_futures(path: Path, *, with_depth: bool) -> Iterator[MarketEvent]:
    """Yield what a recording of Binance's USD-M futures holds of one instrument: trades, best prices, levels."""
    sequence = 0
    with gzip.open(path, "rb") as lines:
        for line in lines:
            received, _, frame = line.partition(b" ")
            message = json.loads(frame).get("data", {})
            data = _data(message, with_depth=with_depth)
            if data is not None:
                sequence += 1
                time_ns, at_ns = int(message["T"]) * 1_000_000, int(received)
                yield MarketEvent(time_ns, at_ns, ExchangeIndex(0), InstrumentIndex(0), sequence, data)


def _data(message: dict[str, Any], *, with_depth: bool) -> MarketData | None:
    kind = message.get("e")
    if kind == "trade" and Decimal(message["q"]) > 0:
        side = Side.SELL if message["m"] else Side.BUY
        return PublicTrade(str(message["t"]), Decimal(message["p"]), Decimal(message["q"]), side)
    if kind == "bookTicker":
        return BookL1(*(Level(Decimal(message[price]), Decimal(message[price.upper()])) for price in "ba"))
    if kind == "depthUpdate" and with_depth:
        time_ns = int(message["T"]) * 1_000_000
        bids, asks = (tuple(Level(Decimal(p), Decimal(q)) for p, q in message[side]) for side in "ba")
        return BookL2Update(int(message["u"]), time_ns, bids, asks)
    return None


def measure(futures: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the sizes by kind of event of what the benchmarks run on, and of a recording of futures."""
    results: dict[str, dict[str, Any]] = {}
    for name, kind in _KINDS.items():
        chosen = (event for event in feed(5 * EVENTS) if isinstance(event.data, kind))
        results[name] = _size((event for event, _ in zip(chosen, range(EVENTS), strict=False)))
    if futures is not None and futures.exists():
        for name, with_depth in (("futures, trades and best prices", False), ("futures, with depth", True)):
            results[name] = _size(read_futures(futures, with_depth=with_depth))
    return results
