"""Turn what a venue tells in its own names into account events by index.

What cannot be indexed is left out and said so: an unknown asset in a snapshot costs that balance and not the snapshot,
an unknown fee asset costs the fee and not the fill. (The reference drops the whole item.) An event that is about
nothing we know raises.

Source: barter 0.12.5, barter-execution ``indexer``.
"""

from typing import ClassVar, Final, final

from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    BalanceReceived,
    CancelAnswered,
    OrderReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import (
    NamedAccountEvent,
    NamedBalance,
    NamedCancelAnswer,
    NamedKey,
    NamedOrder,
    NamedSnapshot,
    NamedTrade,
)
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Trade
from tradebus.core.model.identifiers import AssetIndex
from tradebus.core.model.index import AssetIndexError, InstrumentIndexError, NotIndexedError
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import OpenFailed, Order, OrderError, OrderErrorKind, OrderKey, OrderState
from tradebus.core.model.record import Record


@final
class Indexed(Record):
    """An account event by index, and what of the venue's words had to be left out, as texts."""

    FIELDS: ClassVar[tuple[str, ...]] = ("event", "left_out")

    def __init__(self, event: AccountEvent, left_out: tuple[str, ...]) -> None:
        self.event: Final = event
        self.left_out: Final = left_out


@final
class AccountIndexer:
    """Index the events of one exchange's account."""

    def __init__(self, names: ExecutionInstrumentMap) -> None:
        self.names: Final = names

    def event(self, told: NamedAccountEvent, cause: int = 0, ordinal: int = 0) -> Indexed:
        """Return an event by index under a key (see ``AccountEvent``).

        Raises ExchangeIndexError for another exchange's event, AssetIndexError or InstrumentIndexError for a balance,
        order, fill or answer of an unknown asset or instrument.
        """
        exchange = self.names.find_exchange_index(told.exchange)
        left_out: list[str] = []
        data = told.data
        indexed: AccountData
        if isinstance(data, NamedOrder):
            indexed = OrderReceived(self.order(data))
        elif isinstance(data, NamedTrade):
            indexed = TradeReceived(self._trade(data, left_out))
        elif isinstance(data, NamedBalance):
            indexed = BalanceReceived(self.balance(data))
        elif isinstance(data, NamedCancelAnswer):
            error = None if data.error is None else self.error(data.error)
            indexed = CancelAnswered(self.key(data.key), data.id, data.time_exchange_ns, error)
        else:
            assert isinstance(data, NamedSnapshot), f"a kind of account data without indexing: {data}"
            indexed = SnapshotReceived(self._snapshot(data, left_out))
        return Indexed(AccountEvent(exchange, cause, ordinal, indexed), tuple(left_out))

    def key(self, key: NamedKey) -> OrderKey:
        """Return the identity of an order by index; raises ExchangeIndexError or InstrumentIndexError."""
        return OrderKey(
            self.names.find_exchange_index(key.exchange),
            self.names.find_instrument_index(key.instrument),
            key.strategy,
            key.cid,
        )

    def balance(self, told: NamedBalance) -> AssetBalance:
        """Return a balance by index; raises AssetIndexError."""
        return AssetBalance(self.names.find_asset_index(told.asset), told.balance, told.time_exchange_ns)

    def order(self, told: NamedOrder) -> Order:
        """Return an order by index; raises ExchangeIndexError or InstrumentIndexError."""
        return Order(
            self.key(told.key),
            told.side,
            told.price,
            told.quantity,
            told.kind,
            told.time_in_force,
            self._state(told.state),
        )

    def error(self, error: OrderError) -> OrderError:
        """Return an error about our name of its subject; a subject that we do not know keeps the venue's."""
        kind = error.kind
        try:
            if kind is OrderErrorKind.INSTRUMENT_INVALID:
                instrument = self.names.find_instrument_index(error.subject)
                return OrderError(kind, self.names.index.instruments[instrument].name, error.message)
            if kind is OrderErrorKind.ASSET_INVALID or kind is OrderErrorKind.BALANCE_INSUFFICIENT:
                asset = self.names.index.assets[self.names.find_asset_index(error.subject)].asset
                return OrderError(kind, asset.name_internal, error.message)
        except NotIndexedError:
            return error
        return error

    def _state(self, state: OrderState) -> OrderState:
        return OpenFailed(self.error(state.error)) if isinstance(state, OpenFailed) else state

    def _trade(self, told: NamedTrade, left_out: list[str]) -> Trade:
        instrument = self.names.find_instrument_index(told.instrument)
        fees = told.fees.amount
        asset: AssetIndex | None = None
        if told.fees.asset is not None:
            try:
                asset = self.names.find_asset_index(told.fees.asset)
            except AssetIndexError as error:
                left_out.append(f"fees {fees} of trade {told.id}: {error}")
                fees = ZERO
        return Trade(
            told.id,
            told.order_id,
            told.cid,
            instrument,
            told.strategy,
            told.time_exchange_ns,
            told.side,
            told.price,
            told.quantity,
            fees,
            asset,
            told.liquidity,
        )

    def _snapshot(self, told: NamedSnapshot, left_out: list[str]) -> AccountSnapshot:
        balances: list[AssetBalance] = []
        for balance in told.balances:
            try:
                balances.append(self.balance(balance))
            except AssetIndexError as error:
                left_out.append(f"balance: {error}")
        orders: list[Order] = []
        for item in told.instruments:
            try:
                self.names.find_instrument_index(item.instrument)
                orders.extend([self.order(order) for order in item.orders])
            except InstrumentIndexError as unknown:  # a name of its own: compiled code gives a name one type
                left_out.append(f"{len(item.orders)} orders: {unknown}")
        return AccountSnapshot(tuple(balances), tuple(orders))
