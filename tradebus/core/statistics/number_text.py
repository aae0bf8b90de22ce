"""Write numbers and durations the way the summary shows them.

Digits beyond what is shown are cut off, not rounded. What is not known is ``N/A``, and the stand-ins for infinity are
written as such, also where the source fails on them.

Source: barter 0.12.5 ``statistic/summary/display.rs``.
"""

from decimal import ROUND_DOWN, Context, Decimal
from typing import Final

from tradebus.core.statistics.interval import SECOND_NS
from tradebus.core.statistics.scaling import is_infinite

NOT_AVAILABLE: Final = "N/A"
_RATIO_DIGITS: Final = 4
_HUNDRED: Final = Decimal(100)
# Wide enough that neither the largest number times 100 nor its digits behind the point are rounded.
_WIDE: Final = Context(prec=80, rounding=ROUND_DOWN)


def number_text(value: Decimal | None, digits: int) -> str:
    """Return a number with so many digits behind the point."""
    if value is None:
        return NOT_AVAILABLE
    if is_infinite(value):
        return "∞" if value > 0 else "-∞"
    return format(value.quantize(Decimal(1).scaleb(-digits), context=_WIDE), "f")


def percent_text(value: Decimal | None, digits: int) -> str:
    """Return a fraction in percent: 0.5 is ``50.00%`` with two digits."""
    if value is None or is_infinite(value):
        return number_text(value, digits)
    return f"{number_text(_WIDE.multiply(value, _HUNDRED), digits)}%"


def ratio_text(value: Decimal | None) -> str:
    """Return a ratio with four digits, infinite ones as a sign."""
    return number_text(value, _RATIO_DIGITS)


def duration_text(duration_ns: int) -> str:
    """Return how long was traded, in the two units that fit: ``(Trading Duration: 7 Day(s) & 23 Hour(s))``."""
    seconds = abs(duration_ns) // SECOND_NS
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if duration_ns < 0:
        text = f"{-minutes if minutes else 0} Minutes"
    elif minutes < 60:
        text = f"{minutes} Minutes"
    elif hours < 24:
        text = f"{hours} Hour(s) & {minutes % 60} Minutes"
    elif days <= 7:
        text = f"{days} Day(s) & {hours % 24} Hour(s)"
    elif days <= 28:
        text = f"{days // 7} Week(s) & {days % 7} Day(s)"
    else:
        text = f"~{days} Days"
    return f"(Trading Duration: {text})"
