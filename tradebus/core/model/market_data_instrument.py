"""Describe instruments as a subscription to market data does: by assets and kind, without what only trading needs.

A venue's feed is asked for "the btc/usd option that ends then, at that strike"; how a contract settles and how large it
is does not matter for it.

Source: barter 0.12.5, barter-instrument ``instrument/market_data``.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.model.calendar import date_text
from tradebus.core.model.instrument import (
    InstrumentContract,
    InstrumentDefinition,
    InstrumentKind,
    OptionExercise,
    OptionKind,
)
from tradebus.core.model.record import Record


@final
class MarketDataContract(Record):
    """The kind of an instrument with what tells two of that kind apart; ``expiry_ns`` since the epoch.

    A future has an expiry; an option an expiry, a strike, a right and an exercise. Raises ValueError for any other
    combination.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("kind", "expiry_ns", "strike", "option_kind", "option_exercise")

    def __init__(
        self,
        kind: InstrumentKind,
        expiry_ns: int | None = None,
        strike: Decimal | None = None,
        option_kind: OptionKind | None = None,
        option_exercise: OptionExercise | None = None,
    ) -> None:
        has_expiry = kind is InstrumentKind.FUTURE or kind is InstrumentKind.OPTION
        is_option = kind is InstrumentKind.OPTION
        if (expiry_ns is not None) is not has_expiry:
            raise ValueError(f"{kind.name.lower()}: expected {'an' if has_expiry else 'no'} expiry, found {expiry_ns}")
        terms = (strike is not None, option_kind is not None, option_exercise is not None)
        if terms != (is_option, is_option, is_option):
            wanted = "a strike, a right and an exercise" if is_option else "no terms of an option"
            found = f"{strike}, {option_kind}, {option_exercise}"
            raise ValueError(f"{kind.name.lower()}: expected {wanted}, found {found}")
        self.kind: Final = kind
        self.expiry_ns: Final = expiry_ns
        self.strike: Final = strike
        self.option_kind: Final = option_kind
        self.option_exercise: Final = option_exercise

    def __str__(self) -> str:
        """Print ``spot``, ``future_2023-12-31-UTC`` or ``option_call_american_2023-12-31-UTC_50000``."""
        text = self.kind.name.lower()
        if self.expiry_ns is None:
            return text
        until = f"{date_text(self.expiry_ns)}-UTC"
        if self.strike is None or self.option_kind is None or self.option_exercise is None:
            return f"{text}_{until}"
        right, exercise = self.option_kind.name.lower(), self.option_exercise.name.lower()
        return f"{text}_{right}_{exercise}_{until}_{self.strike:f}"

    def describes(self, contract: InstrumentContract) -> bool:
        """Tell whether a contract is of this kind; its size and what it settles in do not matter."""
        return (
            self.kind is contract.kind
            and self.expiry_ns == contract.expiry_ns
            and self.strike == contract.strike
            and self.option_kind is contract.option_kind
            and self.option_exercise is contract.option_exercise
        )


@final
class MarketDataInstrument(Record):
    """What a subscription asks for: two assets by their internal names (lower-cased), and the kind."""

    FIELDS: ClassVar[tuple[str, ...]] = ("base", "quote", "contract")

    def __init__(self, base: str, quote: str, contract: MarketDataContract) -> None:
        self.base: Final = base.lower()
        self.quote: Final = quote.lower()
        self.contract: Final = contract

    def __str__(self) -> str:
        """Print ``btc_usd_spot``."""
        return f"{self.base}_{self.quote}_{self.contract}"

    def describes(self, definition: InstrumentDefinition) -> bool:
        """Tell whether an instrument has these assets and is of this kind."""
        return (
            self.base == definition.base.name_internal
            and self.quote == definition.quote.name_internal
            and self.contract.describes(definition.contract)
        )


def market_data_contract(contract: InstrumentContract) -> MarketDataContract:
    """Return the kind that feeds know a contract by."""
    return MarketDataContract(
        contract.kind, contract.expiry_ns, contract.strike, contract.option_kind, contract.option_exercise
    )


def market_data_instrument(definition: InstrumentDefinition) -> MarketDataInstrument:
    """Return what to subscribe to for an instrument."""
    return MarketDataInstrument(
        definition.base.name_internal, definition.quote.name_internal, market_data_contract(definition.contract)
    )
