"""An engine that goes on with other fees and another latency finds its account as it was, and trades under the new."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.execution.fold import PaperFold
from tests.property.core.test_simulated_exchange import Book, Moment, fees, latencies, moments, play
from tests.property.core.test_simulation_snapshots import begin, made_anew
from tests.property.examples import examples
from tests.support.builders import ALPHA, ASSET_BTC, ASSET_ETH, ASSET_USDT, engine_started, simulated_account
from tests.support.simulated_account import Account
from tradebus.core.engine.audit.tick import NO_ERRORS, NO_OUTPUTS, AuditTick
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.model.account import Liquidity
from tradebus.core.simulation.exchange import SimulatedExchange

BALANCES = ((ASSET_BTC, 20), (ASSET_ETH, 3), (ASSET_USDT, 1500))


def resume(account: Account, maker: str, taker: str, latency_ns: int) -> None:
    """Let the engine go on with another setup of the account."""
    account.setup = simulated_account(ALPHA, BALANCES, latency_ns=latency_ns, fee_maker=maker, fee_taker=taker)
    started = engine_started(accounts=[account.setup], index=account.started.index)
    account.tick(EngineResumed(started))


def check_bound(exchange: SimulatedExchange) -> None:
    """Check that open orders bind what they need under the fees of now, and that nothing else is bound."""
    simulation = exchange.setup.simulation
    assert simulation is not None
    state = exchange.state()
    bound = dict.fromkeys((balance.asset for balance in state.balances), Decimal(0))
    for order in state.resting:
        definition = exchange.index.instruments[order.request.key.instrument]
        asset = definition.quote if order.request.side.name == "BUY" else definition.base
        bound[asset] += order.required(max(simulation.fee_maker, simulation.fee_taker, Decimal(0)))
    for balance in state.balances:
        assert balance.total - balance.free == bound[balance.asset]
        assert balance.free >= 0


@examples(300)
@given(moments, moments, fees, fees, latencies, fees, fees, latencies)
def test_nothing_is_created_or_lost_when_fees_and_latency_change(
    before: Sequence[Moment],
    behind: Sequence[Moment],
    maker: str,
    taker: str,
    latency_ns: int,
    maker_new: str,
    taker_new: str,
    latency_new_ns: int,
) -> None:
    account = Account(latency_ns=latency_ns, fee_maker=maker, fee_taker=taker, balances=BALANCES)
    begin(account, before)
    resume(account, maker_new, taker_new, latency_new_ns)
    assert account.exchange.setup == account.setup
    check_bound(account.exchange)
    trades = account.exchange.state().trades
    play(account, behind)
    check_bound(account.exchange)
    kept = Book()
    for event in account.events:
        kept.take(event)
    assert kept.open == {}
    for asset, balance in kept.told.items():
        assert balance.total == kept.totals[asset], "assets moved are fills and fees, and nothing else"
        assert balance.free == balance.total, "without open orders everything is free"
    for trade in account.fills():
        makers, takers = (maker, taker) if int(trade.id) < trades else (maker_new, taker_new)
        rate = Decimal(makers if trade.liquidity is Liquidity.MAKER else takers)
        assert trade.fees == trade.price * trade.quantity * rate
    keys = [(event.cause, event.ordinal) for event in account.events]
    assert keys == sorted(set(keys)), "an event whose key is behind that of a later one would be left out"


@examples(100)
@given(moments, moments, fees, latencies, fees, latencies, st.booleans())
def test_an_exchange_restored_around_the_change_tells_what_the_never_stopped_one_tells(
    before: Sequence[Moment],
    behind: Sequence[Moment],
    fee: str,
    latency_ns: int,
    fee_new: str,
    latency_new_ns: int,
    is_restored_first: bool,
) -> None:
    one, other = (Account(latency_ns=latency_ns, fee_maker=fee, fee_taker=fee, balances=BALANCES) for _ in range(2))
    begin(one, before)
    begin(other, before)
    if is_restored_first:
        other.exchange = made_anew(other)
    resume(one, fee_new, fee_new, latency_new_ns)
    resume(other, fee_new, fee_new, latency_new_ns)
    if not is_restored_first:
        other.exchange = made_anew(other)
    play(one, behind)
    play(other, behind)
    assert one.events == other.events
    assert one.exchange.state() == other.exchange.state()


def test_the_fold_of_a_paper_account_takes_the_new_setup() -> None:
    account = Account(latency_ns=50)
    fold = PaperFold(account.setup.account)
    fold.fold(AuditTick(0, 0, account.started, NO_OUTPUTS, NO_ERRORS))
    setup = simulated_account(ALPHA, BALANCES, latency_ns=10, fee_taker="0.01")
    again = engine_started(accounts=[setup], index=account.started.index)
    fold.fold(AuditTick(1, 1, EngineResumed(again), NO_OUTPUTS, NO_ERRORS))
    assert fold.exchange is not None
    assert fold.exchange.setup == setup
    totals = {balance.asset: balance.total for balance in fold.exchange.state().balances}
    assert (totals[ASSET_BTC], totals[ASSET_USDT]) == (Decimal(10), Decimal(10_000)), "what it owns is not given anew"
