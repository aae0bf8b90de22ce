"""Read the decimal numbers of market data from their text as it stands in a message."""

from decimal import Decimal
from typing import Final

from tradebus.core.model.number import NumberError, parse_decimal

CACHE_SIZE_MAX: Final = 1 << 16
LENGTH_MAX: Final = 28
"""Longer ones are left to ``codec.number``; so are those with a sign or an exponent, which no venue writes."""

# Prices and amounts repeat: the best bid often stays while its amount changes, lots come in round sizes.
_known: Final[dict[bytes, Decimal]] = {}


def read_number(text: bytes) -> Decimal | None:
    """Return the number; None for what is not plainly one, which is for ``codec.number`` to judge."""
    number = _known.get(text)
    if number is None:
        number = _parse(text)
        if number is None:
            return None
        if len(_known) >= CACHE_SIZE_MAX:
            _known.clear()
        _known[text] = number
    return number


def _parse(text: bytes) -> Decimal | None:
    if not text or len(text) > LENGTH_MAX or not text.replace(b".", b"", 1).isdigit():
        return None
    try:
        return parse_decimal(text.decode("ascii"))
    except NumberError:
        return None
