"""Instruments: names lead back to what they name, whatever is indexed, and orders fitted to a venue's steps pass."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.builders import open_request, spot_definition
from tests.support.values import given_numbers, instrument_contracts, instrument_definitions
from tradebus.core.model.calendar import NS_PER_DAY, date_text
from tradebus.core.model.index import AssetIndexError, IndexedInstruments, index_instruments
from tradebus.core.model.instrument import InstrumentContract, InstrumentDefinition, InstrumentSpec, QuantityUnit
from tradebus.core.model.market_data_instrument import market_data_contract, market_data_instrument
from tradebus.core.model.order import OrderKind
from tradebus.core.model.side import Side
from tradebus.core.model.subscription import Subscription, SubscriptionKind, find_subscribed
from tradebus.core.model.trading_rules import fit_order, spec_problem
from tradebus.wire.tagged import instrument as tagged

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
steps = st.sampled_from([Decimal(text) for text in ("0", "0.001", "0.01", "0.25", "1", "5", "3")])
amounts = st.integers(1, 10**9).map(lambda number: Decimal(number) / 10_000)
specs = st.builds(
    lambda price_min, tick, unit, quantity_min, lot, notional: InstrumentSpec(
        price_min, tick, unit, None, quantity_min, lot, notional
    ),
    steps,
    steps,
    st.sampled_from(list(QuantityUnit)),
    steps,
    steps,
    steps,
)


@given(st.integers(-100_000, 100_000), st.integers(0, NS_PER_DAY - 1))
@examples(300)
def test_dates_are_the_calendars(days: int, within: int) -> None:
    assert date_text(days * NS_PER_DAY + within) == (EPOCH + timedelta(days=days)).strftime("%Y-%m-%d")


@given(specs, amounts, amounts, st.sampled_from(list(Side)), st.sampled_from(list(OrderKind)))
@examples(400)
def test_a_fitted_order_passes_and_is_never_worse_for_us(
    spec: InstrumentSpec, price: Decimal, quantity: Decimal, side: Side, kind: OrderKind
) -> None:
    definition = spot_definition(spec=spec)
    request = open_request(side=side, price=price, quantity=quantity, kind=kind)
    fitted = fit_order(definition, request)
    if fitted is None:
        assert spec_problem(definition, request) != "", "an order that passes fits as it is"
        return
    assert spec_problem(definition, fitted) == ""
    assert quantity - spec.lot_size < fitted.quantity <= quantity or not spec.lot_size
    assert fitted.price <= price if side is Side.BUY else fitted.price >= price
    assert fit_order(definition, fitted) == fitted
    if spec_problem(definition, request) == "":
        assert fitted == request


@given(st.lists(instrument_definitions(), max_size=8), st.randoms(use_true_random=False))
@examples(100)
def test_the_index_finds_what_it_numbers_and_does_not_mind_the_order(
    definitions: list[InstrumentDefinition], random: object
) -> None:
    try:
        index = index_instruments(definitions)
    except AssetIndexError:
        assume(False)
        raise
    shuffled = sorted(definitions, key=lambda _: random.random())  # type: ignore[attr-defined]  # hypothesis' own
    assert index_instruments([*shuffled, *definitions]) == index
    _check_look_ups(index)
    for instrument in index.instruments:
        definition = instrument.definition
        assert index.assets[instrument.base].asset == definition.base
        assert index.assets[instrument.quote].asset == definition.quote
        asked = Subscription(definition.exchange, market_data_instrument(definition), SubscriptionKind.PUBLIC_TRADES)
        found = index.instruments[find_subscribed(index, asked)].definition
        assert asked.instrument.describes(found)


def _check_look_ups(index: IndexedInstruments) -> None:
    for i, exchange in enumerate(index.exchanges):
        assert index.find_exchange_index(exchange) == i
        assert index.find_exchange(index.find_exchange_index(exchange)) is exchange
    for i, item in enumerate(index.assets):
        assert index.find_asset_index(item.exchange, item.asset.name_internal.upper()) == i
    for i, instrument in enumerate(index.instruments):
        first = index.find_instrument_index(instrument.definition.exchange, instrument.name)
        assert first <= i
        assert index.instruments[first].name == instrument.name
        assert index.find_instrument(instrument.index) is instrument


@given(instrument_contracts())
@examples(200)
def test_a_contract_is_described_by_its_own_kind_and_read_from_what_was_written(contract: InstrumentContract) -> None:
    # The reference's times are whole milliseconds; at the edge of what nanoseconds can say one more would not fit.
    assume(contract.expiry_ns is None or abs(contract.expiry_ns) < 2**62)
    kind = market_data_contract(contract)
    assert kind.describes(contract)
    read = tagged.market_data_contract(tagged.market_data_contract_json(kind))
    assert read.kind is kind.kind
    assert read.strike == kind.strike
    assert (read.option_kind, read.option_exercise) == (kind.option_kind, kind.option_exercise)
    # JSON holds whole milliseconds.
    assert (read.expiry_ns is None) is (kind.expiry_ns is None)
    if read.expiry_ns is not None and kind.expiry_ns is not None:
        assert read.expiry_ns == kind.expiry_ns // 1_000_000 * 1_000_000


@given(given_numbers)
@examples(100)
def test_numbers_are_read_as_text(number: Decimal) -> None:
    strike = {"kind": "CALL", "exercise": "European", "expiry": 0, "strike": str(number)}
    assert tagged.market_data_contract({"option": strike}).strike == number
