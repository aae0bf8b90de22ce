"""Simulate an exchange account from the engine's own ticks: requests in, account events out, in engine time.

The exchange is fed finished ticks, event first, then outputs, and so sees exactly the engine's market events and
requests in journal order. The same class serves paper trading, replay and backtest; what it gives depends on the ticks
alone. Half the latency passes until a request arrives, half until its answer does.

Fills. Takers fill at the best opposite price, up to the amount shown; what remains of a market, immediate-or-cancel or
fill-or-kill order is cancelled, of a limit order rests. A resting order fills at its own price when the opposite best
price reaches it, when a trade goes through it, and at a trade at its price once the queue before it is used up. An
amended order keeps its place in the queue if it only gets smaller; at another price, or larger, it begins at the end. A
setup that is ``is_market_only`` knows no market: see ``_open_at_request``.

An engine that goes on (``EngineResumed``) finds its account as it was, on the terms that it is configured with now:
latency and fees are those of the new start record, what open orders bind follows the fees (an order that the account
cannot bear any more is cancelled), and an asset that it had no balance for begins with the configured one. One that
starts afresh finds a new account.

Keys. An event's key is (sequence of the last tick folded, ordinal from 1); keys only grow, so each is applied once.
"""

from collections import deque
from decimal import Decimal
from typing import Final, final

from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    AccountSetup,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    EngineStarted,
    OrderReceived,
    SimulationSetup,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.market.event import BookL1, MarketEvent, PublicTrade
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Liquidity, Trade
from tradebus.core.model.identifiers import AssetIndex, ClientOrderId, InstrumentIndex, OrderId, TradeId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import InstrumentKind
from tradebus.core.model.number import ZERO, enter_engine_context
from tradebus.core.model.order import (
    FULLY_FILLED,
    Cancelled,
    Open,
    OpenFailed,
    Order,
    OrderError,
    OrderErrorKind,
    OrderKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    OrderState,
    TimeInForce,
    order_from_request,
)
from tradebus.core.model.side import Side
from tradebus.core.model.trading_rules import spec_problem
from tradebus.core.simulation.book import TopOfBook, empty_book
from tradebus.core.simulation.ledger import Ledger
from tradebus.core.simulation.resting import RestingOrder
from tradebus.core.simulation.state import SimulatedBalance, SimulationState
from tradebus.core.simulation.transit import (
    NEVER,
    Arrivals,
    Deliveries,
    Request,
)

TRADES_KEPT_MAX: Final = 10_000
"""How many of its last fills an account can be asked for."""
LIMIT_NOT_SUPPORTED: Final = "MockExchange does not supported OrderKind: Limit"
"""The reference's words, by which its users know the refusal."""


@final
class SimulatedExchange:
    """One simulated account on one exchange; see the module for how it fills."""

    def __init__(self, index: IndexedInstruments, setup: AccountSetup) -> None:
        if setup.simulation is None:
            raise ValueError(f"account {setup.account}: expected a simulated account, found one of a venue")
        simulation: SimulationSetup = setup.simulation
        self.setup = setup
        self._index = index
        self._is_begun = False
        self._fee_maker = simulation.fee_maker
        self._fee_taker = simulation.fee_taker
        self._fee_reserved = max(simulation.fee_maker, simulation.fee_taker, ZERO)
        self._half_ns = simulation.latency_ns // 2
        self._answer_ns = simulation.latency_ns - simulation.latency_ns // 2
        self._books = [empty_book() for _ in index.instruments]
        self._resting: Final[dict[ClientOrderId, RestingOrder]] = {}
        self._arrivals = Arrivals()
        self._deliveries = Deliveries()
        self._ledger = Ledger(simulation.balances)
        self._sequence = 0
        self._ordinal = 0
        self._orders = 0
        self._trades = 0
        self._history: Final[deque[Trade]] = deque(maxlen=TRADES_KEPT_MAX)
        self._is_market_only = simulation.is_market_only

    @property
    def index(self) -> IndexedInstruments:
        """Return the index whose numbers are used here."""
        return self._index

    def fold(self, tick: AuditTick) -> None:
        """Take in the engine's next tick: what arrives until then, its market event, then its requests."""
        event = tick.event
        if isinstance(event, EngineStarted):
            self._begin(tick)
            return
        if isinstance(event, EngineResumed) and not self._is_begun:
            self._begin(tick)
            return
        if self._arrivals.next_ns <= tick.time_ns:
            self.advance(tick.time_ns)
        if tick.sequence != self._sequence:
            self._sequence = tick.sequence
            self._ordinal = 0
        if isinstance(event, EngineResumed):
            self._resume(event.started, tick.time_ns)
        if isinstance(event, MarketEvent) and event.exchange == self.setup.exchange:
            self._fold_market(event, tick.time_ns)
        if tick.outputs:
            for output in tick.outputs:
                if isinstance(output, RequestsDecided):
                    self._fold_requests(output, tick.time_ns)
            self.advance(tick.time_ns)

    def fold_quiet(self, ticks: tuple[AuditTick, ...], begin: int) -> int:
        """Take in plain ticks of market events from ``begin`` on, the last of them one at which an event falls due.

        Return the place behind the last that was taken in: what stands there is of another kind, or the end.
        """
        for place in range(begin, len(ticks)):
            tick = ticks[place]
            if tick.outputs or not isinstance(tick.event, MarketEvent):
                return place
            self.fold(tick)
            if self._deliveries.next_ns <= tick.time_ns:
                return place + 1
        return len(ticks)

    def submit(self, request: Request, time_ns: int) -> None:
        """Send a request at a time, besides those of the ticks; times must not go back."""
        self._arrivals.add(time_ns + self._half_ns, request)

    def advance(self, time_ns: int) -> None:
        """Let every request arrive that is due at a time."""
        enter_engine_context()
        arrivals = self._arrivals
        while arrivals.next_ns <= time_ns:
            arrival = arrivals.pop()
            request = arrival.request
            if isinstance(request, OrderRequestOpen):
                self._open(request, arrival.time_ns)
            elif isinstance(request, OrderRequestAmend):
                self._amend(request, arrival.time_ns)
            else:
                self._cancel(request, arrival.time_ns)

    @property
    def wake_ns(self) -> int:
        """Return when something happens next without a tick, an arrival or an event due at the engine; else NEVER."""
        return min(self._arrivals.next_ns, self._deliveries.next_ns)

    def next_time_ns(self) -> int | None:
        """Return when something happens next without a tick, none if nothing is on its way."""
        wake_ns = self.wake_ns
        return None if wake_ns == NEVER else wake_ns

    def pop_due(self, time_ns: int) -> list[AccountEvent]:
        """Return the account events due at a time, in order, and forget them."""
        return self._deliveries.pop_due(time_ns) if self._deliveries.next_ns <= time_ns else []

    def open_orders(self) -> list[ClientOrderId]:
        """Return the ids of the orders resting on the book, in the order they came."""
        return list(self._resting)

    def arrival_ns(self, time_ns: int) -> int:
        """Return when a request that is sent at a time arrives."""
        return time_ns + self._half_ns

    def balances(self, time_ns: int) -> list[AssetBalance]:
        """Return the balance of every asset that the account ever had, in index order, told at a time."""
        return [self._ledger.balance(asset, time_ns) for asset in self._ledger.assets()]

    def orders(self, time_ns: int) -> list[Order]:
        """Return the orders resting on the book, in the order they came, told at a time."""
        return [
            order_from_request(order.request).with_state(Open(order.id, time_ns, order.filled))
            for order in self._resting.values()
        ]

    def trades(self, since_ns: int) -> list[Trade]:
        """Return the fills from a time on, in order; of the last ``TRADES_KEPT_MAX`` of the account."""
        return [trade for trade in self._history if trade.time_exchange_ns >= since_ns]

    def state(self) -> SimulationState:
        """Return everything that this exchange knows, as it is now."""
        ledger = self._ledger
        balances = [(asset, ledger.entry(asset)) for asset in ledger.assets()]
        return SimulationState(
            tuple([book.copied() for book in self._books]),
            tuple([order.copied() for order in self._resting.values()]),
            self._arrivals.items(),
            self._deliveries.items(),
            tuple([SimulatedBalance(asset, entry.total, entry.free) for asset, entry in balances]),
            self._sequence,
            self._ordinal,
            self._orders,
            self._trades,
            tuple(self._history),
        )

    def restore(self, state: SimulationState) -> None:
        """Go on from a state, which must be of this exchange's index and setup.

        Raises ValueError when it has another number of instruments than the index.
        """
        if len(state.books) != len(self._index.instruments):
            expected, found = len(self._index.instruments), len(state.books)
            raise ValueError(f"account {self.setup.account}: expected {expected} books, found {found}")
        self._is_begun = True
        self._books = [book.copied() for book in state.books]
        self._resting.clear()
        for order in state.resting:
            self._resting[order.request.key.cid] = order.copied()
        self._arrivals = Arrivals()
        for arrival in state.arrivals:
            self._arrivals.add(arrival.time_ns, arrival.request)
        self._deliveries = Deliveries()
        for delivery in state.deliveries:
            self._deliveries.add(delivery.due_ns, delivery.event)
        self._ledger = Ledger(())
        for balance in state.balances:
            self._ledger.restore(balance.asset, balance.total, balance.free)
        self._sequence = state.sequence
        self._ordinal = state.ordinal
        self._orders = state.orders
        self._trades = state.trades
        self._history.clear()
        self._history.extend(state.history)

    def _begin(self, tick: AuditTick) -> None:
        simulation = self.setup.simulation
        assert simulation is not None, "checked when the exchange was made"
        enter_engine_context()
        self._is_begun = True
        self._books = [empty_book() for _ in self._index.instruments]
        self._resting.clear()
        self._arrivals = Arrivals()
        self._deliveries = Deliveries()
        self._ledger = Ledger(simulation.balances)
        self._sequence = tick.sequence
        self._ordinal = 0
        self._orders = 0
        self._trades = 0
        self._history.clear()
        self._tell(SnapshotReceived(AccountSnapshot(tuple(self.balances(tick.time_ns)), ())), tick.time_ns)

    def _resume(self, started: EngineStarted, time_ns: int) -> None:
        """Learn what was added to the index, and take the account's terms as they are configured now."""
        self._books += [empty_book() for _ in range(len(started.index.instruments) - len(self._books))]
        self._index = started.index
        for setup in started.accounts:
            if setup.account == self.setup.account and setup.simulation is not None:
                self._take_terms(setup, setup.simulation, time_ns)

    def _take_terms(self, setup: AccountSetup, simulation: SimulationSetup, time_ns: int) -> None:
        enter_engine_context()
        before = self._fee_reserved
        self.setup = setup
        self._fee_maker = simulation.fee_maker
        self._fee_taker = simulation.fee_taker
        self._fee_reserved = max(simulation.fee_maker, simulation.fee_taker, ZERO)
        self._half_ns = simulation.latency_ns // 2
        self._answer_ns = simulation.latency_ns - simulation.latency_ns // 2
        self._is_market_only = simulation.is_market_only
        held = self._ledger.assets()
        for asset, amount in simulation.balances:
            if asset not in held:
                self._ledger.credit(asset, amount)
                self._tell(BalanceReceived(self._ledger.balance(asset, time_ns)), time_ns)
        if self._fee_reserved == before:
            return
        for order in list(self._resting.values()):
            asset = self._paid_asset(order)
            bound, required = order.required(before), order.required(self._fee_reserved)
            if required <= bound:
                self._ledger.release(asset, bound - required)
            elif not self._ledger.reserve(asset, required - bound):
                self._ledger.release(asset, bound)
                del self._resting[order.request.key.cid]
                self._tell_order(order.request, Cancelled(order.id, time_ns), time_ns)
            if required != bound:
                self._tell_reserved(order, time_ns)

    def _fold_requests(self, output: RequestsDecided, time_ns: int) -> None:
        exchange = self.setup.exchange
        for cancel in output.cancels_sent:
            if cancel.key.exchange == exchange:
                self._arrivals.add(time_ns + self._half_ns, cancel)
        for amend in output.amends_sent:
            if amend.key.exchange == exchange:
                self._arrivals.add(time_ns + self._half_ns, amend)
        for request in output.opens_sent:
            if request.key.exchange == exchange:
                self._arrivals.add(time_ns + self._half_ns, request)

    def _fold_market(self, event: MarketEvent, time_ns: int) -> None:
        data = event.data
        book = self._books[event.instrument]
        if isinstance(data, BookL1):
            book.update(data)
            if self._resting:
                self._match_book(event.instrument, book, time_ns)
        elif isinstance(data, PublicTrade):
            book.price_last = data.price
            if self._resting:
                self._match_trade(event.instrument, data, time_ns)

    def _match_book(self, instrument: InstrumentIndex, book: TopOfBook, time_ns: int) -> None:
        enter_engine_context()
        for order in list(self._resting.values()):
            request = order.request
            if request.key.instrument != instrument:
                continue
            side = request.side
            opposite = book.taker_price(side)
            if opposite is not None and order.is_reached_by(opposite):
                amount = book.taker_amount(side, order.remaining())
                if amount > ZERO:
                    book.take(side, amount)
                    self._fill_resting(order, amount, time_ns)
            else:
                order.see_queue(book.displayed(side, request.price))

    def _match_trade(self, instrument: InstrumentIndex, trade: PublicTrade, time_ns: int) -> None:
        enter_engine_context()
        available = trade.amount
        for order in list(self._resting.values()):
            request = order.request
            # A seller's trade fills bids, a buyer's fills asks.
            if request.key.instrument != instrument or request.side is trade.side:
                continue
            if trade.price != request.price:
                if order.is_reached_by(trade.price):
                    self._fill_resting(order, order.remaining(), time_ns)
                continue
            available = order.pass_queue(available)
            amount = min(available, order.remaining())
            if amount > ZERO:
                available -= amount
                self._fill_resting(order, amount, time_ns)

    def _open(self, request: OrderRequestOpen, time_ns: int) -> None:
        definition = self._index.instruments[request.key.instrument]
        kind = definition.definition.contract.kind
        if kind is not InstrumentKind.SPOT:
            # Margin and settlement are not simulated: moving base and quote would make up money.
            found = f"expected spot, the only kind that is simulated, found {kind.name.lower()}"
            self._refuse(request, OrderErrorKind.INSTRUMENT_INVALID, definition.name, found, time_ns)
            return
        problem = spec_problem(definition.definition, request)
        if not problem and request.key.cid in self._resting:
            problem = f"client order id {request.key.cid} is in use"
        if problem:
            self._refuse(request, OrderErrorKind.ORDER_REJECTED, definition.name, problem, time_ns)
            return
        if self._is_market_only:
            self._open_at_request(request, time_ns)
            return
        book = self._books[request.key.instrument]
        price = book.taker_price(request.side)
        crosses = price is not None and (
            request.kind is OrderKind.MARKET
            or (price <= request.price if request.side is Side.BUY else price >= request.price)
        )
        amount = book.taker_amount(request.side, request.quantity) if crosses else ZERO
        if request.kind is OrderKind.MARKET and amount <= ZERO:
            self._refuse(request, OrderErrorKind.ORDER_REJECTED, definition.name, "nothing is offered", time_ns)
            return
        if request.time_in_force is TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY and crosses:
            self._refuse(request, OrderErrorKind.ORDER_REJECTED, definition.name, "post-only would take", time_ns)
            return
        if request.time_in_force is TimeInForce.FILL_OR_KILL and amount < request.quantity:
            self._refuse(request, OrderErrorKind.ORDER_REJECTED, definition.name, "cannot be filled whole", time_ns)
            return
        reserve_price = price if request.kind is OrderKind.MARKET and price is not None else request.price
        quantity = amount if request.kind is OrderKind.MARKET else request.quantity
        order = RestingOrder(request, OrderId(str(self._orders)), reserve_price, quantity)
        if not self._reserve(order, time_ns):
            return
        self._orders += 1
        self._resting[request.key.cid] = order
        if crosses and price is not None and amount > ZERO:
            book.take(request.side, amount)
            self._fill(order, price, amount, Liquidity.TAKER, time_ns)
        if order.remaining() <= ZERO and amount >= request.quantity:
            return
        if request.kind is OrderKind.MARKET or request.time_in_force is TimeInForce.IMMEDIATE_OR_CANCEL:
            self._drop(order)
            self._tell_order(request, Cancelled(order.id, time_ns), time_ns)
            self._tell_reserved(order, time_ns)
            return
        order.see_queue(book.displayed(request.side, request.price))
        if order.filled <= ZERO:
            self._tell_order(request, Open(order.id, time_ns, ZERO), time_ns)
            self._tell_reserved(order, time_ns)

    def _open_at_request(self, request: OrderRequestOpen, time_ns: int) -> None:
        """Fill a market order whole at the price it carries, as the reference's mock; refuse every other kind."""
        if request.kind is not OrderKind.MARKET:
            name = self._index.instruments[request.key.instrument].name
            self._refuse(request, OrderErrorKind.ORDER_REJECTED, name, LIMIT_NOT_SUPPORTED, time_ns)
            return
        order = RestingOrder(request, OrderId(str(self._orders)), request.price, request.quantity)
        if self._reserve(order, time_ns):
            self._orders += 1
            self._fill(order, request.price, request.quantity, Liquidity.TAKER, time_ns)

    def _reserve(self, order: RestingOrder, time_ns: int) -> bool:
        request = order.request
        asset = self._paid_asset(order)
        required = order.required(self._fee_reserved)
        free = self._ledger.entry(asset).free
        if self._ledger.reserve(asset, required):
            return True
        name = self._index.assets[asset].asset.name_internal
        message = f"Available Balance: {free}, Required Balance inc. fees: {required}"
        self._refuse(request, OrderErrorKind.BALANCE_INSUFFICIENT, name, message, time_ns)
        return False

    def _paid_asset(self, order: RestingOrder) -> AssetIndex:
        definition = self._index.instruments[order.request.key.instrument]
        return definition.quote if order.request.side is Side.BUY else definition.base

    def _drop(self, order: RestingOrder) -> None:
        self._resting.pop(order.request.key.cid, None)
        self._ledger.release(self._paid_asset(order), order.required(self._fee_reserved))

    def _cancel(self, request: OrderRequestCancel, time_ns: int) -> None:
        if self._is_market_only:
            exchange = self._index.exchanges[self.setup.exchange].value
            offline = OrderError(OrderErrorKind.EXCHANGE_OFFLINE, exchange, "cancels are not answered here")
            self._tell(CancelAnswered(request.key, None, None, offline), time_ns)
            return
        order = self._resting.get(request.key.cid)
        if order is None:
            error = OrderError(OrderErrorKind.ORDER_UNKNOWN, request.key.cid, "no open order has this client order id")
            self._tell(CancelAnswered(request.key, None, None, error), time_ns)
            return
        self._drop(order)
        self._tell(CancelAnswered(order.request.key, order.id, time_ns, None), time_ns)
        self._tell_reserved(order, time_ns)

    def _amend(self, request: OrderRequestAmend, time_ns: int) -> None:
        order = self._resting.get(request.key.cid)
        if order is None:
            error = OrderError(OrderErrorKind.ORDER_UNKNOWN, request.key.cid, "no open order has this client order id")
            self._tell(AmendAnswered(request.key, None, None, None, None, error), time_ns)
            return
        amended = order.amended(request)
        error_found = self._amend_error(order, amended)
        if error_found is not None:
            asked = amended.request
            answer = AmendAnswered(request.key, None, None, asked.price, asked.quantity, error_found)
            self._tell(answer, time_ns)
            return
        new = amended.request
        if not order.keeps_place(amended):
            del self._resting[new.key.cid]
        self._resting[new.key.cid] = amended
        self._tell(AmendAnswered(new.key, amended.id, time_ns, new.price, new.quantity, None), time_ns)
        self._tell_reserved(amended, time_ns)
        book = self._books[new.key.instrument]
        price = book.taker_price(new.side)
        if price is not None and amended.is_reached_by(price):
            amount = book.taker_amount(new.side, amended.remaining())
            if amount > ZERO:
                book.take(new.side, amount)
                self._fill(amended, price, amount, Liquidity.TAKER, time_ns)
        amended.see_queue(book.displayed(new.side, new.price))

    def _amend_error(self, order: RestingOrder, amended: RestingOrder) -> OrderError | None:
        """Bind what an amended order binds more, or free what it binds less; return why it may not be amended so."""
        new = amended.request
        definition = self._index.instruments[new.key.instrument]
        price = self._books[new.key.instrument].taker_price(new.side)
        problem = spec_problem(definition.definition, new)
        if not problem and amended.remaining() <= ZERO:
            problem = f"expected a quantity above the {order.filled} filled, found {new.quantity}"
        is_post_only = new.time_in_force is TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY
        if not problem and is_post_only and price is not None and amended.is_reached_by(price):
            problem = "post-only would take"
        if problem:
            return OrderError(OrderErrorKind.ORDER_REJECTED, definition.name, problem)
        asset = self._paid_asset(order)
        more = amended.required(self._fee_reserved) - order.required(self._fee_reserved)
        if more <= ZERO:
            self._ledger.release(asset, -more)
        elif not self._ledger.reserve(asset, more):
            message = f"Available Balance: {self._ledger.entry(asset).free}, Required Balance inc. fees: {more}"
            return OrderError(
                OrderErrorKind.BALANCE_INSUFFICIENT, self._index.assets[asset].asset.name_internal, message
            )
        return None

    def _fill_resting(self, order: RestingOrder, amount: Decimal, time_ns: int) -> None:
        self._fill(order, order.request.price, amount, Liquidity.MAKER, time_ns)

    def _fill(self, order: RestingOrder, price: Decimal, amount: Decimal, liquidity: Liquidity, time_ns: int) -> None:
        request = order.request
        definition = self._index.instruments[request.key.instrument]
        value = price * amount
        fees = value * (self._fee_maker if liquidity is Liquidity.MAKER else self._fee_taker)
        reserved_before = order.required(self._fee_reserved)
        order.filled += amount
        reserved = reserved_before - order.required(self._fee_reserved)
        if request.side is Side.BUY:
            self._ledger.spend_reserved(definition.quote, reserved, value + fees)
            self._ledger.credit(definition.base, amount)
            debited, credited = definition.quote, definition.base
        else:
            self._ledger.spend_reserved(definition.base, reserved, amount)
            self._ledger.credit(definition.quote, value - fees)
            debited, credited = definition.base, definition.quote
        state: OrderState
        if order.filled >= request.quantity:
            self._resting.pop(request.key.cid, None)
            state = FULLY_FILLED
        else:
            state = Open(order.id, time_ns, order.filled)
        trade = Trade(
            TradeId(str(self._trades)),
            order.id,
            request.key.cid,
            request.key.instrument,
            request.key.strategy,
            time_ns,
            request.side,
            price,
            amount,
            fees,
            None,
            liquidity,
        )
        self._trades += 1
        self._history.append(trade)
        self._tell_order(request, state, time_ns)
        self._tell(BalanceReceived(self._ledger.balance(debited, time_ns)), time_ns)
        self._tell(BalanceReceived(self._ledger.balance(credited, time_ns)), time_ns)
        self._tell(TradeReceived(trade), time_ns)

    def _refuse(
        self, request: OrderRequestOpen, kind: OrderErrorKind, subject: str, message: str, time_ns: int
    ) -> None:
        self._tell_order(request, OpenFailed(OrderError(kind, subject, message)), time_ns)

    def _tell_order(self, request: OrderRequestOpen, state: OrderState, time_ns: int) -> None:
        self._tell(OrderReceived(order_from_request(request).with_state(state)), time_ns)

    def _tell_reserved(self, order: RestingOrder, time_ns: int) -> None:
        self._tell(BalanceReceived(self._ledger.balance(self._paid_asset(order), time_ns)), time_ns)

    def _tell(self, data: AccountData, time_ns: int) -> None:
        self._ordinal += 1
        event = AccountEvent(self.setup.exchange, self._sequence, self._ordinal, data)
        self._deliveries.add(time_ns + self._answer_ns, event)
