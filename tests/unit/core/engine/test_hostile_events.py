"""Events that contradict the index, each other or plain sense: refused by name, and nothing has changed."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.support.builders import (
    ASSET_BETA_USDT,
    account_event,
    amend_answered,
    asset_balance,
    balance_told,
    check_of,
    command_of,
    fill,
    filled,
    funded,
    opened,
    order_in,
    order_told,
    setup_of,
)
from tests.support.scenario import Followed, follow
from tradebus.core._compiled import COMPILED
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import ByInstruments, CancelOrders, ClosePositions
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import SnapshotReceived, TradingStateUpdate
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.account import AccountSnapshot
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.side import Side

GARBAGE: Any = "garbage"
NOTHING: Any = None


def resting() -> Followed:
    """An engine with an open order c1: buy 4 at 100."""
    followed = follow()
    followed.process(order_told(order_in(opened(1), "c1", quantity=4)))
    return followed


def snapshot(*orders: Any) -> EngineEvent:
    return account_event(SnapshotReceived(AccountSnapshot((asset_balance(total=77, time_ns=99),), orders)))


CASES: dict[str, tuple[Callable[[], EngineEvent], str]] = {
    "an order of nothing": (
        lambda: order_told(order_in(opened(2), "c1", quantity=0)),
        "quantity: expected more than 0",
    ),
    "an order of less": (lambda: order_told(order_in(opened(2), "c1", quantity=-1)), "quantity: expected more than 0"),
    "an order below nothing": (
        lambda: order_told(order_in(opened(2), "c1", price=-1)),
        "price: expected 0 or more, found -1",
    ),
    "less than nothing filled": (
        lambda: order_told(order_in(opened(2, -3), "c2")),
        "filled_quantity: expected 0 or more",
    ),
    "amended to nothing": (lambda: amend_answered(price=100, quantity=0), "quantity: expected more than 0"),
    "amended below nothing": (lambda: amend_answered(price=-1, quantity=5), "price: expected more than 0"),
    "a sale of what was bought": (
        lambda: filled(fill("1", Side.SELL, quantity=50)),
        "order c1 is a BUY, the fill a SELL",
    ),
    "a balance elsewhere": (
        lambda: balance_told(asset_balance(ASSET_BETA_USDT, 777)),
        "is usdt on sim_beta, the event says exchange 0",
    ),
    "fees elsewhere": (lambda: filled(fill("1", fees_asset=ASSET_BETA_USDT)), "is usdt on sim_beta"),
    "funding elsewhere": (lambda: funded(-1, ASSET_BETA_USDT), "is usdt on sim_beta"),
    "a snapshot whose last order is none": (
        lambda: snapshot(order_in(opened(2), "c3"), order_in(NOTHING, "c4")),
        "state: expected the state of an order, found NoneType",
    ),
    "no filter": (
        lambda: command_of(CancelOrders(NOTHING)),
        "filter: expected a filter of instruments, found NoneType",
    ),
    "a filter of nothing": (
        lambda: command_of(ClosePositions(ByInstruments(GARBAGE))),
        "filter: expected a tuple, found str",
    ),
    "no command": (lambda: command_of(GARBAGE), "expected what a command can ask for, found str"),
    "no configuration": (lambda: ConfigChanged("op", NOTHING, ()), "strategies: expected a tuple, found NoneType"),
    "no setup": (lambda: ConfigChanged("op", (), (GARBAGE,)), "risk: expected a RiskCheckSetup, found str"),
    "a strategy twice": (
        lambda: ConfigChanged("op", (setup_of(StrategyId("a")), setup_of(StrategyId("a"))), ()),
        "strategies: a stands there twice",
    ),
    "a check twice": (
        lambda: ConfigChanged("op", (), (check_of("order_rate"), check_of("order_rate"))),
        "risk: order_rate stands there twice",
    ),
    "no trading state": (lambda: TradingStateUpdate(GARBAGE, "op"), "state: expected a TradingState, found str"),
}


def test_a_fill_that_is_told_again_is_no_contradiction_whatever_has_its_orders_id_by_now() -> None:
    followed = follow()
    followed.process(filled(fill("7", Side.BUY, cid="x")))
    followed.process(order_told(order_in(opened(1), "x", Side.SELL)))
    followed.process(filled(fill("7", Side.BUY, cid="x")))
    position = followed.engine.state.instruments[0].position
    assert position is not None
    assert position.quantity_abs == 1
    with pytest.raises(InvalidEvent, match="order x is a SELL, the fill a BUY"):
        followed.process(filled(fill("8", Side.BUY, cid="x"), 1))
    followed.process(funded(1, cause=5))
    followed.process(filled(fill("8", Side.BUY, cid="x"), 1))
    assert position.quantity_abs == 1, "its key says that it was told before"


@pytest.mark.parametrize(("make", "said"), CASES.values(), ids=CASES.keys())
def test_it_is_refused_and_changes_nothing(make: Callable[[], EngineEvent], said: str) -> None:
    followed = resting()
    try:
        event = make()
    except TypeError:
        assert COMPILED, "only the compiled core refuses a wrong type when the event is made"
        return
    before, sequence, time_ns = followed.engine.hash(), followed.engine.sequence, followed.engine.state.time_ns
    with pytest.raises(InvalidEvent) as refused:
        followed.engine.process(event, 10**6)
    assert said in str(refused.value)
    assert (followed.engine.hash(), followed.engine.sequence) == (before, sequence)
    assert followed.engine.state.time_ns == time_ns
    order = followed.engine.state.instruments[0].orders
    assert [(each.key.cid, each.quantity) for each in order.values()] == [("c1", Decimal(4))]
