"""Turnover: the value of everything traded, by currency, and how often the capital was turned over."""

from decimal import Decimal
from typing import final

from tradebus.core.model.number import ZERO


@final
class Turnover:
    """Adds up the value of fills, bought and sold alike; currencies in the order first traded."""

    def __init__(self) -> None:
        self.value: dict[str, Decimal] = {}

    def add(self, currency: str, value: Decimal) -> None:
        """Add a fill's value in its currency."""
        self.value[currency] = self.value.get(currency, ZERO) + value


def turnover_rate(value: Decimal, capital_base: Decimal) -> Decimal | None:
    """Return how many times the capital was traded (both in one currency), none without capital."""
    return value / capital_base if capital_base > ZERO else None
