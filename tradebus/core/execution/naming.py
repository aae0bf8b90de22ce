"""Turn what is keyed by index into a venue's names: requests on their way out, and views of an account.

An order is only sent where it belongs: the reference would translate the index of another exchange's instrument.
"""

from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import Fees, NamedBalance, NamedCancel, NamedKey, NamedOpen, NamedOrder, NamedTrade
from tradebus.core.model.account import AssetBalance, Trade
from tradebus.core.model.order import Order, OrderKey, OrderRequestCancel, OrderRequestOpen


def named_key(names: ExecutionInstrumentMap, key: OrderKey) -> NamedKey:
    """Return an order's identity at its venue; raises ExchangeKeyError or InstrumentKeyError."""
    exchange = names.find_exchange_id(key.exchange)
    return NamedKey(exchange, names.own_instrument_name(key.instrument), key.strategy, key.cid)


def named_open(names: ExecutionInstrumentMap, request: OrderRequestOpen) -> NamedOpen:
    """Return what to ask the venue for; raises ExchangeKeyError or InstrumentKeyError."""
    key = named_key(names, request.key)
    return NamedOpen(key, request.side, request.price, request.quantity, request.kind, request.time_in_force)


def named_cancel(names: ExecutionInstrumentMap, request: OrderRequestCancel) -> NamedCancel:
    """Return which order to ask the venue to cancel; raises ExchangeKeyError or InstrumentKeyError."""
    return NamedCancel(named_key(names, request.key), request.id)


def named_order(names: ExecutionInstrumentMap, order: Order) -> NamedOrder:
    """Return an order as its venue knows it; raises ExchangeKeyError or InstrumentKeyError."""
    key = named_key(names, order.key)
    return NamedOrder(key, order.side, order.price, order.quantity, order.kind, order.time_in_force, order.state)


def named_balance(names: ExecutionInstrumentMap, balance: AssetBalance) -> NamedBalance:
    """Return a balance under the venue's name of its asset; raises AssetKeyError."""
    return NamedBalance(names.find_asset_name_exchange(balance.asset), balance.balance, balance.time_exchange_ns)


def named_trade(names: ExecutionInstrumentMap, trade: Trade) -> NamedTrade:
    """Return a fill as its venue knows it; raises AssetKeyError or InstrumentKeyError."""
    fees_asset = None if trade.fees_asset is None else names.find_asset_name_exchange(trade.fees_asset)
    return NamedTrade(
        trade.id,
        trade.order_id,
        trade.cid,
        names.own_instrument_name(trade.instrument),
        trade.strategy,
        trade.time_exchange_ns,
        trade.side,
        trade.price,
        trade.quantity,
        Fees(trade.fees, fees_asset),
        trade.liquidity,
    )
