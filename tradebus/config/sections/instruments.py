"""`[[instruments]]`: what is traded, in barter's words."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tradebus.config.sections.base import Section
from tradebus.config.values import Amount, AssetName, PositiveAmount, text_like
from tradebus.core.model.identifiers import ExchangeId

ExchangeName = Annotated[str, text_like(r"^\S{1,64}$", "the venue's own name, as in BTCUSDT")]
"""The venue's own text, kept verbatim (`BTCUSDT`)."""

VerbatimAsset = Annotated[
    str, text_like(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$", "an asset as the venue writes it, as in BTC")
]
"""An asset as the venue writes it; its internal name is the lower-cased text."""


class UnderlyingSettings(Section):
    """What is bought and what it is paid with."""

    base: VerbatimAsset
    quote: VerbatimAsset


class PriceSpec(Section):
    """Smallest price and smallest step between prices."""

    min: Amount = Decimal(0)
    tick_size: PositiveAmount


class QuantitySpec(Section):
    """Smallest quantity and smallest step, in units of the base asset."""

    unit: Literal["asset", "contract", "quote"] = "asset"
    min: Amount = Decimal(0)
    increment: PositiveAmount


class NotionalSpec(Section):
    """Smallest price times quantity, in the quote asset."""

    min: Amount


class InstrumentSpecSettings(Section):
    """The venue's trading rules for the instrument."""

    price: PriceSpec
    quantity: QuantitySpec
    notional: NotionalSpec


class PerpetualKind(Section):
    """A contract without expiry."""

    contract_size: PositiveAmount
    settlement_asset: AssetName


class FutureKind(PerpetualKind):
    """A contract that expires."""

    expiry: Annotated[int, Field(gt=0)]
    """Milliseconds since the epoch."""


class OptionKind(FutureKind):
    """The right to buy or sell at a price."""

    kind: Literal["call", "put"]
    exercise: Literal["american", "bermudan", "european"]
    strike: PositiveAmount


class DerivativeKind(Section):
    """`kind = { perpetual = {...} }` and its siblings; exactly one of them."""

    perpetual: PerpetualKind | None = None
    future: FutureKind | None = None
    option: OptionKind | None = None

    @model_validator(mode="after")
    def _is_exactly_one(self) -> Self:
        given = [name for name in ("perpetual", "future", "option") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError("one_kind", "one of `perpetual`, `future` and `option`")
        return self

    @property
    def name(self) -> str:
        """The kind's name, `perpetual` for instance."""
        return next(name for name in ("perpetual", "future", "option") if getattr(self, name) is not None)


class InstrumentSettings(Section):
    """One tradable thing on one exchange."""

    exchange: ExchangeId
    """Exchange id, snake case (`binance_spot`)."""
    name_exchange: ExchangeName
    """The venue's own name (`BTCUSDT`)."""
    name_internal: Annotated[str, text_like(r"^\S{1,96}$", "a name without spaces", to_lower=True)] | None = None
    """Our name; `<exchange>-<base>_<quote>` when left out."""
    underlying: UnderlyingSettings
    quote: Literal["underlying_quote", "underlying_base"] = "underlying_quote"
    """What prices are in; spot is always priced in the underlying's quote."""
    kind: Literal["spot"] | DerivativeKind = "spot"
    spec: InstrumentSpecSettings | None = None

    @property
    def name(self) -> str:
        """The internal name: as given, else from exchange and underlying."""
        return self.name_internal or f"{self.exchange.value}-{'_'.join(self.assets)}"

    @property
    def assets(self) -> tuple[str, str]:
        """Internal names of base and quote asset."""
        return self.underlying.base.lower(), self.underlying.quote.lower()
