"""What subscriptions name: kinds and instruments of market data, their text, and what they describe."""

from decimal import Decimal

import pytest

from tests.support.builders import spot_definition, usual_index
from tradebus.core.model.asset import asset_from_name
from tradebus.core.model.calendar import date_text
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import AssetIndexError, InstrumentIndexError, index_instruments
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    OptionExercise,
    OptionKind,
    QuoteKind,
)
from tradebus.core.model.market_data_instrument import (
    MarketDataContract,
    MarketDataInstrument,
    market_data_contract,
    market_data_instrument,
)
from tradebus.core.model.subscription import Subscription, SubscriptionKind, find_subscribed, subscriptions_of

DAY = 86_400_000_000_000
EXPIRY = 1_703_980_800_000_000_000
USDC = asset_from_name("USDC")
SPOT_DATA = MarketDataContract(InstrumentKind.SPOT)


def future(size: str = "1", expiry_ns: int = EXPIRY) -> InstrumentContract:
    return InstrumentContract(InstrumentKind.FUTURE, Decimal(size), USDC, expiry_ns, None, None, None)


def option(strike: str = "50000") -> InstrumentContract:
    return InstrumentContract(
        InstrumentKind.OPTION, Decimal(1), USDC, EXPIRY, Decimal(strike), OptionKind.PUT, OptionExercise.EUROPEAN
    )


def derivative(contract: InstrumentContract, name: str) -> InstrumentDefinition:
    btc = asset_from_name("BTC")
    return InstrumentDefinition(
        ExchangeId.DERIBIT, f"deribit-{name}", name, btc, USDC, QuoteKind.UNDERLYING_QUOTE, contract, None
    )


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (11_016, "2000-02-29"),
        (11_017, "2000-03-01"),
        (47_540, "2100-02-28"),
        (47_541, "2100-03-01"),
    ],
)
def test_dates_are_those_of_the_calendar(days: int, text: str) -> None:
    assert date_text(days * DAY) == text
    assert date_text(days * DAY + DAY - 1) == text


def test_kinds_print_what_tells_them_apart() -> None:
    assert str(SPOT_DATA) == "spot"
    assert str(MarketDataContract(InstrumentKind.PERPETUAL)) == "perpetual"
    assert str(market_data_contract(future())) == "future_2023-12-31-UTC"
    assert str(market_data_contract(option("50000"))) == "option_put_european_2023-12-31-UTC_50000"
    assert str(market_data_contract(option("0.50"))) == "option_put_european_2023-12-31-UTC_0.50"
    assert str(MarketDataInstrument("BTC", "USD", SPOT_DATA)) == "btc_usd_spot"


def test_size_and_settlement_do_not_matter_to_a_feed() -> None:
    asked = market_data_contract(future("100"))
    assert asked.describes(future("1"))
    assert not asked.describes(future("1", EXPIRY + 1))
    assert not asked.describes(option())
    assert market_data_contract(option("50000")).describes(option("50000.00"))
    assert not market_data_contract(option("50000")).describes(option("50001"))


def test_terms_belong_to_the_kind() -> None:
    with pytest.raises(ValueError, match="spot: expected no expiry, found 1"):
        MarketDataContract(InstrumentKind.SPOT, 1)
    with pytest.raises(ValueError, match="future: expected an expiry, found None"):
        MarketDataContract(InstrumentKind.FUTURE)
    with pytest.raises(ValueError, match="future: expected no terms of an option"):
        MarketDataContract(InstrumentKind.FUTURE, 1, Decimal(1))
    with pytest.raises(ValueError, match="option: expected a strike, a right and an exercise"):
        MarketDataContract(InstrumentKind.OPTION, 1, Decimal(1), OptionKind.CALL)


def test_a_subscription_finds_its_instrument() -> None:
    index = index_instruments([spot_definition(), derivative(future(), "f"), derivative(option(), "o")])
    for instrument in index.instruments:
        definition = instrument.definition
        asked = Subscription(definition.exchange, market_data_instrument(definition), SubscriptionKind.PUBLIC_TRADES)
        assert asked.instrument.describes(definition)
        assert find_subscribed(index, asked) == instrument.index


def test_a_subscription_to_what_there_is_not_says_what_is_missing() -> None:
    index = usual_index()
    kind = SubscriptionKind.ORDER_BOOKS_L1
    alpha = ExchangeId.SIM_ALPHA
    with pytest.raises(AssetIndexError, match="no asset 'sol'"):
        find_subscribed(index, Subscription(alpha, MarketDataInstrument("SOL", "usdt", SPOT_DATA), kind))
    perpetual = MarketDataContract(InstrumentKind.PERPETUAL)
    with pytest.raises(InstrumentIndexError, match="SimAlpha has no instrument btc_usdt_perpetual"):
        find_subscribed(index, Subscription(alpha, MarketDataInstrument("btc", "usdt", perpetual), kind))
    with pytest.raises(InstrumentIndexError, match="usdt_btc_spot"):
        find_subscribed(index, Subscription(alpha, MarketDataInstrument("usdt", "btc", SPOT_DATA), kind))


def test_every_instrument_is_subscribed_to_by_exchange() -> None:
    kinds = [SubscriptionKind.PUBLIC_TRADES, SubscriptionKind.ORDER_BOOKS_L1]
    batches = subscriptions_of(usual_index(), kinds)
    assert [[str(subscription) for subscription in batch] for batch in batches] == [
        [
            "(sim_alpha|PublicTrades|btc_usdt_spot)",
            "(sim_alpha|OrderBooksL1|btc_usdt_spot)",
            "(sim_alpha|PublicTrades|eth_usdt_spot)",
            "(sim_alpha|OrderBooksL1|eth_usdt_spot)",
        ],
        ["(sim_beta|PublicTrades|btc_usdt_spot)", "(sim_beta|OrderBooksL1|btc_usdt_spot)"],
    ]
