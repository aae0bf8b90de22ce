"""The engine's view of its accounts in the venues' words."""

from decimal import Decimal

from tests.support.builders import (
    BETA_BTC,
    account_event,
    asset_balance,
    balance_told,
    engine_of,
    opened,
    order_in,
)
from tradebus.core.engine.apply import apply_event
from tradebus.core.engine.event import OrderReceived, SnapshotReceived
from tradebus.core.execution.indexer import AccountIndexer
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import NamedSnapshot
from tradebus.core.execution.state_snapshot import account_snapshots
from tradebus.core.model.account import Balance
from tradebus.core.model.identifiers import ExchangeId

ZERO = Balance(Decimal(0), Decimal(0))


def test_every_exchange_tells_its_balances_and_open_orders() -> None:
    state = engine_of().state
    apply_event(state, balance_told(asset_balance(total=5, free=3, time_ns=7)))
    for order in (order_in(opened(), "b"), order_in(opened(filled="0.5"), "a"), order_in(cid="in flight")):
        apply_event(state, account_event(OrderReceived(order)))
    apply_event(state, account_event(OrderReceived(order_in(opened(), "z", instrument=BETA_BTC)), 1))
    alpha, beta = account_snapshots(state, 99)
    assert (alpha.exchange, beta.exchange) == (ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA)
    assert isinstance(alpha.data, NamedSnapshot)
    assert [(item.asset, item.balance, item.time_exchange_ns) for item in alpha.data.balances] == [
        ("btc", ZERO, 99),
        ("eth", ZERO, 99),
        ("usdt", Balance(Decimal(5), Decimal(3)), 7),
    ]
    assert [(item.instrument, [order.key.cid for order in item.orders]) for item in alpha.data.instruments] == [
        ("BTCUSDT", ["a", "b"]),
        ("ETHUSDT", []),
    ]
    assert isinstance(beta.data, NamedSnapshot)
    assert [order.key.cid for item in beta.data.instruments for order in item.orders] == ["z"]


def test_what_was_told_is_understood_again() -> None:
    state = engine_of().state
    apply_event(state, account_event(OrderReceived(order_in(opened()))))
    (alpha, _) = account_snapshots(state, 0)
    names = ExecutionInstrumentMap(state.index, ExchangeId.SIM_ALPHA)
    found = AccountIndexer(names).event(alpha)
    assert found.left_out == ()
    assert isinstance(found.event.data, SnapshotReceived)
    assert found.event.data.snapshot.orders == (order_in(opened()),)
