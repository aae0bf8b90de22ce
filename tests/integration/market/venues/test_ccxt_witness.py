"""ccxt, which knows the real venue and nothing of us, must find the venue server faithful."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support import ccxt_witness
from tests.support.venue_server import GeneratedFlow, VenueServer, play, unpaced

SCRIPT = Path(ccxt_witness.__file__).with_name("watch_trades.py")
SYMBOLS = {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"}
# Making the environment takes some twenty seconds, once; the net for everything is wider than for other tests.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return ccxt_witness.witness_python()
    except ccxt_witness.WitnessUnavailable as error:
        pytest.skip(f"ccxt cannot be installed here: {error}")


@pytest.fixture
async def venue() -> AsyncIterator[VenueServer]:
    async with VenueServer(GeneratedFlow(list(SYMBOLS), seed=3)) as server:
        yield server


async def test_ccxt_subscribes_and_yields_the_trades_that_the_server_sent(python: Path, venue: VenueServer) -> None:
    flow = GeneratedFlow(list(SYMBOLS), seed=3)
    frames = list(flow.frames(400))
    sent = [json.loads(frame.payload) for frame in frames if frame.stream.endswith("@trade")]
    assert {trade["s"] for trade in sent} == set(SYMBOLS)
    witness = await asyncio.create_subprocess_exec(
        python, SCRIPT, venue.ws_url, venue.rest_url, str(len(sent)), *SYMBOLS.values(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(60):
            waiting = asyncio.create_task(witness.communicate())
            subscribed = asyncio.create_task(venue.wait_subscribed("btcusdt@trade", "ethusdt@trade", within_s=60))
            await asyncio.wait({waiting, subscribed}, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                subscribed.cancel()
                pytest.fail(f"ccxt ended before it subscribed: {waiting.result()[1].decode()[-2000:]}")
            await play(venue, unpaced(frames))
            output, complaint = await waiting
    finally:
        if witness.returncode is None:
            witness.kill()
            await witness.wait()
    assert witness.returncode == 0, complaint.decode()[-2000:]
    seen: list[dict[str, Any]] = [json.loads(line) for line in output.splitlines()]
    for symbol, unified in SYMBOLS.items():
        theirs = [trade for trade in seen if trade["symbol"] == unified]
        ours = [trade for trade in sent if trade["s"] == symbol]
        assert [trade["id"] for trade in theirs] == [str(trade["t"]) for trade in ours]
        for their, our in zip(theirs, ours, strict=True):
            assert (their["p"], their["q"], their["timestamp"]) == (our["p"], our["q"], our["T"])
            assert Decimal(str(their["price"])) == Decimal(our["p"])
            assert their["side"] == ("sell" if our["m"] else "buy")
    assert all(json.loads(session.requests[0])["method"] == "SUBSCRIBE" for session in venue.sessions)
    assert not any(session.was_rate_limited for session in venue.sessions)
