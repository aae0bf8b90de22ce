"""`[market.<exchange>]` and `[execution.<exchange>]`: where data come from, where orders go."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from tradebus.config.sections.base import Section
from tradebus.config.values import AccountName, Amount, AssetName, Percent, PositiveAmount, text_like

SourceName = Literal["generator", "live", "recording"]
WebUrl = Annotated[str, text_like(r"^https?://\S+$", "an address beginning with http:// or https://")]
SocketUrl = Annotated[str, text_like(r"^wss?://\S+$", "an address beginning with ws:// or wss://")]


class GeneratorSettings(Section):
    """`[market.<exchange>.generator]`: the seeded order flow of a simulated exchange."""

    seed: Annotated[int, Field(ge=0)] = 1
    """Same seed, same flow."""
    events_per_s: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    """Trades and quotes a second over all instruments of the exchange, on average; bursts exceed it."""
    start_prices: dict[AssetName, PositiveAmount] = Field(default_factory=dict)
    """First price by base asset, in the instrument's quote asset; the rest start at a price of the generator's own."""


class MarketSettings(Section):
    """`[market.<exchange>]`: the feed of one exchange."""

    source: SourceName | None = None
    """`generator`, `live` or `recording`; when left out the mode decides."""
    url_ws: SocketUrl | None = None
    """Websocket address instead of the venue's own (a test server, a proxy)."""
    url_rest: WebUrl | None = None
    """REST address instead of the venue's own."""
    generator: GeneratorSettings = GeneratorSettings()


class ExecutionSettings(Section):
    """`[execution.<exchange>]`: the account that orders for one exchange go to."""

    connector: Literal["simulated", "native", "ccxt"]
    """`simulated` is the only one in this version."""
    account: AccountName | None = None
    """Account name; `<exchange>-paper` for a simulated one, the exchange's name otherwise."""
    latency_ms: Annotated[int, Field(ge=0, le=60_000)] = 100
    """Simulated: from our request to the exchange's answer, both ways together, in engine time."""
    fees_percent: Percent = Decimal(0)
    """Simulated: fee of an order that takes liquidity, in per cent of its value (0.05 is 0.05 %)."""
    fees_maker_percent: Percent | None = None
    """Simulated: fee of an order that rested in the book; `fees_percent` when left out."""
    balances: dict[AssetName, Amount] = Field(default_factory=dict)
    """Simulated: what the account holds at the start, by asset."""

    @property
    def fee_fraction_taker(self) -> Decimal:
        """Taker fee as a fraction of the order's value."""
        return self.fees_percent / 100

    @property
    def fee_fraction_maker(self) -> Decimal:
        """Maker fee as a fraction of the order's value."""
        return (self.fees_percent if self.fees_maker_percent is None else self.fees_maker_percent) / 100
