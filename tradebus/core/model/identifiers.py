"""Name everything that trades: exchanges, dense indices, and the ids of orders and trades.

Source: barter 0.12.5, barter-instrument ``exchange.rs`` and ``index``, barter-execution ``order/id.rs``.
"""

from enum import Enum
from typing import Final, NewType

ExchangeIndex = NewType("ExchangeIndex", int)
AssetIndex = NewType("AssetIndex", int)
InstrumentIndex = NewType("InstrumentIndex", int)

ClientOrderId = NewType("ClientOrderId", str)
OrderId = NewType("OrderId", str)
TradeId = NewType("TradeId", str)
StrategyId = NewType("StrategyId", str)

STRATEGY_UNKNOWN: Final = StrategyId("unknown")
RISK_MANAGER: Final = StrategyId("risk manager")
NO_CLIENT_ORDER_ID: Final = ClientOrderId("")


class ExchangeId(Enum):
    """One id per execution or market-data server; declaration order is the order of indices.

    The first 42 are the reference's; the simulated venues of the demo follow.
    """

    OTHER = "other"
    SIMULATED = "simulated"
    MOCK = "mock"
    BINANCE_FUTURES_COIN = "binance_futures_coin"
    BINANCE_FUTURES_USD = "binance_futures_usd"
    BINANCE_OPTIONS = "binance_options"
    BINANCE_PORTFOLIO_MARGIN = "binance_portfolio_margin"
    BINANCE_SPOT = "binance_spot"
    BINANCE_US = "binance_us"
    BITAZZA = "bitazza"
    BITFINEX = "bitfinex"
    BITFLYER = "bitflyer"
    BITGET = "bitget"
    BITMART = "bitmart"
    BITMART_FUTURES_USD = "bitmart_futures_usd"
    BITMEX = "bitmex"
    BITSO = "bitso"
    BITSTAMP = "bitstamp"
    BITVAVO = "bitvavo"
    BITHUMB = "bithumb"
    BYBIT_PERPETUALS_USD = "bybit_perpetuals_usd"
    BYBIT_SPOT = "bybit_spot"
    CEXIO = "cexio"
    COINBASE = "coinbase"
    COINBASE_INTERNATIONAL = "coinbase_international"
    CRYPTOCOM = "cryptocom"
    DERIBIT = "deribit"
    GATEIO_FUTURES_BTC = "gateio_futures_btc"
    GATEIO_FUTURES_USD = "gateio_futures_usd"
    GATEIO_OPTIONS = "gateio_options"
    GATEIO_PERPETUALS_BTC = "gateio_perpetuals_btc"
    GATEIO_PERPETUALS_USD = "gateio_perpetuals_usd"
    GATEIO_SPOT = "gateio_spot"
    GEMINI = "gemini"
    HITBTC = "hitbtc"
    HTX = "htx"
    KRAKEN = "kraken"
    KUCOIN = "kucoin"
    LIQUID = "liquid"
    MEXC = "mexc"
    OKX = "okx"
    POLONIEX = "poloniex"
    SIM_ALPHA = "sim_alpha"
    SIM_BETA = "sim_beta"

    @property
    def display(self) -> str:
        """Return the CamelCase form that error texts use: ``BinanceSpot``."""
        return "".join(part.capitalize() for part in self.value.split("_"))


_EXCHANGE_ALIASES: Final = {"huobi": "htx"}
_EXCHANGE_ORDER: Final = {exchange: order for order, exchange in enumerate(ExchangeId)}


def parse_exchange_id(text: str) -> ExchangeId:
    """Return the exchange with this canonical snake_case text; ``huobi`` is read as ``htx``.

    Raises ValueError naming the text and what is expected.
    """
    try:
        return ExchangeId(_EXCHANGE_ALIASES.get(text, text))
    except ValueError:
        raise ValueError(f"expected an exchange id such as 'binance_spot', found {text!r}") from None


def exchange_order(exchange: ExchangeId) -> int:
    """Return the position of an exchange in declaration order, which is the order of indices."""
    return _EXCHANGE_ORDER[exchange]


def client_order_id(engine_id: str, engine_epoch: int, sequence: int, ordinal: int) -> ClientOrderId:
    """Derive the id of the order that tick ``sequence`` decided as its ``ordinal``-th request.

    Letters and digits only, at most 32 characters for the engine ids that configuration allows, so that
    every venue accepts it; the same journal always gives the same ids.
    """
    return ClientOrderId(f"{engine_id}e{engine_epoch}s{sequence}n{ordinal}")


def decode_client_order_id(cid: str) -> tuple[str, int, int, int] | None:
    """Return engine id, epoch, sequence and ordinal of a derived client order id, none for any other text."""
    at_ordinal = cid.rfind("n")
    at_sequence = cid.rfind("s", 0, max(at_ordinal, 0))
    at_epoch = cid.rfind("e", 0, max(at_sequence, 0))
    if at_epoch < 1:
        return None
    epoch = _counted(cid[at_epoch + 1 : at_sequence])
    sequence = _counted(cid[at_sequence + 1 : at_ordinal])
    ordinal = _counted(cid[at_ordinal + 1 :])
    if epoch < 0 or sequence < 0 or ordinal < 0:
        return None
    return cid[:at_epoch], epoch, sequence, ordinal


def _counted(text: str) -> int:
    """Return a number as it is written into an id, -1 for a text that is none."""
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and len(text) > 1):
        return -1
    return int(text)
