"""Look at a running system from outside, as a user would: REST, journals, commands.

Nothing here uses the services' own modules, so that what they say can be checked against what the journals hold.
"""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from tradebus.bus.interface import Bus
from tradebus.core.engine.command import Command, SendOpenRequests
from tradebus.core.engine.event import AccountEvent, TradeReceived
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import (
    NO_CLIENT_ORDER_ID,
    STRATEGY_UNKNOWN,
    AssetIndex,
    ExchangeIndex,
    InstrumentIndex,
)
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import OrderKey, OrderKind, OrderRequestOpen, TimeInForce
from tradebus.core.model.side import Side
from tradebus.journal.verify import AccountVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import UNBOUNDED
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.integrity import checked_headers

POLL_S = 0.05


async def until(condition: Callable[[], Awaitable[Any]], what: str, limit_s: float = 30.0) -> Any:
    """Return what ``condition()`` gives as soon as it is true; fail the test when it is not within ``limit_s``."""
    deadline = asyncio.get_running_loop().time() + limit_s
    while True:
        found = await condition()
        if found:
            return found
        if asyncio.get_running_loop().time() >= deadline:
            raise AssertionError(f"not within {limit_s:g} s: {what}")
        await asyncio.sleep(POLL_S)


async def get(url: str) -> dict[str, Any]:
    """Return the JSON at an address, an empty map while nobody answers or the answer is an error."""

    def ask() -> dict[str, Any]:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return {}

    return await asyncio.to_thread(ask)


@dataclass
class AccountSum:
    """What the fills in an account's journal add up to."""

    trades: list[tuple[int, Trade]] = field(default_factory=list)
    """Each fill with the sequence of the tick that caused it."""
    net: dict[InstrumentIndex, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Net quantity in base."""
    moved: dict[AssetIndex, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """What was added to each asset, fees included."""


async def account_sum(bus: Bus, account: str, index: IndexedInstruments) -> AccountSum:
    """Return the independent sum over everything that an account's journal holds now."""
    total = AccountSum()
    verifier = AccountVerifier(UNBOUNDED)
    stream = subjects.acct_stream(account)
    for sequence in range(1, (await bus.journal_state(stream)).last_sequence + 1):
        message = await bus.message(stream, sequence)
        assert message is not None, f"{stream}: message {sequence} is missing"
        for entry in verifier.accept(message).entries:
            record = entry.record
            if isinstance(record, AccountEvent) and isinstance(record.data, TradeReceived):
                _add(total, record.cause, record.data.trade, index)
    return total


def _add(total: AccountSum, cause: int, trade: Trade, index: IndexedInstruments) -> None:
    sign = 1 if trade.side is Side.BUY else -1
    instrument = index.instruments[trade.instrument]
    total.trades.append((cause, trade))
    total.net[trade.instrument] += sign * trade.quantity
    total.moved[instrument.base] += sign * trade.quantity
    total.moved[instrument.quote] -= sign * trade.price * trade.quantity + trade.fees


async def send_market_order(
    bus: Bus, engine: str, exchange: int, instrument: int, side: Side, price: str, quantity: str
) -> str:
    """Command the engine to open a market order; return the command's id."""
    key = OrderKey(ExchangeIndex(exchange), InstrumentIndex(instrument), STRATEGY_UNKNOWN, NO_CLIENT_ORDER_ID)
    request = OrderRequestOpen(
        key, side, Decimal(price), Decimal(quantity), OrderKind.MARKET, TimeInForce.IMMEDIATE_OR_CANCEL
    )
    command = Command(uuid4().hex, "test", SendOpenRequests((request,)))
    payload = command_message_to_bytes(CommandMessage(command.id, command.origin, time.time_ns(), 0, command))
    await bus.append(subjects.cmd(engine), payload, headers=checked_headers(payload))
    return command.id
