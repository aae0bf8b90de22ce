"""Win rate: the share of closed positions that made a profit."""

from decimal import Decimal

from tradebus.core.model.number import ZERO


def win_rate(wins: Decimal, total: Decimal) -> Decimal | None:
    """Return ``|wins| / |total|``, a fraction; none where there is nothing to win.

    A win made more than 0: breaking even is neither won nor lost.

    Source: barter 0.12.5 ``statistic/metric/win_rate.rs``, whose tear sheet hands it the losses.
    """
    if total == ZERO:
        return None
    return abs(wins) / abs(total)
