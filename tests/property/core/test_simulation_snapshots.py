"""A simulated exchange that is written down and made anew goes on exactly as the one that was never stopped."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.property.core.test_simulated_exchange import Moment, fees, latencies, moments, play
from tests.property.examples import examples
from tests.support.builders import ASSET_BTC, ASSET_ETH, ASSET_USDT
from tests.support.simulated_account import Account
from tradebus.core.simulation.exchange import SimulatedExchange
from tradebus.core.simulation.state import simulation_hash
from tradebus.wire.codec.paper_snapshot import (
    PaperPlace,
    PaperSnapshot,
    paper_snapshot_from_bytes,
    paper_snapshot_to_bytes,
)
from tradebus.wire.codec.simulation import SimulatedAccount
from tradebus.wire.integrity import CHAIN_START

BALANCES = ((ASSET_BTC, 20), (ASSET_ETH, 3), (ASSET_USDT, 1500))
PLACE = PaperPlace("demo", 1, 1, CHAIN_START, 1, 0, CHAIN_START, 0, 0)


def begin(account: Account, history: Sequence[Moment]) -> None:
    for moment in history:
        account.now_ns += moment.later_ns
        if moment.event is not None:
            account.tick(moment.event)
        if moment.requests:
            account.send(*moment.requests)


def made_anew(account: Account) -> SimulatedExchange:
    """Return the account's exchange after a snapshot of it was written and read."""
    kept = SimulatedAccount(account.setup, account.started.index, account.exchange.state())
    written = paper_snapshot_to_bytes(PaperSnapshot("a", "i", PLACE, "f", (), (), kept))
    read = paper_snapshot_from_bytes(written).exchange
    assert read is not None
    exchange = SimulatedExchange(read.index, read.setup)
    exchange.restore(read.state)
    assert exchange.state() == kept.state
    return exchange


@examples(1000)
@given(moments, st.integers(0, 30), fees, fees, latencies)
def test_a_restored_exchange_tells_what_the_never_stopped_one_tells(
    history: Sequence[Moment], cut: int, maker: str, taker: str, latency_ns: int
) -> None:
    one, other = (Account(latency_ns=latency_ns, fee_maker=maker, fee_taker=taker, balances=BALANCES) for _ in range(2))
    begin(one, history[:cut])
    begin(other, history[:cut])
    other.exchange = made_anew(other)
    play(one, history[cut:])
    play(other, history[cut:])
    assert one.events == other.events
    assert one.exchange.state() == other.exchange.state()
    assert simulation_hash(one.exchange.state()) == simulation_hash(other.exchange.state())
