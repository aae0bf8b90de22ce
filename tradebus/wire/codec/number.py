"""Carry decimal numbers as text.

Two readers, because two kinds of numbers travel:

- *Given* numbers (market prices and amounts, steps, fees) obey the strict rules of ``core.model.number``.
- *Computed* ones (averages, profits, what a strategy decided) may have more decimals than a venue ever writes; they are
  finite and short, nothing else is asked.

The text is ``str(number)``, which keeps the exponent: ``1.50`` comes back as ``1.50``.
"""

import re
from decimal import Decimal
from typing import Final

from tradebus.core.model.number import NumberError, parse_decimal
from tradebus.wire.codec.error import EncodeError, InvalidNumber

COMPUTED_CHARACTERS_MAX: Final = 128
CACHE_SIZE_MAX: Final = 1 << 16

# At most 28 digits and 14 decimals: within every limit of `parse_decimal`, at a fraction of its cost.
_PLAIN: Final = re.compile(r"[0-9]{1,14}(?:\.[0-9]{1,14})?", re.ASCII).fullmatch
_COMPUTED: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII).fullmatch

# Prices and amounts repeat: the best bid often stays while its amount changes, lots come in round sizes. A number
# found here costs a fifth of one that is parsed. Others may look here first and call `given_from_text` for the rest.
KNOWN_NUMBERS: Final[dict[str, Decimal]] = {}


def given_from_text(text: str, path: str) -> Decimal:
    """Return a given number, strictly; raises InvalidNumber."""
    number = KNOWN_NUMBERS.get(text)
    if number is None:
        number = _parse_given(text, path)
        if len(KNOWN_NUMBERS) >= CACHE_SIZE_MAX:
            KNOWN_NUMBERS.clear()
        KNOWN_NUMBERS[text] = number
    return number


def _parse_given(text: str, path: str) -> Decimal:
    if _PLAIN(text) is not None:
        return Decimal(text)
    try:
        return parse_decimal(text)
    except NumberError as error:
        raise InvalidNumber(str(error), path) from None


def computed_from_text(text: str, path: str) -> Decimal:
    """Return a computed number; raises InvalidNumber."""
    if len(text) > COMPUTED_CHARACTERS_MAX or _COMPUTED(text) is None:
        raise InvalidNumber(
            f"expected a decimal number of at most {COMPUTED_CHARACTERS_MAX} characters, found {text!r:.160}", path
        )
    return Decimal(text)


def computed_to_text(number: Decimal) -> str:
    """Return the text of any number that ``computed_from_text`` takes; raises EncodeError for all others."""
    text = str(number)
    if len(text) > COMPUTED_CHARACTERS_MAX or _COMPUTED(text) is None:
        raise EncodeError(
            f"expected a finite number of at most {COMPUTED_CHARACTERS_MAX} characters, found {text:.160}"
        )
    return text
