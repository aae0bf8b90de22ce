"""An engine that goes on with other settings: the account keeps what it has, and lives on the new terms."""

from decimal import Decimal

from tests.support.builders import (
    ALPHA,
    ASSET_BTC,
    ASSET_ETH,
    ASSET_USDT,
    Number,
    book,
    cancel_of,
    engine_started,
    market_request,
    open_request,
    simulated_account,
)
from tests.support.simulated_account import USUAL, Account, kinds
from tradebus.core.engine.event import AccountEvent, ClockAdvanced
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.model.account import Balance
from tradebus.core.model.growth import grown_index, index_in_order
from tradebus.core.model.identifiers import AssetIndex
from tradebus.core.simulation.exchange import SimulatedExchange


def go_on(
    account: Account,
    *,
    latency_ns: int = 0,
    fee: Number = 0,
    balances: tuple[tuple[AssetIndex, Number], ...] = USUAL,
) -> list[AccountEvent]:
    """Let the engine go on, with the account on these terms."""
    setup = simulated_account(ALPHA, balances, latency_ns=latency_ns, fee_maker=fee, fee_taker=fee)
    return account.tick(EngineResumed(engine_started(accounts=[setup])))


def balance(total: Number, free: Number | None = None) -> Balance:
    return Balance(Decimal(total), Decimal(total if free is None else free))


def test_nothing_is_told_where_nothing_changed() -> None:
    account = Account()
    account.send(open_request(price=90))
    assert go_on(account) == []
    assert account.exchange.open_orders() == ["c1"]


def test_a_start_balance_that_changed_is_not_the_balance_now() -> None:
    account = Account()
    assert go_on(account, balances=((ASSET_BTC, 99), (ASSET_USDT, 99))) == []
    assert account.exchange.balances(0)[0].balance == balance(10)


def test_an_asset_without_a_balance_begins_with_the_configured_one() -> None:
    account = Account()
    told = go_on(account, balances=(*USUAL, (ASSET_ETH, 7)))
    assert kinds(told) == ["BalanceReceived"]
    assert account.balance(ASSET_ETH) == balance(7)
    assert go_on(account, balances=(*USUAL, (ASSET_ETH, 7))) == [], "once"


def test_fees_of_later_fills_are_the_new_ones() -> None:
    account = Account()
    go_on(account, fee="0.01")
    account.tick(book((99, 2), (100, 2)))
    account.send(market_request())
    assert [trade.fees for trade in account.fills()] == [1]


def test_what_an_order_binds_follows_the_fees() -> None:
    account = Account(fee_maker="0.01", fee_taker="0.01")
    account.send(open_request(price=90, quantity=10))
    assert account.balance(ASSET_USDT) == balance(10_000, 10_000 - 909)
    go_on(account, fee="0.02")
    assert account.balance(ASSET_USDT) == balance(10_000, 10_000 - 918)
    go_on(account)
    assert account.balance(ASSET_USDT) == balance(10_000, 10_000 - 900)
    account.send(cancel_of())
    assert account.balance(ASSET_USDT) == balance(10_000)


def test_an_order_that_cannot_be_borne_any_more_is_cancelled() -> None:
    account = Account()
    account.send(open_request(price=100, quantity=100))
    assert account.balance(ASSET_USDT) == balance(10_000, 0)
    go_on(account, fee="0.001")
    assert account.states() == ["Open", "Cancelled"]
    assert account.exchange.open_orders() == []
    assert account.balance(ASSET_USDT) == balance(10_000)


def test_what_is_on_its_way_is_not_overtaken_where_the_latency_becomes_less() -> None:
    account = Account(latency_ns=1_000)
    account.tick(ClockAdvanced(), now_ns=2_000)
    account.events.clear()
    account.send(open_request("first", price=90), now_ns=2_010)
    go_on(account, latency_ns=10)
    account.send(open_request("second", price=90), now_ns=2_020)
    assert account.exchange.next_time_ns() == 2_510
    account.tick(ClockAdvanced(), now_ns=4_000)
    assert account.exchange.open_orders() == ["first", "second"]
    times = [event.data.order.key.cid for event in account.events if hasattr(event.data, "order")]
    assert times == ["first", "second"]


def test_a_restored_exchange_has_the_new_terms() -> None:
    account = Account()
    go_on(account, latency_ns=100, fee="0.01")
    exchange = account.exchange
    restored = SimulatedExchange(exchange.index, exchange.setup)
    restored.restore(exchange.state())
    assert restored.setup == exchange.setup
    assert restored.arrival_ns(0) == 50


def test_a_list_that_grows_behind_keeps_every_number() -> None:
    """What is configured is numbered in its order, so that an instrument more is one behind the others."""
    definitions = [instrument.definition for instrument in engine_started().index.instruments]
    for count in range(1, len(definitions) + 1):
        grown = index_in_order(definitions[:count])
        before = index_in_order(definitions[: count - 1])
        assert grown.exchanges[: len(before.exchanges)] == before.exchanges
        assert grown.assets[: len(before.assets)] == before.assets
        assert grown.instruments[: len(before.instruments)] == before.instruments
        assert grown == grown_index(before, definitions[count - 1 : count])
    backwards = index_in_order(reversed(definitions))
    assert [instrument.definition for instrument in backwards.instruments] == definitions[::-1]
