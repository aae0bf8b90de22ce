"""What contracts pay: sizes, inverse contracts, options, and the asset of the profit."""

from decimal import Decimal

import pytest

from tests.support.builders import derivative, fill, spot_definition
from tradebus.core.engine.state.payoff import LINEAR, Payoff, payoff_of, pnl_asset
from tradebus.core.engine.state.position import next_position, pnl_return
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import Instrument, InstrumentDefinition, InstrumentKind, QuoteKind
from tradebus.core.model.number import enter_engine_context
from tradebus.core.model.side import Side

BASE, QUOTE = QuoteKind.UNDERLYING_BASE, QuoteKind.UNDERLYING_QUOTE
PERPETUAL, FUTURE, OPTION = InstrumentKind.PERPETUAL, InstrumentKind.FUTURE, InstrumentKind.OPTION


def instrument_of(definition: InstrumentDefinition) -> Instrument:
    return index_instruments([definition]).instruments[0]


def asset_name(definition: InstrumentDefinition) -> str:
    index = index_instruments([definition])
    return index.assets[pnl_asset(index.instruments[0])].asset.name_internal


def test_spot_is_linear_in_its_quote() -> None:
    assert payoff_of(instrument_of(spot_definition())) is LINEAR
    assert asset_name(spot_definition()) == "usdt"


@pytest.mark.parametrize("kind", [PERPETUAL, FUTURE])
@pytest.mark.parametrize(
    ("settlement", "quote_kind", "asset", "is_inverse"),
    [
        *(("usdt", QUOTE, "usdt", False), ("btc", QUOTE, "btc", True), ("usdc", QUOTE, "usdc", False)),
        *(("btc", BASE, "btc", False), ("usdt", BASE, "usdt", False)),
    ],
)
def test_a_derivative_pays_what_it_settles_in(
    kind: InstrumentKind, settlement: str, quote_kind: QuoteKind, asset: str, is_inverse: bool
) -> None:
    definition = derivative(kind, settlement=settlement, quote_kind=quote_kind, size=10)
    payoff = payoff_of(instrument_of(definition))
    assert (asset_name(definition), payoff.is_inverse, payoff.contract_size) == (asset, is_inverse, Decimal(10))


@pytest.mark.parametrize(("quote_kind", "asset"), [(QUOTE, "usdt"), (BASE, "btc")])
@pytest.mark.parametrize("settlement", ["usdt", "btc"])
def test_an_option_pays_in_what_its_premium_is_quoted_in(settlement: str, quote_kind: QuoteKind, asset: str) -> None:
    definition = derivative(OPTION, settlement=settlement, quote_kind=quote_kind, size="0.1")
    payoff = payoff_of(instrument_of(definition))
    assert (asset_name(definition), payoff.is_inverse) == (asset, False)
    # Ten contracts of 0.1 each, premium from 5 to 8 for one unit of the underlying.
    assert payoff.profit(Side.BUY, Decimal(5), Decimal(10), Decimal(8)) == 3


def test_contract_size_multiplies_profit_and_leaves_the_price() -> None:
    payoff = Payoff(Decimal("0.01"), is_inverse=False)
    position, _ = next_position(None, fill("1", Side.BUY, 100, 5, 1), payoff)
    position, _ = next_position(position, fill("2", Side.BUY, 110, 5, 1), payoff)
    assert position is not None
    assert position.price_entry_average == 105
    assert position.pnl_unrealised_gross(Decimal(125), payoff) == 2
    assert position.exit_fees_approximate() == 2
    assert position.pnl_unrealised(Decimal(125), payoff) == 0
    position, exited = next_position(position, fill("3", Side.SELL, 125, 10, 1), payoff)
    assert position is None
    assert exited is not None
    assert exited.pnl_realised == Decimal(2) - 3
    assert pnl_return(exited.pnl_realised, Decimal(105), Decimal(10), payoff=payoff) == Decimal(-1) / Decimal("10.5")


def test_an_inverse_contract_pays_in_base_by_one_over_the_price() -> None:
    enter_engine_context()
    payoff = Payoff(Decimal(100), is_inverse=True)
    # 50 contracts of 100 USD at 20,000 and 50 at 25,000: worth 0.25 and 0.2 BTC.
    position, _ = next_position(None, fill("1", Side.BUY, 20_000, 50, "0.0001"), payoff)
    position, _ = next_position(position, fill("2", Side.BUY, 25_000, 50, "0.0001"), payoff)
    assert position is not None
    assert payoff.value(position.quantity_abs, position.price_entry_average) == Decimal("0.45")
    assert position.pnl_unrealised_gross(Decimal(50_000), payoff) == Decimal("0.25")
    position, exited = next_position(position, fill("3", Side.SELL, 50_000, 100, "0.0002"), payoff)
    assert position is None
    assert exited is not None
    assert exited.pnl_realised == Decimal("0.2496")


def test_a_short_inverse_contract_gains_when_the_price_falls() -> None:
    payoff = Payoff(Decimal(1), is_inverse=True)
    assert payoff.profit(Side.SELL, Decimal(100), Decimal(400), Decimal(80)) == 1
    assert payoff.profit(Side.BUY, Decimal(100), Decimal(400), Decimal(80)) == -1


@pytest.mark.parametrize("is_inverse", [False, True])
def test_average_of_nothing_is_0_and_of_one_fill_its_price(is_inverse: bool) -> None:
    payoff = Payoff(Decimal(3), is_inverse=is_inverse)
    assert payoff.average(Decimal(0), Decimal(0), Decimal(7), Decimal(0)) == 0
    assert payoff.average(Decimal(0), Decimal(0), Decimal(7), Decimal(3)) == 7
