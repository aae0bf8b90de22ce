"""Speak to a simulated account as to a venue: in its own names, one request at a time.

What became of an order comes as account events, from ``SimulatedExchange.pop_due``; a refusal that is known at once is
answered at once. Every view is told at the time when the question arrives, half the latency after it was asked.

Source: barter 0.12.5, barter-execution ``client/mock`` and ``exchange/mock``.
"""

from collections.abc import Iterable
from typing import Final, final

from tradebus.core.execution.error import ClientUnreachable
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import (
    InstrumentOrders,
    NamedBalance,
    NamedCancel,
    NamedKey,
    NamedOpen,
    NamedOrder,
    NamedSnapshot,
    NamedTrade,
)
from tradebus.core.execution.naming import named_balance, named_order, named_trade
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments, InstrumentIndexError
from tradebus.core.model.order import (
    Cancelled,
    Open,
    OrderError,
    OrderErrorKind,
    OrderKey,
    OrderRequestCancel,
    OrderRequestOpen,
)
from tradebus.core.simulation.exchange import SimulatedExchange


@final
class SimulatedClient:
    """A client of one simulated account.

    ``orders`` stood at the exchange before: open ones are told with the others, cancelled ones too, and never trade;
    orders in any other state are dropped, as the reference's mock does.
    """

    def __init__(
        self, index: IndexedInstruments, exchange: SimulatedExchange, orders: Iterable[NamedOrder] = ()
    ) -> None:
        self.exchange: Final = exchange
        self.names: Final = ExecutionInstrumentMap(index, index.find_exchange(exchange.setup.exchange))
        self._open_before: Final[list[NamedOrder]] = []
        self._cancelled_before: Final[list[NamedOrder]] = []
        for order in orders:
            if isinstance(order.state, Open):
                self._open_before.append(order)
            elif isinstance(order.state, Cancelled):
                self._cancelled_before.append(order)
        self.is_stopped = False

    def stop(self) -> None:
        """Take the exchange off line: every further request fails as unreachable."""
        self.is_stopped = True

    def open_order(self, request: NamedOpen, time_ns: int) -> OrderError | None:
        """Send an order; return why it cannot be sent, none where the answer will come as account events."""
        if self.is_stopped:
            return self._offline()
        key = self._key(request.key)
        if isinstance(key, OrderError):
            return key
        self.exchange.submit(
            OrderRequestOpen(key, request.side, request.price, request.quantity, request.kind, request.time_in_force),
            time_ns,
        )
        return None

    def cancel_order(self, request: NamedCancel, time_ns: int) -> OrderError | None:
        """Send a cancel; return why it cannot be sent, none where the answer will come as an account event."""
        if self.is_stopped:
            return self._offline()
        key = self._key(request.key)
        if isinstance(key, OrderError):
            return key
        self.exchange.submit(OrderRequestCancel(key, request.id), time_ns)
        return None

    def account_snapshot(self, time_ns: int) -> NamedSnapshot:
        """Return all balances, and the orders of every instrument that has some, by the instruments' names.

        Raises ClientUnreachable.
        """
        arrival_ns = self._arrival_ns(time_ns)
        by_instrument: dict[str, list[NamedOrder]] = {}
        for order in [*self._open_orders(arrival_ns), *self._cancelled_before]:
            by_instrument.setdefault(order.key.instrument, []).append(order)
        return NamedSnapshot(
            tuple(self._balances(arrival_ns)),
            tuple([InstrumentOrders(name, tuple(orders)) for name, orders in sorted(by_instrument.items())]),
        )

    def fetch_balances(self, assets: Iterable[str], time_ns: int) -> list[NamedBalance]:
        """Return the balances of some assets by name; of those that there are not, none. Raises ClientUnreachable."""
        wanted = set(assets)
        return [balance for balance in self._balances(self._arrival_ns(time_ns)) if balance.asset in wanted]

    def fetch_open_orders(self, instruments: Iterable[str], time_ns: int) -> list[NamedOrder]:
        """Return the open orders of some instruments by name. Raises ClientUnreachable."""
        wanted = set(instruments)
        return [order for order in self._open_orders(self._arrival_ns(time_ns)) if order.key.instrument in wanted]

    def fetch_trades(self, since_ns: int, time_ns: int) -> list[NamedTrade]:
        """Return the fills from a time on, in order; of the last that the exchange keeps. Raises ClientUnreachable."""
        self._arrival_ns(time_ns)
        return [named_trade(self.names, trade) for trade in self.exchange.trades(since_ns)]

    def _arrival_ns(self, time_ns: int) -> int:
        if self.is_stopped:
            raise ClientUnreachable(self._offline())
        arrival_ns = self.exchange.arrival_ns(time_ns)
        self.exchange.advance(arrival_ns)
        return arrival_ns

    def _offline(self) -> OrderError:
        exchange: ExchangeId = self.names.exchange
        return OrderError(OrderErrorKind.EXCHANGE_OFFLINE, exchange.value, "")

    def _key(self, key: NamedKey) -> OrderKey | OrderError:
        try:
            instrument = self.names.find_instrument_index(key.instrument)
        except InstrumentIndexError:
            message = f"MockExchange is not set-up for managing: {key.instrument}"
            return OrderError(OrderErrorKind.INSTRUMENT_INVALID, key.instrument, message)
        return OrderKey(self.names.exchange_index, instrument, key.strategy, key.cid)

    def _balances(self, time_ns: int) -> list[NamedBalance]:
        return [named_balance(self.names, balance) for balance in self.exchange.balances(time_ns)]

    def _open_orders(self, time_ns: int) -> list[NamedOrder]:
        before: list[NamedOrder] = []
        for order in self._open_before:
            state = order.state
            assert isinstance(state, Open), "kept because it is"
            before.append(order.with_state(Open(state.id, time_ns, state.filled_quantity)))
        return before + [named_order(self.names, order) for order in self.exchange.orders(time_ns)]
