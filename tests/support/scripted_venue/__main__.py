"""Run the venue: ``python -m tests.support.scripted_venue FOLDER SEED``. It writes its port to FOLDER/port.

One JSON object a connection, one answer, then it closes. Of all requests a share is carried out late (after the client
has given up), one carried out without an answer, one refused, and one dropped unseen; the seed decides which.
"""

import asyncio
import json
import random
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.scripted_venue.record import Record, Recorded

LATE, UNANSWERED, DROPPED, REFUSED = 0.03, 0.05, 0.03, 0.05
LATE_S = (0.3, 0.8)


class VenueProcess:
    """The orders and fills of one account."""

    def __init__(self, record: Record, rng: random.Random) -> None:
        self._record = record
        self._rng = rng
        self._orders: dict[str, dict[str, Any]] = {}
        self._trades: list[dict[str, Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            # A client that was killed has asked nothing.
            answer = await self._answer(json.loads(line)) if line.endswith(b"\n") else None
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # the client has gone; what was carried out is recorded
        finally:
            writer.close()

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        if asked["op"] == "query":
            return {"order": self._orders.get(asked["cid"])}
        if asked["op"] == "open_orders":
            return {"orders": [order for order in self._orders.values() if order["status"] == "open"]}
        if asked["op"] == "trades":
            return {"trades": [trade for trade in self._trades if trade["time_ns"] >= asked["since_ns"]]}
        return await self._carry_out(asked)

    async def _carry_out(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        drawn = self._rng.random()
        if drawn < DROPPED:
            return None
        how = "at once"
        if drawn < DROPPED + LATE:
            how = "late"
            await asyncio.sleep(self._rng.uniform(*LATE_S))
        elif drawn < DROPPED + LATE + UNANSWERED:
            how = "unanswered"
        elif drawn < DROPPED + LATE + UNANSWERED + REFUSED and asked["op"] == "submit":
            return {"refused": "the venue does not like it"}
        answer = self._submit(asked, how) if asked["op"] == "submit" else self._cancel(asked, how)
        return None if how != "at once" else answer

    def _submit(self, asked: dict[str, Any], how: str) -> dict[str, Any]:
        filled = asked["quantity"] if self._rng.random() < 0.5 else "0"
        self._record.add(Recorded("submit", asked["cid"], how, filled))
        order = {
            "cid": asked["cid"],
            "request": asked["request"],
            "id": str(len(self._orders) + 1),
            "time_ns": time.time_ns(),
            "status": "filled" if Decimal(filled) else "open",
            "filled": filled,
        }
        self._orders[asked["cid"]] = order
        if Decimal(filled):
            number = len(self._trades) + 1
            self._trades.append({**order, "trade_id": f"t{number}", "price": asked["price"]})
        return {"order": order}

    def _cancel(self, asked: dict[str, Any], how: str) -> dict[str, Any]:
        order = self._orders.get(asked["cid"])
        if order is None or order["status"] != "open":
            return {"refused": "no such open order"}
        self._record.add(Recorded("cancel", asked["cid"], how))
        order["status"] = "cancelled"
        order["time_ns"] = time.time_ns()
        return {"order": order}


async def main(folder: Path, seed: int) -> None:
    venue = VenueProcess(Record(folder / "venue.jsonl"), random.Random(seed))
    server = await asyncio.start_server(venue.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    temporary = folder / "port.tmp"
    temporary.write_text(str(port))
    temporary.replace(folder / "port")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
