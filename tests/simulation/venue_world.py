"""Simulated systems with an account at a venue: orders leave, and come back late, never, or not at all.

The venue outlives every process. It knows how often it was asked for each order, and when it is asked looks whether
the journals explain it.
"""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from typing import Final, final

from services.engine.live import LiveEngine
from services.engine.outbox import TTL_NS
from services.execution.resolving import ResolvePolicy
from services.execution.venue import Unanswered, Venue
from services.execution.venue_execution import VenueExecution, VenueSetup
from services.runtime import Runtime, Service
from tests.simulation.network import SimulatedBus
from tests.simulation.world import ENGINE, World
from tests.support.engine_service import TestMarket
from tests.support.oracles import AccountOracle, AuditOracle
from tradebus.bus.errors import BusUnavailable, Refused
from tradebus.bus.interface import Bus
from tradebus.bus.memory_store import MemoryStream
from tradebus.core.engine.command import Command, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.event import AccountSetup, EngineStarted
from tradebus.core.model.account import Liquidity, Trade
from tradebus.core.model.identifiers import (
    NO_CLIENT_ORDER_ID,
    STRATEGY_UNKNOWN,
    ExchangeIndex,
    InstrumentIndex,
    OrderId,
    TradeId,
)
from tradebus.core.model.number import ZERO
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
    order_from_request,
)
from tradebus.core.model.side import Side
from tradebus.core.strategy.interface import Strategy
from tradebus.wire import subjects
from tradebus.wire.codec.command import CommandMessage, command_message_to_bytes
from tradebus.wire.integrity import checked_headers

GRACE_NS: Final = 500_000_000
LANDING_S: Final = 1.5
ANSWER_S: Final = 0.6
POLICY: Final = ResolvePolicy(clean_queries=2, clean_s=0.5, query_period_s=0.2, poll_period_s=0.4)
DROPPED, SILENT, LATE, REFUSED = 0.05, 0.08, 0.08, 0.05


@final
class SimulatedVenue(Venue):
    """One venue and its truth. ``world`` says whether faults happen now, and is told what must not be."""

    def __init__(self, world: "VenueWorld") -> None:
        self._world: Final = world
        self._draw: Final = random.Random(world.seed + 2)
        self.submitted: Final[Counter[str]] = Counter()
        self.orders: Final[dict[str, Order]] = {}
        self.fills: Final[list[Trade]] = []

    @property
    def landing_ns(self) -> int:
        """Return how late a request may still land."""
        return round(LANDING_S * 1_000_000_000)

    async def submit(self, request: OrderRequestOpen) -> Open | OrderError:
        """Take an order, once at most and never without an explanation."""
        cid = request.key.cid
        self.submitted[cid] += 1
        self._world.note_submission(cid, self.submitted[cid])
        fate = self._fate()
        if fate == "refuse":
            await self._travel()
            return OrderError(OrderErrorKind.ORDER_REJECTED, cid, "the venue does not want it")
        loop = asyncio.get_running_loop()
        if fate != "drop":
            # Whatever becomes of who sent it, it is on its way.
            delay_s = self._draw.uniform(0.2, LANDING_S - 0.1) if fate == "late" else self._draw.uniform(0.001, 0.02)
            loop.call_later(delay_s, self._carry_out, request)
        if fate:
            await asyncio.sleep(ANSWER_S)
            raise Unanswered("submit", fate)
        await self._travel()
        state = self.orders[cid].state
        assert isinstance(state, Open)
        return state

    async def cancel(self, request: OrderRequestCancel) -> Cancelled | OrderError:
        """Cancel an order; twice harms nothing."""
        await self._travel()
        if self._fate():
            raise Unanswered("cancel", "lost")
        order = self.orders.get(request.key.cid)
        if order is None or not isinstance(order.state, Open):
            return OrderError(OrderErrorKind.ORDER_UNKNOWN, request.key.cid, "no such order is open")
        state = Cancelled(order.state.id, self._now_ns())
        self.orders[request.key.cid] = order.with_state(state)
        return state

    async def amend(self, request: OrderRequestAmend) -> Open | OrderError:
        """Refuse: nobody amends here."""
        return OrderError(OrderErrorKind.ORDER_REJECTED, request.key.cid, "nothing is amended here")

    async def query(self, key: OrderKey) -> Order | None:
        """Return an order as it is."""
        await self._travel()
        if self._fate():
            raise Unanswered("query", "lost")
        return self.orders.get(key.cid)

    async def open_orders(self) -> list[Order]:
        """Return every order that is open."""
        await self._travel()
        return [order for order in self.orders.values() if isinstance(order.state, Open)]

    async def trades(self, since_ns: int) -> list[Trade]:
        """Return the fills from a time on."""
        await self._travel()
        if self._fate():
            raise Unanswered("trades", "lost")
        return [trade for trade in self.fills if trade.time_exchange_ns >= since_ns]

    def fill_some(self) -> None:
        """Fill a tenth of an order that is open."""
        names = [name for name, order in self.orders.items() if isinstance(order.state, Open)]
        if not names:
            return
        order = self.orders[self._draw.choice(names)]
        assert isinstance(order.state, Open)
        key = order.key
        number = TradeId(str(len(self.fills)))
        amount = order.quantity / 1000
        self.fills.append(
            Trade(
                number, order.state.id, key.cid, key.instrument, key.strategy, self._now_ns(), order.side, order.price,
                amount, ZERO, None, Liquidity.MAKER,
            )
        )  # fmt: skip

    def _carry_out(self, request: OrderRequestOpen) -> None:
        state = Open(OrderId(str(len(self.orders) + 1)), self._now_ns(), ZERO)
        self.orders[request.key.cid] = order_from_request(request).with_state(state)

    def _fate(self) -> str:
        """Return what goes wrong with a request, empty for nothing."""
        if not self._world.is_faulty:
            return ""
        dice = self._draw.random()
        for name, odds in (("drop", DROPPED), ("silent", SILENT), ("late", LATE), ("refuse", REFUSED)):
            dice -= odds
            if dice < 0:
                self._world.network.fired[f"venue_{name}"] += 1
                return name
        return ""

    async def _travel(self) -> None:
        await asyncio.sleep(self._draw.uniform(0.021, 0.03))

    def _now_ns(self) -> int:
        return self._world.loop.wall_ns() - self._world.loop.offset_ns


class VenueWorld(World):
    """A system with one account at a venue, whose orders an operator gives."""

    are_at_venues = True

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.venue: Final = SimulatedVenue(self)
        self.exchange: Final = ExchangeIndex(0)
        self._seen_audit: Final = AuditOracle()
        self._seen_account: Final = AccountOracle(self.accounts[0], is_at_venue=True)
        self._orders = 0

    def started(self, run: str) -> EngineStarted:
        """Return the start record of an engine whose only account is at the venue."""
        made = super().started(run)
        accounts = (AccountSetup(self.exchange, self.accounts[0], None),)
        return EngineStarted(
            made.engine_id, made.mode, made.run, made.code, made.index, accounts, (), made.trading, (), None, None
        )

    async def boot_execution(self, runtime: Runtime, bus: Bus) -> Service:
        """Build one of the two replicas that may own the account."""
        return VenueExecution(runtime, bus, [VenueSetup(self.accounts[0], self.exchange, self.venue)], POLICY)

    def strategies(self) -> list[Strategy]:
        """Return none: orders come from an operator."""
        return []

    async def market(self, markets: list[TestMarket]) -> None:
        """Let an operator give orders, cancel some, and the venue fill some, beside the market."""
        draw = random.Random(self.seed + 3)
        trading = self.loop.create_task(super().market(markets))
        bus = SimulatedBus(self.network, lambda event: None)
        try:
            while True:
                await asyncio.sleep(draw.uniform(0.05, 0.3))
                await self._order(bus, draw)
                if draw.random() < 0.3:
                    self.venue.fill_some()
        finally:
            trading.cancel()

    async def _order(self, bus: Bus, draw: random.Random) -> None:
        self._orders += 1
        known = [order for order in self.venue.orders.values() if isinstance(order.state, Open)]
        key = OrderKey(self.exchange, InstrumentIndex(0), STRATEGY_UNKNOWN, NO_CLIENT_ORDER_ID)
        action: SendOpenRequests | SendCancelRequests = SendOpenRequests(
            (
                OrderRequestOpen(
                    key, Side.BUY, Decimal(90), Decimal(1), OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED
                ),
            )
        )
        if known and draw.random() < 0.4:
            action = SendCancelRequests((OrderRequestCancel(draw.choice(known).key, None),))
        command = Command(f"order-{self._orders}", "trader", action)
        payload = command_message_to_bytes(CommandMessage(command.id, command.origin, 1, 0, command))
        try:
            await bus.append(subjects.cmd(ENGINE), payload, headers=checked_headers(payload), timeout_s=0.5)
        except (BusUnavailable, Refused):
            return  # nobody insists

    def note_submission(self, cid: str, times: int) -> None:
        """Look whether the venue may be asked for an order now."""
        self._read(self.broker.stream(subjects.audit_stream(ENGINE)), self._seen_audit)
        self._read(self.broker.stream(subjects.acct_stream(self.accounts[0])), self._seen_account)
        sent_ns = self._audit_time_ns(cid)
        is_timed = sent_ns is not None and not self.menu.clock_steps
        if is_timed and sent_ns is not None and self.loop.wall_ns() - sent_ns > TTL_NS + GRACE_NS:
            self.violations.append(f"order {cid} was sent to the venue when its time to live was over")
        if times > 1:
            self.violations.append(f"order {cid} was sent to the venue {times} times")
        if cid not in self._seen_audit.opened:
            self.violations.append(f"order {cid} was sent to the venue before the tick that explains it was durable")
        if cid not in self._seen_account.intents:
            self.violations.append(f"order {cid} was sent to the venue before its intent was durable")

    def _read(self, stream: MemoryStream, oracle: AuditOracle | AccountOracle) -> None:
        for sequence in range(oracle.verifier.position + 1, stream.last_sequence + 1):
            message = stream.message(sequence)
            assert message is not None
            oracle.take(message)

    def _audit_time_ns(self, cid: str) -> int | None:
        """Return the engine time of the tick that sent an order."""
        sequence = self._seen_audit.opened.get(cid)
        return None if sequence is None else self._seen_audit.times_ns[sequence]

    async def settle(self) -> None:
        """Wait until every order is known, and compare with the venue."""
        await self.until(self._is_settled, "every order is known")
        ours = {str(order.key.cid) for order in self._engine_orders()}
        theirs = {name for name, order in self.venue.orders.items() if isinstance(order.state, Open)}
        self.promise(ours == theirs, f"open orders of the engine {sorted(ours)}, of the venue {sorted(theirs)}")

    def _is_settled(self) -> bool:
        service = self.running["engine"].built
        if not isinstance(service, LiveEngine) or service.status()["requests_waiting"]:
            return False
        return all(isinstance(order.state, Open) for order in self._engine_orders())

    def _engine_orders(self) -> list[Order]:
        service = self.running["engine"].built
        assert isinstance(service, LiveEngine)
        state = service._base.engine.state
        return [order for instrument in state.instruments for order in instrument.orders.values()]
