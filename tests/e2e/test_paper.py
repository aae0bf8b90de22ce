"""Mode paper from end to end: a venue on loopback, the live connector, simulated fills, the replica behind REST."""

import asyncio
import time
from itertools import count
from pathlib import Path

import pytest

from tests.support.demo import PATIENCE_S, demo_settings, running
from tests.support.system import until
from tests.support.venue_server import VenueServer, book_ticker_frame, stream_name, trade_frame
from tests.support.venue_server.frames import BOOK_TICKER_CHANNEL, TRADE_CHANNEL

pytestmark = pytest.mark.timeout(400)

PACE_S = 0.005
SYMBOLS = ("BTCUSDT", "ETHUSDT")
UNKNOWN = b'{"e":"forecast","s":"BTCUSDT","text":"it will rise"}'
NO_FRAME = b"this is no frame"
EACH = 20


async def trade_for_ever(venue: VenueServer) -> None:
    """Publish books and trades whose price goes up and down, so that both strategies have something to do."""
    await venue.wait_subscribed(*(f"{symbol.lower()}@trade" for symbol in SYMBOLS), within_s=PATIENCE_S)
    for number in count(1):
        cents = 10_000_000 + 20_000 * abs(number % 200 - 100)
        bid, price, ask = (f"{(cents + offset) / 100:.2f}" for offset in (-100, 0, 100))
        time_ms = time.time_ns() // 1_000_000
        for symbol in SYMBOLS:
            book = book_ticker_frame(symbol, number, bid=bid, bid_quantity="2", ask=ask, ask_quantity="2")
            await venue.publish(stream_name(symbol, BOOK_TICKER_CHANNEL), book)
            made = trade_frame(symbol, number, price, "0.5", time_ms=time_ms, buyer_is_maker=number % 2 == 0)
            await venue.publish(stream_name(symbol, TRADE_CHANNEL), made)
        await asyncio.sleep(PACE_S)


async def test_live_data_of_a_venue_is_traded_on_a_simulated_account(tmp_path: Path) -> None:
    async with VenueServer() as venue:
        url = f"market.binance_spot.url_ws={venue.ws_url}"
        trading = asyncio.create_task(trade_for_ever(venue))
        async with running(tmp_path, demo_settings(url, mode="paper")) as paper:
            await paper.wait_connected()
            await paper.wait_fills(5)
            state = await paper.api("/v1/state")
            assert state["mode"] == "paper"
            assert [exchange["name"] for exchange in state["data"]["exchanges"]] == ["binance_spot"]
            traded = {trade["instrument"] for trade in (await paper.api("/v1/trades"))["data"]}
            assert traded <= {"binance_spot-btc_usdt", "binance_spot-eth_usdt"}
            assert traded

            # What nobody knows or can read is counted, told once for each kind, and disturbs nothing.
            for _ in range(EACH):
                await venue.send_raw(UNKNOWN)
                await venue.send_raw(NO_FRAME)

            async def counted() -> bool:
                feed = (await paper.data("market"))["feeds"]["binance_spot"]
                return all(sum(feed[kind].values()) >= EACH for kind in ("unknown", "failed"))

            await until(counted, "every unknown and every unreadable frame is counted", PATIENCE_S)
            log = await paper.log("market")
            assert log.count('"event": "unknown kind of frame; more of it are counted only"') == 1
            assert log.count('"event": "bad frame; more of its kind are counted only"') == 1

            async def kept() -> bool:
                letters = [letter for letter in await paper.dead_letters() if letter.service == "market"]
                return [letter.payload for letter in letters] == [NO_FRAME] * EACH

            await until(kept, "the unreadable frames are kept", PATIENCE_S)
            await paper.wait_fills(3)

            # The venue goes away and comes back: said while it lasts, and over when it is over.
            venue.behaviour.accept = False
            venue.reset_all()

            async def lost() -> bool:
                ready, reasons = await paper.ready("market")
                return not ready and "feed binance_spot" in reasons

            await until(lost, "the market service says that its feed is lost", PATIENCE_S)
            venue.behaviour.accept = True
            await paper.wait_connected()
            await paper.wait_fills(3)
            await paper.at_rest()
            await paper.check_accounts()
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
