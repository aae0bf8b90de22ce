"""Every example runs as its docstring says and prints what it promises: numbers, checked where they can be known."""

import asyncio
import importlib.util
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from tests.support.venue_server import VenueServer, book_ticker_frame, stream_name, trade_frame
from tests.support.venue_server.frames import BOOK_TICKER_CHANNEL, TRADE_CHANNEL

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
SHARED = {"simulated"}
PATIENCE_S = 60.0


async def run(example: str, *arguments: str) -> str:
    """Run an example as a user would and return what it prints; it must succeed and warn of nothing."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"examples.{example}",
        *arguments,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, err.decode()
    assert err == b"", err.decode()
    return out.decode()


def numbers(pattern: str, text: str) -> list[tuple[str, ...]]:
    """Return what a pattern with groups finds in each line."""
    return [match.groups() for match in re.finditer(pattern, text, re.MULTILINE)]


def only(pattern: str, text: str) -> tuple[str, ...]:
    """Return the groups of the only line that fits."""
    (found,) = numbers(pattern, text) or [()]
    assert found, f"{pattern} fits nothing in:\n{text}"
    return found


@pytest.mark.parametrize("example", [name for name in EXAMPLES if name not in SHARED])
def test_an_example_says_how_to_run_it_and_is_tested_here(example: str) -> None:
    spec = importlib.util.find_spec(f"examples.{example}")
    assert spec is not None
    source = (ROOT / "examples" / f"{example}.py").read_text()
    assert f"python -m examples.{example}" in source
    assert f'run("{example}"' in Path(__file__).read_text()


async def test_concurrent_backtests_are_sorted_by_profit_and_do_not_depend_on_the_workers() -> None:
    arguments = ("--runs", "12", "--seconds", "200")
    alone, shared = await asyncio.gather(
        run("concurrent_backtests", *arguments, "--workers", "1"),
        run("concurrent_backtests", *arguments, "--workers", "2"),
    )
    assert shared == alone
    done, events, refused = only(r"^(\d+) backtests of (\d+) events, (\d+) refused$", alone)
    # The grid is (1,2) (2,2) (1,3) (2,3) (3,3) (1,4) ...: those with equal averages are refused.
    assert (int(done), int(events), int(refused)) == (9, 800, 3)
    listed = numbers(r"pnl (-?[\d.]+) usdt, (\d+) fills, digest ([0-9a-f]{32})$", alone)
    profits = [Decimal(pnl) for pnl, _, _ in listed]
    assert len(listed) == 5
    assert profits == sorted(profits, reverse=True)
    assert profits[0] > 0
    assert all(int(fills) > 0 for _, fills, _ in listed)
    assert "refused, for example: strategy ema: expected fast below slow" in alone


async def test_the_replica_in_another_process_is_equal_and_sees_orders_in_flight() -> None:
    said = await run("audit_replica", "--seconds", "150")
    last, hash_here = only(r"^engine: last tick (\d+), hash ([0-9a-f]{32})$", said)
    assert only(r"^replica: last tick (\d+), hash ([0-9a-f]{32})$", said) == (last, hash_here)
    assert int(last) > 600  # more than the market's events: the account's came too
    compared, active = only(r"^compared (\d+) times, at most (\d+) active orders seen there$", said)
    assert int(compared) == int(last) // 500 + 2  # the start record, every 500 ticks, the last one
    assert int(active) >= 4  # the quoter's bids and asks of two instruments
    assert said.endswith("\nequal\n")


async def test_historic_data_is_replayed_with_its_lost_links(tmp_path: Path) -> None:
    made, again = await asyncio.gather(
        run("historic_market_data", "--seconds", "300"), run("historic_market_data", "--seconds", "300")
    )
    assert again == made
    events, lost, seconds = only(r"^(\d+) market events, (\d+) lost links, ([\d.]+) s of market$", made)
    assert (events, lost, seconds) == ("600", "1", "299.0")
    assert only(r"^  tick \d+: link lost after ([\d.]+) s, (\d+) strategy told$", made) == ("199.000", "1")
    orders, fills = only(r"^(\d+) orders, (\d+) fills$", made)
    assert int(orders) == int(fills) > 0

    document = (
        '{"Item": {"Ok": {"time_exchange": "2024-12-20T19:05:%02d.5Z", "time_received": "2024-12-20T19:05:%02d.600Z", '
        '"exchange": "binance_spot", "instrument": 0, '
        '"kind": {"Trade": {"id": "%d", "price": %s, "amount": 0.5, "side": "Buy"}}}}}'
    )
    lost_link = '{"Reconnecting": "binance_spot"}'
    # Flat, then up: one market order at the first higher price, and nothing to sell before the end.
    prices = [100] * 9 + [110, 120, 130]
    lines = [document % (i, i, i, price) for i, price in enumerate(prices)]
    lines.insert(6, lost_link)
    by_line = tmp_path / "lines.json"
    by_line.write_text("\n".join(lines))
    as_array = tmp_path / "array.json"
    as_array.write_text("[" + ",\n".join(lines) + "]")
    said, same = await asyncio.gather(
        run("historic_market_data", str(by_line)), run("historic_market_data", str(as_array))
    )
    assert same == said
    assert "12 market events, 1 lost links, 11.0 s of market" in said
    assert "link lost after 5.000 s, 1 strategy told" in said
    assert "1 orders, 1 fills" in said
    # 1000 usdt buy 9.09090 at 110, where the crossing is seen; 0.05 % of it are the fee.
    assert only(r"^pnl (-?[\d.]+) usdt$", said) == (f"{-Decimal('9.09090') * 110 * Decimal('0.0005'):.4f}",)


async def test_each_limit_of_the_risk_manager_refuses_with_its_reason() -> None:
    said = await run("risk_manager", "--seconds", "60")
    counts = only(r"^(\d+) orders sent, (\d+) refused, (\d+) at work$", said)
    sent, refused, at_work = (int(count) for count in counts)
    # A bid at each trade, every tenth time far too much besides, every fifteenth far too dear.
    assert (sent, refused, at_work) == (3, 60 + 6 + 4 - 3, 3)
    reasons = numbers(r"^  (\w+): (\d+), for example: (.*)$", said)
    assert [(limit, int(count)) for limit, count, _ in reasons] == [("orders", 57), ("price", 4), ("value", 6)]
    orders, price, value = (reason for _, _, reason in reasons)
    assert orders == "expected at most 3 at work, found 3 before this one"
    assert re.match(r"expected within 0\.2 of the market's [\d.]+, found [\d.]+$", price)
    assert re.match(r"expected at most 100000, found \d{8}\.\d\d$", value)


def row(table: str, label: str) -> list[str]:
    """Return the cells of a table's row, without its label."""
    (line,) = [line for line in table.splitlines() if re.match(rf"│ {re.escape(label)} *│", line)]
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


async def test_a_summary_is_made_of_positions_and_balances_alone() -> None:
    text, document = await asyncio.gather(run("trading_summary"), run("trading_summary", "--json"))
    assert "(Trading Duration: 1 Day(s) & 0 Hour(s))" in text
    # Computed by hand from the five trades: (exit - entry) x quantity, long or short, less 0.05 % of both values.
    btc = [Decimal(30) - Decimal("3.015"), Decimal(-20) - Decimal("3.035"), Decimal(35) - Decimal("3.0575")]
    eth = [Decimal(-25) - Decimal("2.5125"), Decimal(50) - Decimal("2.535")]
    assert row(text, "PnL") == [str(round(sum(btc), 4))[:5], str(round(sum(eth), 4))[:5]]
    assert row(text, "Win Rate") == ["66.6%", "50.0%"]
    factors = [(btc[0] + btc[2]) / -btc[1], eth[1] / -eth[0]]
    assert row(text, "Profit Factor") == [str(factor)[:4] for factor in factors]
    assert row(text, "Balance")[2] == f"{10_000 + sum(btc) + sum(eth):.8f}"
    summary = json.loads(document)
    assert [Decimal(sheet["pnl"]) for sheet in summary["instruments"].values()] == [sum(btc), sum(eth)]
    # The deepest fall of the instrument's capital: from the peak after its first trade, or from the capital itself.
    deepest = [-btc[1] / (10_000 + btc[0]), -eth[0] / 10_000]
    found = [Decimal(sheet["pnl_drawdown_max"]["value"]) for sheet in summary["instruments"].values()]
    assert all(abs(one - other) < Decimal("1e-20") for one, other in zip(found, deepest, strict=True))


async def test_what_strategies_hold_and_made_adds_up_to_the_account() -> None:
    said = await run("multiple_strategies", "--seconds", "300")
    for instrument in ("btc", "eth"):
        net, ema, quoter = only(
            rf"^sim_alpha-{instrument}_usdt: net (\S+)\n  ema holds (\S+), .*\n  quoter holds (\S+), ", said
        )
        assert Decimal(net) == Decimal(ema) + Decimal(quoter)
    made = numbers(r"made (-?[\d.]+), open (-?[\d.]+) usdt$", said)
    assert len(made) == 4
    total = Decimal(only(r"^the account: (-?[\d.]+) usdt$", said)[0])
    assert only(r"^all strategies: (-?[\d.]+) usdt$", said) == (str(total),)
    assert abs(sum(Decimal(part) for parts in made for part in parts) - total) < Decimal("0.001")
    sheets = numbers(r"^(\w+): (\d+) fills$", said)
    assert [name for name, _ in sheets] == ["ema", "quoter"]
    assert all(int(fills) > 0 for _, fills in sheets)
    assert said.count("Win Rate") == 2


def frames() -> Iterator[tuple[str, bytes]]:
    """Yield books and trades of both instruments whose prices go up and down, for ever."""
    for number in count(1):
        cents = 10_000_000 + 20_000 * abs(number % 40 - 20)
        bid, price, ask = (f"{(cents + offset) / 100:.2f}" for offset in (-100, 0, 100))
        for symbol in ("BTCUSDT", "ETHUSDT"):
            book = book_ticker_frame(symbol, number, bid=bid, bid_quantity="2", ask=ask, ask_quantity="2")
            yield stream_name(symbol, BOOK_TICKER_CHANNEL), book
            time_ms = time.time_ns() // 1_000_000
            made = trade_frame(symbol, number, price, "0.5", time_ms=time_ms, buyer_is_maker=number % 2 == 0)
            yield stream_name(symbol, TRADE_CHANNEL), made


async def test_live_data_of_a_venue_is_traded_on_paper_and_audited() -> None:
    async def publish(venue: VenueServer) -> None:
        await venue.wait_subscribed("btcusdt@trade", "ethusdt@bookTicker", within_s=PATIENCE_S)
        for stream, payload in frames():
            await venue.publish(stream, payload)
            await asyncio.sleep(0.001)

    async with VenueServer() as venue:
        publishing = asyncio.create_task(publish(venue))
        said = await run("live_paper", "--url", venue.ws_url, "--events", "1000")
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    events, orders, fills, still_open = only(
        r"^(\d+) market events, (\d+) orders, (\d+) fills, (\d+) positions open$", said
    )
    assert (int(events), int(still_open)) == (1_000, 0)
    assert int(orders) == int(fills) > 0
    # Nothing before trading was enabled, at the hundredth market event; the operator's commands stand in the audit.
    enabled = said.index("TradingStateUpdate(state=<TradingState.ENABLED")
    trades = numbers(r"^\d+: (buy|sell) ([\d.]+) binance_spot-(\w+) at ([\d.]+)$", said)
    assert len(trades) == int(fills)
    assert enabled < said.index(": buy ")
    assert said.index("CancelOrders") < said.index("ClosePositions")
    # The profit follows from the fills that were printed: what was sold less what was bought, less 0.05 % of both.
    sign = {"buy": -1, "sell": 1}
    values = [(sign[side], Decimal(quantity) * Decimal(price)) for side, quantity, _, price in trades]
    pnl = sum(way * value for way, value in values) - sum(value for _, value in values) * Decimal("0.0005")
    assert Decimal(only(r"^pnl (-?[\d.]+) usdt$", said)[0]) == round(pnl, 8)
    by_instrument = row(said[said.index("│ Instrument") : said.index("│ Asset")], "PnL")
    assert abs(sum(Decimal(cell) for cell in by_instrument) - pnl) < Decimal("0.02")  # the table cuts digits off
    assert said.rstrip().endswith(": equal")
