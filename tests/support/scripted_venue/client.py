"""The client of the scripted venue, as a venue's folder would hold one."""

import asyncio
import base64
import json
from decimal import Decimal
from typing import Any

from services.execution.venue import Unanswered, Venue
from tradebus.core.model.account import Liquidity, Trade
from tradebus.core.model.identifiers import OrderId, TradeId
from tradebus.core.model.order import (
    FULLY_FILLED,
    Cancelled,
    Open,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
    order_from_request,
)
from tradebus.wire.codec.order import order_request_open_from_pb, order_request_open_to_pb
from tradebus.wire.pb.v1 import order_pb2

TIMEOUT_S = 0.25
LANDING_NS = 1_500_000_000


class ScriptedVenue(Venue):
    """Asks the process on a port; one connection a question, nothing tried twice."""

    def __init__(self, port: int) -> None:
        self._port = port

    @property
    def landing_ns(self) -> int:
        return LANDING_NS

    async def submit(self, request: OrderRequestOpen) -> Open | OrderError:
        message = order_pb2.OrderRequestOpen()
        order_request_open_to_pb(request, message)
        asked = {
            "op": "submit",
            "cid": request.key.cid,
            "price": str(request.price),
            "quantity": str(request.quantity),
            "request": base64.b64encode(message.SerializeToString()).decode(),
        }
        answer = await self._ask(asked)
        if "refused" in answer:
            return OrderError(OrderErrorKind.ORDER_REJECTED, request.key.cid, answer["refused"])
        return _open(answer["order"])

    async def cancel(self, request: OrderRequestCancel) -> Cancelled | OrderError:
        answer = await self._ask({"op": "cancel", "cid": request.key.cid})
        if "refused" in answer:
            return OrderError(OrderErrorKind.ORDER_UNKNOWN, request.key.cid, answer["refused"])
        return _cancelled(answer["order"])

    async def amend(self, request: OrderRequestAmend) -> Open | OrderError:
        return OrderError(OrderErrorKind.ORDER_REJECTED, request.key.cid, "this venue amends nothing")

    async def query(self, key: OrderKey) -> Order | None:
        found = (await self._ask({"op": "query", "cid": key.cid}))["order"]
        return None if found is None else _order(found)

    async def open_orders(self) -> list[Order]:
        return [_order(found) for found in (await self._ask({"op": "open_orders"}))["orders"]]

    async def trades(self, since_ns: int) -> list[Trade]:
        return [_trade(found) for found in (await self._ask({"op": "trades", "since_ns": since_ns}))["trades"]]

    async def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(json.dumps(asked).encode() + b"\n")
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.close()
        except (TimeoutError, OSError) as error:
            raise Unanswered(asked["op"], repr(error)) from error
        if not line:
            raise Unanswered(asked["op"], "the connection was closed without an answer")
        return dict(json.loads(line))


def _open(found: dict[str, Any]) -> Open:
    return Open(OrderId(found["id"]), found["time_ns"], Decimal(found["filled"]))


def _cancelled(found: dict[str, Any]) -> Cancelled:
    return Cancelled(OrderId(found["id"]), found["time_ns"])


def _request(found: dict[str, Any]) -> OrderRequestOpen:
    return order_request_open_from_pb(order_pb2.OrderRequestOpen.FromString(base64.b64decode(found["request"])))


def _order(found: dict[str, Any]) -> Order:
    states: dict[str, OrderState] = {
        "open": _open(found),
        "cancelled": _cancelled(found),
        "filled": FULLY_FILLED,
    }
    return order_from_request(_request(found)).with_state(states[found["status"]])


def _trade(found: dict[str, Any]) -> Trade:
    request = _request(found)
    return Trade(
        TradeId(found["trade_id"]),
        OrderId(found["id"]),
        request.key.cid,
        request.key.instrument,
        request.key.strategy,
        found["time_ns"],
        request.side,
        Decimal(found["price"]),
        Decimal(found["filled"]),
        Decimal(0),
        None,
        Liquidity.TAKER,
    )
