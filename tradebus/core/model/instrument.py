"""Describe instruments: one tradable thing on one exchange.

Source: barter 0.12.5, barter-instrument ``instrument``; differences: the internal name always uses the snake_case
exchange id, and quote and contract size are checked against the kind.
"""

from decimal import Decimal
from enum import Enum
from typing import ClassVar, Final, final

from tradebus.core.model.asset import Asset
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.number import ONE, ZERO
from tradebus.core.model.record import Record


class InstrumentKind(Enum):
    """What sort of contract is traded. Declaration order is the order of the index."""

    SPOT = 1
    PERPETUAL = 2
    FUTURE = 3
    OPTION = 4


class QuoteKind(Enum):
    """Whether prices are in the underlying's quote (normal) or in its base (in kind)."""

    UNDERLYING_BASE = 1
    UNDERLYING_QUOTE = 2


class OptionKind(Enum):
    """The right an option gives."""

    CALL = 1
    PUT = 2


class OptionExercise(Enum):
    """When an option may be exercised."""

    AMERICAN = 1
    BERMUDAN = 2
    EUROPEAN = 3


class QuantityUnit(Enum):
    """What order quantities count."""

    ASSET = 1
    CONTRACT = 2
    QUOTE = 3


@final
class InstrumentSpec(Record):
    """The venue's steps and minima.

    Prices in quote; quantities in ``quantity_unit`` (``quantity_asset`` names the asset where the unit is one);
    ``notional_min`` in quote. Zero means no limit.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "price_min",
        "tick_size",
        "quantity_unit",
        "quantity_asset",
        "quantity_min",
        "lot_size",
        "notional_min",
    )

    def __init__(
        self,
        price_min: Decimal,
        tick_size: Decimal,
        quantity_unit: QuantityUnit,
        quantity_asset: Asset | None,
        quantity_min: Decimal,
        lot_size: Decimal,
        notional_min: Decimal,
    ) -> None:
        if min(price_min, tick_size, quantity_min, lot_size, notional_min) < ZERO:
            raise ValueError(
                "expected steps and minima of 0 or more, found "
                f"{price_min}, {tick_size}, {quantity_min}, {lot_size}, {notional_min}"
            )
        self.price_min: Final = price_min
        self.tick_size: Final = tick_size
        self.quantity_unit: Final = quantity_unit
        self.quantity_asset: Final = quantity_asset
        self.quantity_min: Final = quantity_min
        self.lot_size: Final = lot_size
        self.notional_min: Final = notional_min


_TERMS: Final = ("settlement asset", "expiry", "strike", "option kind", "option exercise")
_TERMS_OF_KIND: Final = {
    InstrumentKind.SPOT: 0,
    InstrumentKind.PERPETUAL: 1,
    InstrumentKind.FUTURE: 2,
    InstrumentKind.OPTION: 5,
}


def _check_terms(kind: InstrumentKind, contract_size: Decimal, given: list[bool]) -> None:
    name = kind.name.lower()
    if contract_size <= ZERO:
        raise ValueError(f"{name}: expected a contract size above 0, found {contract_size}")
    if kind is InstrumentKind.SPOT and contract_size != ONE:
        raise ValueError(f"{name}: expected a contract size of 1, found {contract_size}")
    count = _TERMS_OF_KIND[kind]
    for i, term in enumerate(_TERMS):
        if given[i] is not (i < count):
            raise ValueError(f"{name}: {term} is {'missing' if i < count else 'not one of its terms'}")


@final
class InstrumentContract(Record):
    """The contract behind an instrument: its kind, and what only derivatives have (none for spot).

    ``contract_size`` is in base per contract (in quote where it settles in base); ``expiry_ns`` is nanoseconds since
    the epoch; ``strike`` in quote. Raises ValueError for a size that is not above 0, and for terms that do not belong
    to the kind or are missing.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "kind",
        "contract_size",
        "settlement",
        "expiry_ns",
        "strike",
        "option_kind",
        "option_exercise",
    )

    def __init__(
        self,
        kind: InstrumentKind,
        contract_size: Decimal,
        settlement: Asset | None,
        expiry_ns: int | None,
        strike: Decimal | None,
        option_kind: OptionKind | None,
        option_exercise: OptionExercise | None,
    ) -> None:
        _check_terms(
            kind,
            contract_size,
            [
                settlement is not None,
                expiry_ns is not None,
                strike is not None,
                option_kind is not None,
                option_exercise is not None,
            ],
        )
        self.kind: Final = kind
        self.contract_size: Final = contract_size
        self.settlement: Final = settlement
        self.expiry_ns: Final = expiry_ns
        self.strike: Final = strike
        self.option_kind: Final = option_kind
        self.option_exercise: Final = option_exercise


SPOT: Final = InstrumentContract(InstrumentKind.SPOT, ONE, None, None, None, None, None)


@final
class InstrumentDefinition(Record):
    """An instrument as a configuration names it: exchange and assets by name, not yet indexed."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "exchange",
        "name_internal",
        "name_exchange",
        "base",
        "quote",
        "quote_kind",
        "contract",
        "spec",
    )

    def __init__(
        self,
        exchange: ExchangeId,
        name_internal: str,
        name_exchange: str,
        base: Asset,
        quote: Asset,
        quote_kind: QuoteKind,
        contract: InstrumentContract,
        spec: InstrumentSpec | None,
    ) -> None:
        if contract.kind is InstrumentKind.SPOT and quote_kind is not QuoteKind.UNDERLYING_QUOTE:
            raise ValueError(
                f"{name_internal}: spot is priced in the underlying quote, found {quote_kind.name.lower()}"
            )
        self.exchange: Final = exchange
        self.name_internal: Final = name_internal.lower()
        self.name_exchange: Final = name_exchange
        self.base: Final = base
        self.quote: Final = quote
        self.quote_kind: Final = quote_kind
        self.contract: Final = contract
        self.spec: Final = spec


@final
class Instrument(Record):
    """An indexed instrument: its definition plus the indices of its exchange and assets."""

    FIELDS: ClassVar[tuple[str, ...]] = ("index", "exchange", "base", "quote", "settlement", "definition")

    def __init__(
        self,
        index: InstrumentIndex,
        exchange: ExchangeIndex,
        base: AssetIndex,
        quote: AssetIndex,
        settlement: AssetIndex | None,
        definition: InstrumentDefinition,
    ) -> None:
        self.index: Final = index
        self.exchange: Final = exchange
        self.base: Final = base
        self.quote: Final = quote
        self.settlement: Final = settlement
        self.definition: Final = definition

    @property
    def name(self) -> str:
        """Return the internal name, unique over all exchanges: ``binance_spot-btc_usdt``."""
        return self.definition.name_internal


def instrument_name(exchange: ExchangeId, base: Asset, quote: Asset) -> str:
    """Return the internal name of a plain instrument: ``binance_spot-btc_usdt``."""
    return f"{exchange.value}-{base.name_internal}_{quote.name_internal}"


def spot(
    exchange: ExchangeId, name_exchange: str, base: Asset, quote: Asset, spec: InstrumentSpec | None = None
) -> InstrumentDefinition:
    """Return the definition of a spot instrument under its usual internal name."""
    name = instrument_name(exchange, base, quote)
    return InstrumentDefinition(exchange, name, name_exchange, base, quote, QuoteKind.UNDERLYING_QUOTE, SPOT, spec)
