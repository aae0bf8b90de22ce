"""Whatever the seed, the price and the steps: books uncrossed, trades at the book, numbers on the grid, no gap."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from services.market.flow import FlowParams, OrderFlow
from tests.property.examples import scaled
from tests.support.market_instruments import definition, steps
from tradebus.core.market.event import BookL1, PublicTrade
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import index_instruments
from tradebus.core.model.side import Side

POWERS = st.integers(min_value=-8, max_value=3).map(lambda exponent: Decimal(1).scaleb(exponent))
FACTORS = st.sampled_from([Decimal(1), Decimal(2), Decimal(5), Decimal(25)])
STEPS = st.builds(lambda power, factor: power * factor, POWERS, FACTORS)


@settings(max_examples=scaled(60), deadline=None)
@given(
    seed=st.integers(min_value=0),
    tick=STEPS,
    lot=STEPS,
    price=st.decimals(min_value="0.000001", max_value="1000000", places=6),
    branching=st.floats(min_value=0, max_value=0.9),
    start_ns=st.integers(min_value=0, max_value=4 * 10**18),
)
def test_every_flow_is_consistent(
    seed: int, tick: Decimal, lot: Decimal, price: Decimal, branching: float, start_ns: int
) -> None:
    index = index_instruments([definition(ExchangeId.SIM_BETA, "btc", spec=steps(f"{tick:f}", f"{lot:f}"))])
    params = FlowParams(events_per_s=50, start_prices={"btc": price}, branching=branching)
    book: BookL1 | None = None
    for number, event in enumerate(OrderFlow(index, ExchangeId.SIM_BETA, seed, params, start_ns=start_ns).take(150), 1):
        assert event.sequence == number
        assert event.time_exchange_ns >= start_ns
        if isinstance(event.data, PublicTrade):
            assert book is not None
            level = book.best_ask if event.data.side is Side.BUY else book.best_bid
            assert level is not None
            assert event.data.price == level.price
            assert 0 < event.data.amount <= level.amount
        else:
            assert isinstance(event.data, BookL1)
            book = event.data
            assert book.best_bid is not None
            assert book.best_ask is not None
            assert 0 < book.best_bid.price < book.best_ask.price
            for level in (book.best_bid, book.best_ask):
                assert level.amount > 0
                assert level.price % tick == 0
                assert level.amount % lot == 0
