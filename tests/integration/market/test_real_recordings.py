"""The recordings of real venues, read from where they lie."""

from decimal import Decimal

import pytest

from services.market.recording import discover_instruments, read_recordings, split_symbol
from tests.support.market_instruments import definition
from tests.support.recordings import real_recordings
from tradebus.core.market.event import BookL1, PublicTrade
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments, index_instruments

BTC, ETH = "binance-spot-btcusdt-20240808.gz", "binance-spot-ethusdt-20240808.gz"


def discovered_index(*names: str) -> IndexedInstruments:
    found = discover_instruments(real_recordings(*names))
    pairs = [split_symbol(symbol) for _, symbol in found]
    return index_instruments([definition(found[i].exchange, *pair) for i, pair in enumerate(pairs) if pair is not None])


@pytest.mark.parametrize(
    ("name", "events", "skipped"),
    [(BTC, 37_797, {"depth": 3_451, "depth_snapshot": 1}), (ETH, 30_183, {"depth": 3_434, "depth_snapshot": 1})],
)
def test_every_line_is_an_event_or_counted(name: str, events: int, skipped: dict[str, int]) -> None:
    reader = read_recordings(real_recordings(name), discovered_index(name))
    sequence = 0
    for event in reader:
        sequence += 1
        assert event.sequence == sequence
        if isinstance(event.data, PublicTrade):
            assert event.data.price > 0
            assert event.data.amount > 0
        else:
            assert isinstance(event.data, BookL1)
            assert event.data.best_bid is not None
            assert event.data.best_ask is not None
            assert Decimal(0) < event.data.best_bid.price < event.data.best_ask.price
    assert sequence == reader.report.events == events
    assert reader.report.skipped == skipped
    assert reader.report.lines == events + sum(skipped.values())
    assert reader.report.is_clean


def test_both_together_are_merged_by_receive_time() -> None:
    paths = real_recordings(BTC, ETH)
    index = discovered_index(BTC, ETH)
    assert [instrument.name for instrument in index.instruments] == ["binance_spot-btc_usdt", "binance_spot-eth_usdt"]
    reader = read_recordings(paths, index)
    times = [event.time_received_ns for event in reader]
    assert times == sorted(times)
    assert reader.report.events == len(times) == 37_797 + 30_183
    assert reader.report.skipped == {"depth": 3_451 + 3_434, "depth_snapshot": 2}


def test_discovery_finds_the_instruments_of_the_files() -> None:
    assert discover_instruments(real_recordings(ETH, BTC)) == [
        (ExchangeId.BINANCE_SPOT, "BTCUSDT"),
        (ExchangeId.BINANCE_SPOT, "ETHUSDT"),
    ]
