"""The numbering of a run: order, look-ups, and the fingerprint that tells two numberings apart."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.support.builders import ALPHA, BETA, BTC, spot_definition, steps, usual_index
from tradebus.core.model.asset import Asset, asset_from_name
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import (
    AssetIndexError,
    ExchangeIndexError,
    IndexedInstruments,
    InstrumentIndexError,
    index_instruments,
)
from tradebus.core.model.instrument import (
    SPOT,
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    InstrumentSpec,
    OptionExercise,
    OptionKind,
    QuantityUnit,
    QuoteKind,
)

USDT = asset_from_name("usdt")


def option(**changed: object) -> InstrumentDefinition:
    """An option with every field filled; ``changed`` names the fields that are other."""
    contract: dict[str, object] = {
        "kind": InstrumentKind.OPTION,
        "contract_size": Decimal("0.1"),
        "settlement": asset_from_name("USDC"),
        "expiry_ns": 1_700_000_000_000_000_000,
        "strike": Decimal(50000),
        "option_kind": OptionKind.CALL,
        "option_exercise": OptionExercise.EUROPEAN,
    }
    spec: dict[str, object] = {
        "price_min": Decimal(1),
        "tick_size": Decimal("0.5"),
        "quantity_unit": QuantityUnit.CONTRACT,
        "quantity_asset": asset_from_name("BTC"),
        "quantity_min": Decimal(2),
        "lot_size": Decimal(3),
        "notional_min": Decimal(4),
    }
    definition: dict[str, object] = {
        "exchange": ExchangeId.DERIBIT,
        "name_internal": "deribit-btc-call",
        "name_exchange": "BTC-CALL",
        "base": asset_from_name("BTC"),
        "quote": asset_from_name("USD"),
        "quote_kind": QuoteKind.UNDERLYING_QUOTE,
    }
    for name, value in changed.items():
        next(part for part in (contract, spec, definition) if name in part)[name] = value
    made: list[Any] = [InstrumentContract(**contract), InstrumentSpec(**spec)]  # type: ignore[arg-type]
    return InstrumentDefinition(*[*definition.values(), *made])


CHANGES: dict[str, object] = {
    "exchange": ExchangeId.OKX,
    "name_internal": "deribit-btc-other",
    "name_exchange": "BTC-OTHER",
    "base": asset_from_name("ETH"),
    "quote": asset_from_name("EUR"),
    "quote_kind": QuoteKind.UNDERLYING_BASE,
    "contract_size": Decimal("0.2"),
    "settlement": asset_from_name("USDT"),
    "expiry_ns": 1,
    "strike": Decimal(60000),
    "option_kind": OptionKind.PUT,
    "option_exercise": OptionExercise.AMERICAN,
    "price_min": Decimal(9),
    "tick_size": Decimal(9),
    "quantity_unit": QuantityUnit.QUOTE,
    "quantity_asset": asset_from_name("SOL"),
    "quantity_min": Decimal(9),
    "lot_size": Decimal(9),
    "notional_min": Decimal(9),
}


@pytest.mark.parametrize("name", CHANGES)
def test_fingerprint_tells_every_field_of_an_instrument(name: str) -> None:
    other = index_instruments([option(**{name: CHANGES[name]})])
    assert other.fingerprint() != index_instruments([option()]).fingerprint()


def test_fingerprint_tells_kinds_and_what_is_absent() -> None:
    usdc = asset_from_name("USDC")
    contracts = [
        InstrumentContract(InstrumentKind.PERPETUAL, Decimal(1), usdc, None, None, None, None),
        InstrumentContract(InstrumentKind.FUTURE, Decimal(1), usdc, 1, None, None, None),
        SPOT,
    ]
    btc = asset_from_name("BTC")
    found = [
        index_instruments(
            [InstrumentDefinition(ExchangeId.OKX, "n", "N", btc, usdc, QuoteKind.UNDERLYING_QUOTE, contract, None)]
        ).fingerprint()
        for contract in contracts
    ]
    found += [index_instruments([option(quantity_asset=asset)]).fingerprint() for asset in (None, btc, usdc)]
    assert len(set(found)) == len(found)


def test_fingerprint_tells_an_instrument_without_specification_and_one_more_instrument() -> None:
    plain = spot_definition()
    some: list[list[InstrumentDefinition]] = [
        [plain],
        [spot_definition(spec=steps())],
        [plain, spot_definition(base="eth")],
        [],
    ]
    assert len({index_instruments(definitions).fingerprint() for definitions in some}) == len(some)


def test_fingerprint_is_that_of_the_set_and_of_equal_numbers() -> None:
    index = index_instruments([option(), spot_definition()])
    assert index_instruments([spot_definition(), option(), option()]).fingerprint() == index.fingerprint()
    assert (
        index_instruments([option(strike=Decimal("50000.0")), spot_definition()]).fingerprint() == index.fingerprint()
    )


def test_usual_index_is_numbered_as_the_builders_say() -> None:
    index = usual_index()
    assert index.exchanges == [ExchangeId.SIM_ALPHA, ExchangeId.SIM_BETA]
    assert [instrument.name for instrument in index.instruments] == [
        "sim_alpha-btc_usdt",
        "sim_alpha-eth_usdt",
        "sim_beta-btc_usdt",
    ]
    assert [(item.exchange, item.asset.name_internal) for item in index.assets] == [
        (ExchangeId.SIM_ALPHA, "btc"),
        (ExchangeId.SIM_ALPHA, "eth"),
        (ExchangeId.SIM_ALPHA, "usdt"),
        (ExchangeId.SIM_BETA, "btc"),
        (ExchangeId.SIM_BETA, "usdt"),
    ]
    assert [(found.base, found.quote, found.settlement) for found in index.instruments] == [
        (0, 2, None),
        (1, 2, None),
        (3, 4, None),
    ]
    assert [found.index for found in index.instruments_of(ALPHA)] == [0, 1]
    assert [found.index for found in index.instruments_of(BETA)] == [2]


def test_settlement_and_unit_are_assets_of_the_index() -> None:
    index = index_instruments([option(quantity_asset=asset_from_name("XYZ"))])
    assert [item.asset.name_internal for item in index.assets] == ["btc", "usd", "usdc", "xyz"]
    assert index.instruments[0].settlement == 2


def test_names_are_found_in_any_case_and_symbols_verbatim() -> None:
    index = usual_index()
    assert index.find_asset_index(ExchangeId.SIM_BETA, "BTC") == 3
    assert index.find_instrument_index(ExchangeId.SIM_ALPHA, "Sim_Alpha-BTC_usdt") == BTC
    assert index.find_instrument_by_symbol(ExchangeId.SIM_BETA, "BTCUSDT") == 2
    assert index.find_exchange_index(ExchangeId.SIM_BETA) == BETA
    assert index.find_exchange(BETA) is ExchangeId.SIM_BETA


def test_two_instruments_of_one_name_are_found_as_the_first() -> None:
    index = index_instruments([spot_definition(spec=steps()), spot_definition()])
    assert len(index.instruments) == 2
    assert index.find_instrument_index(ExchangeId.SIM_ALPHA, "sim_alpha-btc_usdt") == 0
    assert index.instruments[0].definition.spec is None


Lookup = Callable[[IndexedInstruments], object]


@pytest.mark.parametrize(
    ("look_up", "error", "text"),
    [
        (lambda i: i.find_exchange_index(ExchangeId.OKX), ExchangeIndexError, "Okx"),
        (lambda i: i.find_exchange(ExchangeIndex(2)), ExchangeIndexError, "0 to 1, found 2"),
        (lambda i: i.find_exchange(ExchangeIndex(-1)), ExchangeIndexError, "found -1"),
        (lambda i: i.find_asset_index(ExchangeId.SIM_ALPHA, "sol"), AssetIndexError, "'sol'"),
        (lambda i: i.find_asset_index(ExchangeId.OKX, "btc"), AssetIndexError, "Okx"),
        (lambda i: i.find_asset(AssetIndex(5)), AssetIndexError, "0 to 4, found 5"),
        (lambda i: i.find_asset(AssetIndex(-1)), AssetIndexError, "found -1"),
        (lambda i: i.find_instrument_index(ExchangeId.SIM_BETA, "nothing"), InstrumentIndexError, "'nothing'"),
        (lambda i: i.find_instrument_by_symbol(ExchangeId.SIM_BETA, "btcusdt"), InstrumentIndexError, "'btcusdt'"),
        (lambda i: i.find_instrument(InstrumentIndex(3)), InstrumentIndexError, "0 to 2, found 3"),
        (lambda i: i.find_instrument(InstrumentIndex(-1)), InstrumentIndexError, "found -1"),
    ],
)
def test_what_is_not_there_is_named(look_up: Lookup, error: type[LookupError], text: str) -> None:
    with pytest.raises(error, match=text) as raised:
        look_up(usual_index())
    assert str(raised.value).startswith(f"{error.__name__.removesuffix('Error')}: ")


def test_one_internal_name_for_two_assets_of_an_exchange_is_refused() -> None:
    kraken = ExchangeId.KRAKEN
    usd = asset_from_name("USD")
    clashing = [
        InstrumentDefinition(kraken, name, name, Asset("btc", name), usd, QuoteKind.UNDERLYING_QUOTE, SPOT, None)
        for name in ("XBT", "BTC")
    ]
    with pytest.raises(AssetIndexError, match="Kraken has two assets called 'btc': 'BTC' and 'XBT'"):
        index_instruments(clashing)


def test_specifications_sort_by_their_numbers_and_not_by_their_text() -> None:
    ticks = ["9", "10", "0.5", "100"]
    index = index_instruments([spot_definition(spec=steps(tick)) for tick in ticks])
    found = [instrument.definition.spec for instrument in index.instruments]
    assert [spec.tick_size for spec in found if spec is not None] == [
        Decimal(text) for text in sorted(ticks, key=float)
    ]
