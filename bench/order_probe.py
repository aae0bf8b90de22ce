"""The engine with a venue's account, and that account's owner, with a stop-watch between them.

    python -m bench.order_probe engine | execution

A strategy orders at every so many market events, at a price that says when the event was received. The owner is the
real one, with its journal; its venue refuses every order at once, so that none is left. How old the event is when the
request arrives at the owner, and when the request may go out to the venue (its intent is on disk then), goes to the
files named by ``TRADEBUS_BENCH_LAGS`` as in ``audit_probe``.
"""

import os
import secrets
import sys
import time
from array import array
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Final

from bench.audit_probe import LAGS_VARIABLE
from services.engine.bootstrap import build, crash_latch, snapshot_store
from services.engine.started import engine_started
from services.execution.venue import Venue
from services.execution.venue_execution import VenueExecution, VenueSetup
from services.runtime import Runtime, Service, main
from services.runtime.nats import provision_streams
from tradebus.bus.message import Request
from tradebus.config.strategies import make_strategies
from tradebus.core.engine.event import AccountSetup, EngineStarted
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import NO_CLIENT_ORDER_ID, ExchangeIndex, StrategyId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.order import (
    Cancelled,
    Open,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Decision, Strategy
from tradebus.wire import subjects
from tradebus.wire.codec.exec import order_requests_from_bytes

ORDER_EVERY: Final = 500
ARRIVED_SUFFIX: Final = ".arrived"
READY_SUFFIX: Final = ".ready"
_US: Final = 1_000
_WRAP: Final = 1_000_000_000
"""Prices say microseconds, of a thousand seconds: more digits than that no instrument has."""


class Stamping(Strategy):
    """Orders at every ``ORDER_EVERY``th market event, at a price that is the event's time of receipt."""

    def __init__(self, strategy: StrategyId, params: Mapping[str, object], index: IndexedInstruments) -> None:
        if params:
            raise ValueError(f"expected no parameters, found {sorted(params)}")
        self._id = strategy
        self._instruments = len(index.instruments)
        self._seen = 0

    @property
    def id(self) -> StrategyId:
        """Return its id."""
        return self._id

    def generate_algo_orders(self, state: EngineState, event: EngineEvent) -> Decision | None:  # noqa: ARG002
        """Order when it is time."""
        if not isinstance(event, MarketEvent):
            return None
        self._seen += 1
        if self._seen % ORDER_EVERY:
            return None
        key = OrderKey(event.exchange, event.instrument, self._id, NO_CLIENT_ORDER_ID)
        price = Decimal(event.time_received_ns // _US % _WRAP + 1)
        order = OrderRequestOpen(key, Side.BUY, price, Decimal(1), OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED)
        return Decision((), (order,))


def lag_ns(request: OrderRequestOpen, now_ns: int) -> int:
    """Return how long ago the event was received that a request was decided on, nanoseconds."""
    price = request.price
    if price is None:
        raise ValueError("expected an order with a price")
    return (now_ns // _US - int(price) + 1) % _WRAP * _US


class Lags:
    """A file of lags."""

    def __init__(self, suffix: str) -> None:
        path = Path(os.environ[LAGS_VARIABLE] + suffix)
        self._file: Final[BinaryIO] = path.open("ab")

    def add(self, request: OrderRequestOpen) -> None:
        """Note a request that is here now."""
        array("q", [lag_ns(request, time.time_ns())]).tofile(self._file)
        self._file.flush()


class RefusingVenue(Venue):
    """Notes when an order might go out, and refuses it."""

    def __init__(self) -> None:
        self._lags: Final = Lags(READY_SUFFIX)

    @property
    def landing_ns(self) -> int:
        """Return 0: nothing is on its way."""
        return 0

    async def submit(self, request: OrderRequestOpen) -> Open | OrderError:
        """Refuse."""
        self._lags.add(request)
        return OrderError(OrderErrorKind.ORDER_REJECTED, request.key.cid, "this venue measures only")

    async def cancel(self, request: OrderRequestCancel) -> Cancelled | OrderError:
        """Refuse."""
        return OrderError(OrderErrorKind.ORDER_UNKNOWN, request.key.cid, "no order rests here")

    async def amend(self, request: OrderRequestAmend) -> Open | OrderError:
        """Refuse."""
        return OrderError(OrderErrorKind.ORDER_UNKNOWN, request.key.cid, "no order rests here")

    async def query(self, key: OrderKey) -> Order | None:  # noqa: ARG002
        """Return that there is none."""
        return None

    async def open_orders(self) -> list[Order]:
        """Return that there are none."""
        return []

    async def trades(self, since_ns: int) -> list[Trade]:  # noqa: ARG002
        """Return that there are none."""
        return []


async def engine(runtime: Runtime) -> Service:
    """Return the engine service as bootstrapped, but for its accounts: they are a venue's."""
    settings = runtime.settings
    told = engine_started(settings, secrets.token_hex(3))
    accounts = tuple(AccountSetup(each.exchange, each.account, None) for each in told.accounts)
    started = EngineStarted(
        told.engine_id, told.mode, told.run, told.code, told.index, accounts, told.strategies, told.trading
    )
    bus = await runtime.connect_nats()
    await provision_streams(settings)
    return await build(
        runtime, bus, started, make_strategies(settings), crash_latch(settings), snapshot_store(settings)
    )


async def execution(runtime: Runtime) -> Service:
    """Return the execution service for that account, and listen beside it to what arrives."""
    settings = runtime.settings
    account = settings.account(next(iter(settings.exchanges)))
    bus = await runtime.connect_nats()
    # On a connection of its own: the server counts a request as answered by whoever on a connection gets it second, and
    # would refuse the owner's reply.
    listening = await runtime.connect_nats()
    arrived = Lags(ARRIVED_SUFFIX)

    def note(request: Request) -> None:
        for each in order_requests_from_bytes(request.payload).requests:
            if isinstance(each, OrderRequestOpen):
                arrived.add(each)

    await listening.respond(subjects.exec_(account), note)
    return VenueExecution(runtime, bus, [VenueSetup(account, ExchangeIndex(0), RefusingVenue())])


if __name__ == "__main__":
    if sys.argv[1:] == ["engine"]:
        raise SystemExit(main("engine", engine, []))
    raise SystemExit(main("execution", execution, []))
