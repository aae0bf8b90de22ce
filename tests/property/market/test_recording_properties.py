"""Whatever is between the good lines, and wherever a file is cut: every good line is read, every other one counted."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from services.market.recording import read_recordings
from tests.property.examples import scaled
from tests.support.market_instruments import spot_index
from tests.support.recordings import START_NS, depth, line, recording, ticker, trade
from tradebus.core.market.event import PublicTrade
from tradebus.core.model.identifiers import ExchangeId

INDEX = spot_index(ExchangeId.BINANCE_SPOT, "btc", "eth")
STEPS = st.integers(min_value=-20, max_value=100)
NOISE = st.binary(max_size=40).map(lambda noise: b"#" + noise.replace(b"\n", b"").replace(b"\r", b""))


@settings(max_examples=scaled(80), deadline=None)
@given(files=st.lists(st.lists(st.tuples(STEPS, st.one_of(st.just(b""), NOISE)), max_size=20), min_size=1, max_size=3))
def test_good_lines_are_read_in_merged_order_and_bad_ones_counted(files: list[list[tuple[int, bytes]]]) -> None:
    with TemporaryDirectory() as folder:
        paths, expected, bad = [], [], []
        for file, entries in enumerate(files):
            lines, received_ns, place_ns = [], START_NS, 0
            for number, (step, noise) in enumerate(entries, start=1):
                if noise:
                    lines.append(noise + b"\n")
                    bad.append((f"binance-spot-{file}", number))
                    continue
                received_ns += step
                place_ns = max(place_ns, received_ns)
                identity = file * 1_000 + number
                lines.append(line(received_ns, trade("BTCUSDT", identity)))
                expected.append((place_ns, file, number, received_ns, identity))
            paths.append(recording(Path(folder) / f"binance-spot-{file}", lines))
        reader = read_recordings(paths, INDEX)
        events = list(reader)
    expected.sort()
    assert [event.data.id for event in events if isinstance(event.data, PublicTrade)] == [str(e[4]) for e in expected]
    assert [event.time_received_ns for event in events] == [e[3] for e in expected]
    assert [event.sequence for event in events] == list(range(1, len(expected) + 1))
    assert sorted((found.file, found.line) for found in reader.report.bad_lines) == sorted(bad)
    assert reader.report.lines == len(expected) + len(bad)


@settings(max_examples=scaled(40), deadline=None)
@given(
    cut=st.floats(min_value=0.01, max_value=0.999), flip=st.one_of(st.none(), st.floats(min_value=0.3, max_value=0.9))
)
def test_a_damaged_file_never_ends_the_reading_and_never_invents_a_position(cut: float, flip: float | None) -> None:
    makers = (trade, ticker, depth)
    lines = [line(START_NS + at, makers[at % 3]("ETHUSDT", at)) for at in range(400)]
    data = bytearray(gzip.compress(b"".join(lines)))
    if flip is not None:
        data[int(len(data) * flip)] ^= 0x55
    with TemporaryDirectory() as folder:
        path = Path(folder) / "binance-spot-x.gz"
        path.write_bytes(data[: int(len(data) * cut)])
        reader = read_recordings([path], INDEX)
        events = list(reader)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert len(reader.report.damaged_files) == 1
    assert (
        reader.report.events + sum(reader.report.skipped.values()) + reader.report.bad_lines_total
        == reader.report.lines
    )
