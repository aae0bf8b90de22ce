"""What an account holds, what was traded on it, and what happens there: ``account.proto``."""

from typing import Final

from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    AccountReconnecting,
    AmendAnswered,
    BalanceReceived,
    CancelAnswered,
    FundingReceived,
    OrderReceived,
    OwnerChanged,
    RequestInDoubt,
    RequestNeverReceived,
    SnapshotReceived,
    TradeReceived,
)
from tradebus.core.model.account import AccountSnapshot, AssetBalance, Balance, Liquidity, Trade
from tradebus.core.model.identifiers import ClientOrderId, OrderId, StrategyId, TradeId
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, asset_index, exchange_index, instrument_index
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.error import EncodeError
from tradebus.wire.codec.number import computed_from_text, computed_to_text
from tradebus.wire.codec.order import (
    REQUEST_KINDS,
    SIDES,
    order_error_from_pb,
    order_error_to_pb,
    order_from_pb,
    order_key_from_pb,
    order_key_to_pb,
    order_to_pb,
)
from tradebus.wire.codec.parts import child, children, named, nothing_set, text
from tradebus.wire.pb.v1 import account_pb2 as pb

LIQUIDITIES: Final = EnumCodec(Liquidity, pb.Liquidity)


def trade_to_pb(trade: Trade, into: pb.Trade) -> None:
    """Fill a message with a fill."""
    into.id = trade.id
    into.order_id = trade.order_id
    into.cid = trade.cid
    into.instrument = trade.instrument
    into.strategy = trade.strategy
    into.time_exchange_ns = trade.time_exchange_ns
    into.side = SIDES.to_pb(trade.side)
    into.price = computed_to_text(trade.price)
    into.quantity = computed_to_text(trade.quantity)
    into.fees = computed_to_text(trade.fees)
    if trade.fees_asset is not None:
        into.fees_asset = trade.fees_asset
    into.liquidity = LIQUIDITIES.to_pb(trade.liquidity)


def trade_from_pb(message: pb.Trade, bounds: IndexBounds = UNBOUNDED) -> Trade:
    """Return a fill; raises DecodeError."""
    return Trade(
        TradeId(text(message.id, "id")),
        OrderId(text(message.order_id, "order_id")),
        ClientOrderId(message.cid),
        instrument_index(message.instrument, bounds),
        StrategyId(text(message.strategy, "strategy")),
        message.time_exchange_ns,
        SIDES.from_pb(message.side, "side"),
        computed_from_text(message.price, "price"),
        computed_from_text(message.quantity, "quantity"),
        computed_from_text(message.fees, "fees"),
        asset_index(message.fees_asset, bounds, "fees_asset") if message.HasField("fees_asset") else None,
        LIQUIDITIES.from_pb(message.liquidity, "liquidity"),
    )


def balance_to_pb(balance: Balance, into: pb.Balance) -> None:
    """Fill a message with what is owned of an asset."""
    into.total = computed_to_text(balance.total)
    into.free = computed_to_text(balance.free)


def balance_from_pb(message: pb.Balance, bounds: IndexBounds = UNBOUNDED) -> Balance:  # noqa: ARG001 - as all readers
    """Return what is owned of an asset; raises DecodeError."""
    return Balance(computed_from_text(message.total, "total"), computed_from_text(message.free, "free"))


def asset_balance_to_pb(item: AssetBalance, into: pb.AssetBalance) -> None:
    """Fill a message with a balance at a venue time."""
    into.asset = item.asset
    balance_to_pb(item.balance, into.balance)
    into.time_exchange_ns = item.time_exchange_ns


def asset_balance_from_pb(message: pb.AssetBalance, bounds: IndexBounds = UNBOUNDED) -> AssetBalance:
    """Return a balance at a venue time; raises DecodeError."""
    asset = asset_index(message.asset, bounds)
    balance = child(message, "balance", message.balance, balance_from_pb, bounds)
    return AssetBalance(asset, balance, message.time_exchange_ns)


def account_snapshot_to_pb(snapshot: AccountSnapshot, into: pb.AccountSnapshot) -> None:
    """Fill a message with what a venue says of a whole account."""
    into.SetInParent()
    for item in snapshot.balances:
        asset_balance_to_pb(item, into.balances.add())
    for order in snapshot.orders:
        order_to_pb(order, into.orders.add())


def account_snapshot_from_pb(message: pb.AccountSnapshot, bounds: IndexBounds = UNBOUNDED) -> AccountSnapshot:
    """Return what a venue says of a whole account; raises DecodeError."""
    return AccountSnapshot(
        children("balances", message.balances, asset_balance_from_pb, bounds),
        children("orders", message.orders, order_from_pb, bounds),
    )


def account_event_to_pb(event: AccountEvent, into: pb.AccountEvent) -> None:
    """Fill a message with what happened on an account; raises EncodeError for data that the contract does not know."""
    into.exchange = event.exchange
    into.cause = event.cause
    into.ordinal = event.ordinal
    data = event.data
    if isinstance(data, TradeReceived):
        trade_to_pb(data.trade, into.trade.trade)
    elif isinstance(data, OrderReceived):
        order_to_pb(data.order, into.order.order)
    elif isinstance(data, BalanceReceived):
        asset_balance_to_pb(data.balance, into.balance.balance)
    elif isinstance(data, CancelAnswered):
        _cancel_answered_to_pb(data, into.cancel_answered)
    elif isinstance(data, SnapshotReceived):
        account_snapshot_to_pb(data.snapshot, into.snapshot.snapshot)
    elif isinstance(data, OwnerChanged):
        into.owner_changed.owner = data.owner
        into.owner_changed.owner_epoch = data.owner_epoch
    elif isinstance(data, FundingReceived):
        _funding_to_pb(data, into.funding)
    elif isinstance(data, AmendAnswered):
        _amend_answered_to_pb(data, into.amend_answered)
    elif isinstance(data, RequestInDoubt):
        order_key_to_pb(data.key, into.request_in_doubt.key)
        into.request_in_doubt.request = REQUEST_KINDS.to_pb(data.request)
        into.request_in_doubt.reason = data.reason
    elif isinstance(data, RequestNeverReceived):
        order_key_to_pb(data.key, into.request_never_received.key)
        into.request_never_received.request = REQUEST_KINDS.to_pb(data.request)
        into.request_never_received.reason = data.reason
    else:
        raise EncodeError(f"expected what an account event can carry, found {type(data).__name__}")


def account_event_from_pb(message: pb.AccountEvent, bounds: IndexBounds = UNBOUNDED) -> AccountEvent:
    """Return what happened on an account; raises DecodeError."""
    exchange = exchange_index(message.exchange, bounds)
    return AccountEvent(exchange, message.cause, message.ordinal, _data_from_pb(message, bounds))


def account_reconnecting_to_pb(event: AccountReconnecting, into: pb.AccountReconnecting) -> None:
    """Fill a message with the loss of an account's link."""
    into.exchange = event.exchange
    into.reason = event.reason


def account_reconnecting_from_pb(
    message: pb.AccountReconnecting, bounds: IndexBounds = UNBOUNDED
) -> AccountReconnecting:
    """Return the loss of an account's link; raises DecodeError."""
    return AccountReconnecting(exchange_index(message.exchange, bounds), message.reason)


def _data_from_pb(message: pb.AccountEvent, bounds: IndexBounds) -> AccountData:
    which = message.WhichOneof("data")
    if which == "trade":
        return named(which, message.trade, _trade_received_from_pb, bounds)
    if which == "order":
        return named(which, message.order, _order_received_from_pb, bounds)
    if which == "balance":
        return named(which, message.balance, _balance_received_from_pb, bounds)
    if which == "cancel_answered":
        return named(which, message.cancel_answered, _cancel_answered_from_pb, bounds)
    if which == "snapshot":
        return named(which, message.snapshot, _snapshot_received_from_pb, bounds)
    if which == "owner_changed":
        return named(which, message.owner_changed, _owner_changed_from_pb, bounds)
    if which == "funding":
        return named(which, message.funding, _funding_from_pb, bounds)
    if which == "amend_answered":
        return named(which, message.amend_answered, _amend_answered_from_pb, bounds)
    if which == "request_in_doubt":
        return named(which, message.request_in_doubt, _request_in_doubt_from_pb, bounds)
    if which == "request_never_received":
        return named(which, message.request_never_received, _request_never_received_from_pb, bounds)
    raise nothing_set("data", message)


def _trade_received_from_pb(message: pb.TradeReceived, bounds: IndexBounds) -> TradeReceived:
    return TradeReceived(child(message, "trade", message.trade, trade_from_pb, bounds))


def _order_received_from_pb(message: pb.OrderReceived, bounds: IndexBounds) -> OrderReceived:
    return OrderReceived(child(message, "order", message.order, order_from_pb, bounds))


def _balance_received_from_pb(message: pb.BalanceReceived, bounds: IndexBounds) -> BalanceReceived:
    return BalanceReceived(child(message, "balance", message.balance, asset_balance_from_pb, bounds))


def _snapshot_received_from_pb(message: pb.SnapshotReceived, bounds: IndexBounds) -> SnapshotReceived:
    return SnapshotReceived(child(message, "snapshot", message.snapshot, account_snapshot_from_pb, bounds))


def _owner_changed_from_pb(message: pb.OwnerChanged, _bounds: IndexBounds) -> OwnerChanged:
    return OwnerChanged(text(message.owner, "owner"), message.owner_epoch)


def _funding_to_pb(data: FundingReceived, into: pb.FundingReceived) -> None:
    into.instrument = data.instrument
    into.amount = computed_to_text(data.amount)
    into.asset = data.asset
    into.time_exchange_ns = data.time_exchange_ns
    into.id = data.id


def _funding_from_pb(message: pb.FundingReceived, bounds: IndexBounds) -> FundingReceived:
    return FundingReceived(
        instrument_index(message.instrument, bounds),
        computed_from_text(message.amount, "amount"),
        asset_index(message.asset, bounds),
        message.time_exchange_ns,
        text(message.id, "id"),
    )


def _cancel_answered_to_pb(data: CancelAnswered, into: pb.CancelAnswered) -> None:
    order_key_to_pb(data.key, into.key)
    if data.id is not None:
        into.id = data.id
    if data.time_exchange_ns is not None:
        into.time_exchange_ns = data.time_exchange_ns
    if data.error is not None:
        order_error_to_pb(data.error, into.error)


def _cancel_answered_from_pb(message: pb.CancelAnswered, bounds: IndexBounds) -> CancelAnswered:
    has = message.HasField
    return CancelAnswered(
        child(message, "key", message.key, order_key_from_pb, bounds),
        OrderId(text(message.id, "id")) if has("id") else None,
        message.time_exchange_ns if has("time_exchange_ns") else None,
        named("error", message.error, order_error_from_pb, bounds) if has("error") else None,
    )


def _request_in_doubt_from_pb(message: pb.RequestInDoubt, bounds: IndexBounds) -> RequestInDoubt:
    key = child(message, "key", message.key, order_key_from_pb, bounds)
    return RequestInDoubt(key, REQUEST_KINDS.from_pb(message.request, "request"), message.reason)


def _request_never_received_from_pb(message: pb.RequestNeverReceived, bounds: IndexBounds) -> RequestNeverReceived:
    key = child(message, "key", message.key, order_key_from_pb, bounds)
    return RequestNeverReceived(key, REQUEST_KINDS.from_pb(message.request, "request"), message.reason)


def _amend_answered_to_pb(data: AmendAnswered, into: pb.AmendAnswered) -> None:
    order_key_to_pb(data.key, into.key)
    if data.id is not None:
        into.id = data.id
    if data.time_exchange_ns is not None:
        into.time_exchange_ns = data.time_exchange_ns
    if data.price is not None:
        into.price = computed_to_text(data.price)
    if data.quantity is not None:
        into.quantity = computed_to_text(data.quantity)
    if data.error is not None:
        order_error_to_pb(data.error, into.error)


def _amend_answered_from_pb(message: pb.AmendAnswered, bounds: IndexBounds) -> AmendAnswered:
    return AmendAnswered(
        child(message, "key", message.key, order_key_from_pb, bounds),
        OrderId(text(message.id, "id")) if message.HasField("id") else None,
        message.time_exchange_ns if message.HasField("time_exchange_ns") else None,
        computed_from_text(message.price, "price") if message.HasField("price") else None,
        computed_from_text(message.quantity, "quantity") if message.HasField("quantity") else None,
        named("error", message.error, order_error_from_pb, bounds) if message.HasField("error") else None,
    )
