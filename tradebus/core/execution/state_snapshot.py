"""Write the engine's view of its accounts as each venue would tell it: to begin another account from, or to compare.

Source: barter 0.12.5 ``engine/state``, the conversion to un-indexed account snapshots.
"""

from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.execution.instrument_map import ExecutionInstrumentMap
from tradebus.core.execution.named import InstrumentOrders, NamedAccountEvent, NamedBalance, NamedSnapshot
from tradebus.core.execution.naming import named_order
from tradebus.core.model.account import Balance
from tradebus.core.model.number import ZERO
from tradebus.core.model.order import Open


def account_snapshots(state: EngineState, time_ns: int) -> list[NamedAccountEvent]:
    """Return a snapshot for every exchange, in index order.

    Every asset has a balance, zero at ``time_ns`` where none is known. Of the orders only open ones are told: what is
    in flight no venue has said yet. Orders are sorted by client order id.
    """
    snapshots: list[NamedAccountEvent] = []
    for exchange in state.index.exchanges:
        names = ExecutionInstrumentMap(state.index, exchange)
        balances: list[NamedBalance] = []
        for i, item in enumerate(state.index.assets):
            if item.exchange is not exchange:
                continue
            known = state.assets[i]
            name = item.asset.name_exchange
            if known.balance is None:
                balances.append(NamedBalance(name, Balance(ZERO, ZERO), time_ns))
            else:
                balances.append(NamedBalance(name, known.balance, known.time_exchange_ns))
        instruments: list[InstrumentOrders] = []
        for instrument in state.instruments:
            if instrument.instrument.exchange != names.exchange_index:
                continue
            orders = [order for _, order in sorted(instrument.orders.items()) if isinstance(order.state, Open)]
            instruments.append(
                InstrumentOrders(
                    instrument.instrument.definition.name_exchange,
                    tuple([named_order(names, order) for order in orders]),
                )
            )
        snapshots.append(NamedAccountEvent(exchange, NamedSnapshot(tuple(balances), tuple(instruments))))
    return snapshots
