from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from statistics import correlation, mean, median, pvariance

import pytest

from services.market.flow import FlowParams, OrderFlow, lag_of
from services.market.flow.latent import latent_value
from tests.support.market_instruments import definition, simulated_index, steps
from tradebus.core.market.event import BookL1, MarketEvent, PublicTrade
from tradebus.core.model.identifiers import ExchangeId, InstrumentIndex
from tradebus.core.model.index import ExchangeIndexError, IndexedInstruments, index_instruments
from tradebus.core.model.side import Side

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
MINUTES = 5
INDEX = simulated_index()
ALPHA = ExchangeId.SIM_ALPHA


def flow(
    seed: int = 1, *, index: IndexedInstruments = INDEX, exchange: ExchangeId = ALPHA, **params: object
) -> OrderFlow:
    return OrderFlow(index, exchange, seed, FlowParams(**params), start_ns=START_NS)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def events() -> list[MarketEvent]:
    return flow(events_per_s=200).next(START_NS + MINUTES * 60 * SECOND_NS)


def by_instrument(events: Sequence[MarketEvent]) -> dict[InstrumentIndex, list[MarketEvent]]:
    found: dict[InstrumentIndex, list[MarketEvent]] = defaultdict(list)
    for event in events:
        found[event.instrument].append(event)
    return found


def quotes(events: Sequence[MarketEvent]) -> list[tuple[int, Decimal, Decimal]]:
    """Return time, bid and ask of every quote."""
    found = []
    for event in events:
        if isinstance(event.data, BookL1):
            bid, ask = event.data.best_bid, event.data.best_ask
            assert bid is not None
            assert ask is not None
            found.append((event.time_exchange_ns, bid.price, ask.price))
    return found


def test_the_same_seed_gives_the_same_events_however_time_is_sliced(events: list[MarketEvent]) -> None:
    again = flow(events_per_s=200)
    sliced: list[MarketEvent] = []
    for i in range(1, MINUTES * 60 * 50 + 1):
        sliced += again.next(START_NS + i * 20_000_000)
    assert repr(sliced) == repr(events)


def test_another_seed_gives_another_flow(events: list[MarketEvent]) -> None:
    assert repr(flow(2, events_per_s=200).take(100)) != repr(events[:100])


def test_events_come_in_order_of_time_and_are_numbered_by_instrument(events: list[MarketEvent]) -> None:
    times = [event.time_exchange_ns for event in events]
    assert times == sorted(times)
    assert times[0] == START_NS
    assert times[-1] <= START_NS + MINUTES * 60 * SECOND_NS
    for own in by_instrument(events).values():
        assert [event.sequence for event in own] == list(range(1, len(own) + 1))


def test_every_instrument_of_the_exchange_trades_and_none_of_another(events: list[MarketEvent]) -> None:
    exchange = INDEX.find_exchange_index(ALPHA)
    expected = {instrument.index for instrument in INDEX.instruments_of(exchange)}
    assert {event.instrument for event in events} == expected
    assert {event.exchange for event in events} == {exchange}


def test_the_mean_rate_is_the_configured_one(events: list[MarketEvent]) -> None:
    assert len(events) / (MINUTES * 60) == pytest.approx(200, rel=0.2)


def test_the_first_event_of_every_instrument_is_a_quote(events: list[MarketEvent]) -> None:
    assert all(isinstance(own[0].data, BookL1) for own in by_instrument(events).values())


def test_every_trade_happens_at_the_book_as_last_quoted_and_within_its_size(events: list[MarketEvent]) -> None:
    last: dict[InstrumentIndex, BookL1] = {}
    trades = 0
    for event in events:
        if isinstance(event.data, BookL1):
            last[event.instrument] = event.data
        elif isinstance(event.data, PublicTrade):
            trades += 1
            book = last[event.instrument]
            level = book.best_ask if event.data.side is Side.BUY else book.best_bid
            assert level is not None
            assert event.data.price == level.price
            assert 0 < event.data.amount <= level.amount
    assert trades > 1_000


def test_books_are_never_crossed_and_spreads_are_tight_and_vary(events: list[MarketEvent]) -> None:
    for own in by_instrument(events).values():
        spreads = [(ask - bid) / bid for _, bid, ask in quotes(own)]
        assert min(spreads) > 0
        assert Decimal("0.00002") < median(spreads) < Decimal("0.0003")
        assert max(spreads) > 2 * median(spreads)


def test_both_sides_trade_about_equally(events: list[MarketEvent]) -> None:
    sides = Counter(event.data.side for event in events if isinstance(event.data, PublicTrade))
    assert 0.4 < sides[Side.BUY] / sides.total() < 0.6


def test_trades_come_in_bursts(events: list[MarketEvent]) -> None:
    """Arrivals by chance alone have as much variance as mean; self-exciting ones have more."""
    slice_ns = SECOND_NS // 10
    for own in by_instrument(events).values():
        counts = Counter(
            (event.time_exchange_ns - START_NS) // slice_ns for event in own if isinstance(event.data, PublicTrade)
        )
        per_slice = [counts[i] for i in range(MINUTES * 600)]
        assert pvariance(per_slice) / mean(per_slice) > 1.5


def test_aggressors_push_the_price_their_way(events: list[MarketEvent]) -> None:
    """Five quotes after a trade the mid price has moved to the aggressor's side more often than not."""
    for own in by_instrument(events).values():
        book = quotes(own)
        mids = [float(bid + ask) / 2 for _, bid, ask in book]
        quoted, signs, moves = 0, [], []
        for event in own:
            if isinstance(event.data, BookL1):
                quoted += 1
            elif isinstance(event.data, PublicTrade) and quoted + 4 < len(mids):
                signs.append(1.0 if event.data.side is Side.BUY else -1.0)
                moves.append(mids[quoted + 4] - mids[quoted - 1])
        assert correlation(signs, moves) > 0.08


def test_spreads_widen_when_the_market_is_wild() -> None:
    events = flow(index=simulated_index(["btc"]), events_per_s=100).next(START_NS + 600 * SECOND_NS)
    spreads = [float(ask - bid) for _, bid, ask in quotes(events)]
    storms = [latent_value(0, "btc", time_ns).volatility for time_ns, _, _ in quotes(events)]
    assert correlation(spreads, storms) > 0.3


def test_a_follower_quotes_the_same_underlying_a_little_later() -> None:
    index = simulated_index(["btc"])
    lag_ns = lag_of(ExchangeId.SIM_BETA)
    assert lag_ns > 0 == lag_of(ALPHA)
    grid_ns = 50_000_000
    until_ns = START_NS + 200 * SECOND_NS

    def mids(exchange: ExchangeId) -> list[float]:
        events = flow(index=index, exchange=exchange, events_per_s=400, lag_ns=lag_of(exchange)).next(until_ns)
        series, values = quotes(events), []
        position = 0
        for time_ns in range(START_NS + SECOND_NS, until_ns, grid_ns):
            while position + 1 < len(series) and series[position + 1][0] <= time_ns:
                position += 1
            values.append(float(series[position][1] + series[position][2]) / 2)
        return values

    leader, follower = mids(ALPHA), mids(ExchangeId.SIM_BETA)
    assert mean(abs(a / b - 1) for a, b in zip(leader, follower, strict=True)) < 0.001

    def moves(values: list[float], every: int) -> list[float]:
        return [after - before for before, after in zip(values, values[every:], strict=False)]

    ahead, behind = moves(leader, 4), moves(follower, 4)
    shift = lag_ns // grid_ns
    assert correlation(ahead[:-shift], behind[shift:]) > correlation(ahead, behind)
    assert correlation(ahead[:-shift], behind[shift:]) > correlation(ahead[shift:], behind[:-shift]) + 0.1


def test_prices_and_amounts_keep_to_the_steps_of_the_specification() -> None:
    spec = steps("0.50", "0.003", price_min="100", quantity_min="0.012")
    index = index_instruments([definition(ALPHA, "btc", spec=spec)])
    for event in flow(index=index).take(5_000):
        levels = (
            [(event.data.price, event.data.amount)]
            if isinstance(event.data, PublicTrade)
            else [
                (level.price, level.amount)
                for level in (event.data.best_bid, event.data.best_ask)  # type: ignore[attr-defined]
            ]
        )
        for price, amount in levels:
            assert price % Decimal("0.50") == 0
            assert amount % Decimal("0.003") == 0
            assert amount >= Decimal("0.012") or isinstance(event.data, PublicTrade)
            assert price >= 100
            assert amount > 0


def test_a_start_price_is_what_the_flow_moves_around() -> None:
    index = simulated_index(["btc", "pepe"])
    events = flow(index=index, start_prices={"btc": Decimal("0.00001234")}).take(2_000)
    for name, expected in (("btc", Decimal("0.00001234")), ("pepe", Decimal(100))):
        instrument = index.find_instrument_index(ALPHA, f"sim_alpha-{name}_usdt")
        for _, bid, ask in quotes(by_instrument(events)[instrument]):
            assert expected * Decimal("0.9") < bid < ask < expected * Decimal("1.1")


def test_a_coin_quoted_in_a_coin_has_the_price_of_the_one_in_the_other() -> None:
    index = index_instruments([definition(ALPHA, "eth", "btc")])
    _, bid, ask = quotes(flow(index=index).take(50))[-1]
    assert Decimal("0.03") < bid < ask < Decimal("0.06")


def test_trade_ids_grow_across_restarts() -> None:
    def ids(start_ns: int) -> list[int]:
        made = OrderFlow(simulated_index(["btc"]), ALPHA, 1, start_ns=start_ns).take(200)
        return [int(event.data.id) for event in made if isinstance(event.data, PublicTrade)]

    before, after = ids(START_NS), ids(START_NS + SECOND_NS)
    assert before == sorted(set(before))
    assert max(before) < min(after)


def test_the_receive_time_is_the_callers_when_given() -> None:
    made = flow().next(START_NS + SECOND_NS, received_ns=START_NS + 2 * SECOND_NS)
    assert {event.time_received_ns for event in made} == {START_NS + 2 * SECOND_NS}
    assert all(event.time_exchange_ns == event.time_received_ns for event in flow().next(START_NS + SECOND_NS))


def test_resuming_leaves_the_time_between_out_and_numbers_without_a_gap() -> None:
    generator = flow(index=simulated_index(["btc"]))
    before = generator.next(START_NS + SECOND_NS)
    resumed_ns = START_NS + 3_600 * SECOND_NS
    generator.resume_at(resumed_ns)
    after = generator.next(resumed_ns + SECOND_NS)
    assert after[0].time_exchange_ns == resumed_ns
    assert isinstance(after[0].data, BookL1)
    assert [event.sequence for event in before + after] == list(range(1, len(before + after) + 1))


def test_resuming_earlier_goes_on_there_after_a_clock_was_set_back() -> None:
    generator = flow(index=simulated_index(["btc"]))
    before = generator.next(START_NS + SECOND_NS)
    generator.resume_at(START_NS - SECOND_NS)
    after = generator.next(START_NS)
    assert after[0].time_exchange_ns == START_NS - SECOND_NS
    assert [event.sequence for event in before + after] == list(range(1, len(before + after) + 1))


def test_exchanges_with_seeds_of_their_own_quote_one_market() -> None:
    index = simulated_index(["btc"])
    until_ns = START_NS + 60 * SECOND_NS
    one, other = (quotes(flow(seed, index=index).next(until_ns))[-1] for seed in (1, 2))
    assert one[1:] != other[1:]
    assert abs(one[1] / other[1] - 1) < Decimal("0.001")


def test_an_exchange_without_instruments_is_refused() -> None:
    with pytest.raises(ExchangeIndexError, match="Kraken"):
        flow(exchange=ExchangeId.KRAKEN)


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"branching": 1.0}, "branching"),
        ({"events_per_s": 0}, "events_per_s"),
        ({"lag_ns": -1}, "lag_ns"),
        ({"start_prices": {"btc": Decimal(0)}}, r"start_prices\.btc"),
    ],
)
def test_parameters_that_give_no_flow_are_refused(params: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        FlowParams(**params)  # type: ignore[arg-type]


def test_a_process_that_is_back_within_the_second_gives_no_id_again() -> None:
    first = OrderFlow(INDEX, ALPHA, 1, FlowParams(events_per_s=400), start_ns=START_NS)
    later_ns = START_NS + SECOND_NS // 2
    again = OrderFlow(INDEX, ALPHA, 1, FlowParams(events_per_s=400), start_ns=later_ns)
    before = [int(event.data.id) for event in first.next(later_ns) if isinstance(event.data, PublicTrade)]
    after = [int(event.data.id) for event in again.next(later_ns + SECOND_NS) if isinstance(event.data, PublicTrade)]
    assert max(before) < min(after)
