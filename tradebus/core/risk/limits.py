"""Read the limits of risk checks from their parameters: a limit for each instrument, by name, asset or default."""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Final, final

from mypy_extensions import mypyc_attr

from tradebus.core.model.identifiers import InstrumentIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.number import ZERO, NumberError, parse_decimal

DEFAULT: Final = "default"


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class LimitError(ValueError):
    """A parameter of a risk check that is missing, unknown or not what it should be."""


class LimitAsset(Enum):
    """Which asset of an instrument its limit may be named after."""

    BASE = 1
    QUOTE = 2


def amount(check: str, name: str, text: str) -> Decimal:
    """Return the limit in a text, 0 or more; raises LimitError."""
    try:
        value = parse_decimal(text)
    except NumberError as error:
        raise LimitError(f"risk check {check}: {name}: {error}") from None
    if value < ZERO:
        raise LimitError(f"risk check {check}: {name}: expected 0 or more, found {text!r}")
    return value


def whole_number(check: str, name: str, text: str, maximum: int) -> int:
    """Return the number of 1 to ``maximum`` in a text; raises LimitError."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(maximum)) and 1 <= int(text) <= maximum):
        raise LimitError(f"risk check {check}: {name}: expected a whole number of 1 to {maximum}, found {text!r}")
    return int(text)


@final
class Limits:
    """A limit for every instrument: under its internal name, else under that of its asset, else ``default``.

    An instrument without a limit is refused, and so is a name that is neither: a limit that nobody enforces must not
    look enforced.
    """

    def __init__(
        self, check: str, params: Mapping[str, str], index: IndexedInstruments, asset: LimitAsset | None
    ) -> None:
        known = {DEFAULT}
        limits: list[Decimal] = []
        for instrument in index.instruments:
            names = [instrument.name, *_asset_names(instrument, asset), DEFAULT]
            known.update(names)
            given = [name for name in names if name in params]
            if not given:
                raise LimitError(f"risk check {check}: expected a limit for {instrument.name} under one of {names}")
            limits.append(amount(check, given[0], params[given[0]]))
        unknown = sorted(set(params) - known)
        if unknown:
            raise LimitError(f"risk check {check}: expected limits under some of {sorted(known)}, found {unknown}")
        self._limits: Final = limits

    def of(self, instrument: InstrumentIndex) -> Decimal:
        """Return the limit of an instrument."""
        return self._limits[instrument]


def _asset_names(instrument: Instrument, asset: LimitAsset | None) -> list[str]:
    if asset is LimitAsset.BASE:
        return [instrument.definition.base.name_internal]
    if asset is LimitAsset.QUOTE:
        return [instrument.definition.quote.name_internal]
    return []
