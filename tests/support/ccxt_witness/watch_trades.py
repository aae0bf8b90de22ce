"""Watch trades with ccxt.pro and print them: run by the interpreter of ccxt's own environment, not by ours.

    python watch_trades.py WS_URL REST_URL COUNT SYMBOL...

Prints one JSON line per trade, in the order ccxt yields them, and ends after COUNT trades of all symbols together.
"""

import asyncio
import json
import sys

import ccxt.pro  # type: ignore[import-not-found]  # lives in an environment of its own


async def watch(ws_url: str, rest_url: str, count: int, symbols: list[str]) -> None:
    """Watch until COUNT trades were seen.

    One task per symbol: watching several symbols in one call, ccxt forgets what came for the others meanwhile until
    they trade again.
    """
    exchange = ccxt.pro.binance(
        {"enableRateLimit": False, "newUpdates": True, "options": {"fetchMarkets": {"types": ["spot"]}}}
    )
    exchange.urls["api"]["ws"]["spot"] = ws_url
    exchange.urls["api"]["public"] = f"{rest_url}/api/v3"
    left = count
    done = asyncio.Event()

    async def watch_one(symbol: str) -> None:
        nonlocal left
        while True:
            for trade in await exchange.watch_trades(symbol):
                shown = {name: trade[name] for name in ("symbol", "id", "timestamp", "price", "amount", "side")}
                shown |= {name: trade["info"][name] for name in ("p", "q")}
                print(json.dumps(shown), flush=True)
                left -= 1
                if left == 0:
                    done.set()

    try:
        await exchange.load_markets()
        watching = [asyncio.create_task(watch_one(symbol)) for symbol in symbols]
        finished = asyncio.create_task(done.wait())
        ended, _ = await asyncio.wait([finished, *watching], return_when=asyncio.FIRST_COMPLETED)
        for task in (finished, *watching):
            task.cancel()
        for task in ended:
            task.result()
    finally:
        await exchange.close()


if __name__ == "__main__":
    _, WS_URL, REST_URL, COUNT, *SYMBOLS = sys.argv
    asyncio.run(watch(WS_URL, REST_URL, int(COUNT), SYMBOLS))
