"""The venue server over real sockets: its addresses, its REST interface, playback, and life as a process."""

import asyncio
import gzip
import json
import signal
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from services.market.venues.binance_spot import BinanceSpot
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import Subscription, SubscriptionKind
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.tally import FrameTally
from tests.support.market_feed import KeepingSink
from tests.support.venue_server import (
    GeneratedFlow,
    Recording,
    RecordingError,
    VenueServer,
    book_ticker_frame,
    depth_snapshot,
    depth_update_frame,
    in_envelope,
    play,
    recorded,
    trade_frame,
)
from tradebus.core.model.identifiers import ExchangeIndex, InstrumentIndex

CHECKOUT = Path(__file__).resolve().parents[4]
START_NS = 1_723_161_254_000_000_000
SUBSCRIPTIONS = [
    Subscription(InstrumentIndex(0), "BTCUSDT", SubscriptionKind.PUBLIC_TRADES),
    Subscription(InstrumentIndex(0), "BTCUSDT", SubscriptionKind.ORDER_BOOKS_L1),
]


@pytest.fixture
async def venue() -> AsyncIterator[VenueServer]:
    async with VenueServer(GeneratedFlow(["BTCUSDT", "ETHUSDT"], seed=2)) as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def write_recording(path: Path, count: int = 300) -> Path:
    """Write a recording of one symbol: trades, tickers, depth and a snapshot, as a recorder of the venue leaves it."""
    lines = [(START_NS, depth_snapshot(7, bids=[("99.00", "1"), ("98.00", "2")], asks=[("101.00", "3")]))]
    for number in range(count):
        time_ns = START_NS + number * 1_000_000
        trade = trade_frame(
            "BTCUSDT", number, f"{100 + number}.10", "0.5", time_ms=number, buyer_is_maker=number % 2 == 0
        )
        ticker = book_ticker_frame(
            "BTCUSDT", number, bid="99", bid_quantity="1", ask=f"{101 + number}", ask_quantity="2"
        )
        depth = depth_update_frame("BTCUSDT", number, number, time_ms=number, bids=[("99", "0")], asks=[])
        lines += [
            (time_ns, in_envelope("btcusdt@trade", trade)),
            (time_ns + 1, in_envelope("btcusdt@bookTicker", ticker)),
            (time_ns + 2, in_envelope("btcusdt@depth@100ms", depth)),
        ]
    text = b"".join(b"%d %s\n" % line for line in lines)
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize(
    ("path", "streams", "is_combined"),
    [
        ("/ws", [], False),
        ("/ws/0", [], False),
        ("/ws/btcusdt@trade", ["btcusdt@trade"], False),
        ("/ws/btcusdt@trade/ethusdt@bookTicker", ["btcusdt@trade", "ethusdt@bookTicker"], False),
        ("/stream?streams=btcusdt@trade/ethusdt@trade", ["btcusdt@trade", "ethusdt@trade"], True),
        ("/stream", [], True),
    ],
)
async def test_address_says_which_streams_and_which_form(
    venue: VenueServer, http: aiohttp.ClientSession, path: str, streams: list[str], *, is_combined: bool
) -> None:
    async with http.ws_connect(venue.rest_url + path) as websocket:
        await websocket.send_str('{"method":"LIST_SUBSCRIPTIONS","id":3}')
        assert await websocket.receive_json() == {"result": streams, "id": 3}
        await websocket.send_str('{"method":"SUBSCRIBE","params":["solusdt@trade"],"id":4}')
        assert await websocket.receive_json() == {"result": None, "id": 4}
        payload = trade_frame("SOLUSDT", 1, "1", "2", time_ms=3, buyer_is_maker=True)
        assert await venue.publish("solusdt@trade", payload) == 1
        assert await venue.publish("dogeusdt@trade", payload) == 0
        received = await websocket.receive_json()
        assert (received == {"stream": "solusdt@trade", "data": json.loads(payload)}) is is_combined
        assert (received == json.loads(payload)) is not is_combined


async def test_malformed_request_gets_an_error_reply_and_the_connection_stays(
    venue: VenueServer, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(venue.ws_url) as websocket:
        await websocket.send_str("nonsense")
        assert (await websocket.receive_json())["error"]["code"] == 3
        await websocket.send_str('{"method":"LIST_SUBSCRIPTIONS","id":1}')
        assert await websocket.receive_json() == {"result": [], "id": 1}


async def test_client_that_sends_too_fast_is_disconnected(venue: VenueServer, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(venue.ws_url) as websocket:
        for number in range(8):
            await websocket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        answers = [message async for message in websocket]
    assert len(answers) == 5
    assert websocket.close_code == 1008


async def get(http: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, object]]:
    async with http.get(url) as response:
        return response.status, await response.json()


async def test_rest_answers_what_a_public_client_asks(venue: VenueServer, http: aiohttp.ClientSession) -> None:
    base = f"{venue.rest_url}/api/v3"
    assert await get(http, f"{base}/ping") == (200, {})
    _, time = await get(http, f"{base}/time")
    assert isinstance(time["serverTime"], int)
    _, info = await get(http, f"{base}/exchangeInfo")
    assert isinstance(info["symbols"], list)
    assert [(each["symbol"], each["baseAsset"], each["quoteAsset"]) for each in info["symbols"]] == [
        ("BTCUSDT", "BTC", "USDT"),
        ("ETHUSDT", "ETH", "USDT"),
    ]
    _, one = await get(http, f"{base}/exchangeInfo?symbol=ETHUSDT")
    assert isinstance(one["symbols"], list)
    assert [each["symbol"] for each in one["symbols"]] == ["ETHUSDT"]
    status, depth = await get(http, f"{base}/depth?symbol=BTCUSDT&limit=5")
    assert status == 200
    assert isinstance(depth["bids"], list)
    assert isinstance(depth["asks"], list)
    assert (len(depth["bids"]), len(depth["asks"])) == (5, 5)
    assert Decimal(depth["bids"][0][0]) < Decimal(depth["asks"][0][0])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("depth", -1102),
        ("depth?symbol=NOPE", -1121),
        ("depth?symbol=BTCUSDT&limit=0", -1100),
        ("depth?symbol=BTCUSDT&limit=x", -1100),
        ("exchangeInfo?symbol=NOPE", -1121),
    ],
)
async def test_rest_refuses_as_the_venue_does(
    venue: VenueServer, http: aiohttp.ClientSession, query: str, code: int
) -> None:
    status, body = await get(http, f"{venue.rest_url}/api/v3/{query}")
    assert (status, body["code"]) == (400, code)


@pytest.mark.parametrize("name", ["binance-spot-btcusdt.txt", "binance-spot-btcusdt.gz"])
async def test_live_connector_makes_of_a_played_recording_what_the_translator_makes_of_the_file(
    tmp_path: Path, name: str
) -> None:
    recording = Recording(write_recording(tmp_path / name))
    assert recording.symbols() == ["BTCUSDT"]
    sink = KeepingSink()
    async with VenueServer(recording) as venue:
        feed = VenueFeed(BinanceSpot(), ExchangeIndex(0), SUBSCRIPTIONS, sink, url=venue.stream_url)
        await feed.start()
        sent = await play(venue, recorded([recording]), awaited=["btcusdt@trade", "btcusdt@bookTicker"])
        await sink.wait_until(lambda: len(sink.events) == sent)
        await feed.stop()
    assert sent == 600
    translator = BinanceSpot().translator(ExchangeIndex(0), SUBSCRIPTIONS, InstrumentSequences(), FrameTally())
    from_file = [
        event
        for timed in recording.frames()
        for event in translator.translate(in_envelope(timed.frame.stream, timed.frame.payload), timed.time_ns)
    ]
    assert [(event.sequence, event.data) for event in sink.events] == [
        (event.sequence, event.data) for event in from_file
    ]


async def test_playback_waits_while_nobody_listens_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    recording = Recording(write_recording(tmp_path / "binance-spot-btcusdt.txt"))
    ids: list[str] = []

    async def listen_for_a_while(venue: VenueServer) -> None:
        sink = KeepingSink()
        feed = VenueFeed(BinanceSpot(), ExchangeIndex(0), SUBSCRIPTIONS[:1], sink, url=venue.ws_url)
        await feed.start()
        enough = min(100, 300 - len(ids))
        await sink.wait_until(lambda: len(sink.events) >= enough)
        await venue.close_all()
        await sink.wait_until(lambda: len(sink.markers) == 1)
        await feed.stop()
        ids.extend(sink.trade_ids)

    async with VenueServer(recording) as venue:
        playing = asyncio.create_task(play(venue, recorded([recording]), speed=1.0))
        while len(ids) < 300:
            await listen_for_a_while(venue)
        await playing
    assert ids == [str(number) for number in range(300)]


async def test_playback_keeps_the_recorded_pace(tmp_path: Path) -> None:
    recording = Recording(write_recording(tmp_path / "binance-spot-btcusdt.txt", 300))
    sink = KeepingSink()
    async with VenueServer(recording) as venue:
        feed = VenueFeed(BinanceSpot(), ExchangeIndex(0), SUBSCRIPTIONS, sink, url=venue.ws_url)
        await feed.start()
        started_s = asyncio.get_running_loop().time()
        await play(venue, recorded([recording]), speed=2.0)
        took_s = asyncio.get_running_loop().time() - started_s
        await feed.stop()
    assert took_s >= 0.299 / 2, "three tenths of a second, at twice the pace"


async def test_recorded_snapshot_is_served_cut_to_the_limit(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    recording = Recording(write_recording(tmp_path / "binance-spot-btcusdt.txt", 1))
    async with VenueServer(recording) as venue:
        _, depth = await get(http, f"{venue.rest_url}/api/v3/depth?symbol=BTCUSDT&limit=1")
    assert depth == {"lastUpdateId": 7, "bids": [["99.00", "1"]], "asks": [["101.00", "3"]]}


@pytest.mark.parametrize("line", [b"nonsense\n", b"x {}\n", b"5 {}\n", b'5 {"stream":5,"data":{}}\n'])
def test_recording_that_is_none_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "binance-spot-btcusdt.txt"
    path.write_bytes(line)
    with pytest.raises(RecordingError, match=r"expected .*, found"):
        Recording(path)


async def start_process(*options: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.venue_server", "--port", "0", *options,
        cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
        if not line:
            _, complaint = await process.communicate()
            pytest.fail(f"the server did not start: {complaint.decode()}")
    return process, json.loads(line)


async def test_server_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "binance-spot-btcusdt.gz")
    options = ("--recording", str(path), "--speed", "max", "--await-streams", "btcusdt@trade,btcusdt@bookTicker")
    process, addresses = await start_process(*options, "--exit-when-done")
    sink = KeepingSink()
    feed = VenueFeed(BinanceSpot(), ExchangeIndex(0), SUBSCRIPTIONS, sink, url=addresses["ws"])
    try:
        await feed.start()
        await sink.wait_until(lambda: len(sink.events) == 600)
        output, complaint = await asyncio.wait_for(process.communicate(), 30)
    finally:
        await feed.stop()
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, complaint) == (0, b"")
    assert json.loads(output) == {"sessions": 1, "sent": 601}, "the acknowledgement is a frame too"


async def test_process_generates_without_end_and_stops_on_a_signal() -> None:
    process, addresses = await start_process("--symbols", "BTCUSDT", "--seed", "4")
    sink = KeepingSink()
    feed = VenueFeed(BinanceSpot(), ExchangeIndex(0), SUBSCRIPTIONS, sink, url=addresses["stream"])
    try:
        await feed.start()
        await sink.wait_until(lambda: len(sink.events) >= 2_500)
        process.send_signal(signal.SIGTERM)
        _, complaint = await asyncio.wait_for(process.communicate(), 30)
        await sink.wait_until(lambda: len(sink.markers) == 1)
    finally:
        await feed.stop()
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, complaint) == (0, b"")
