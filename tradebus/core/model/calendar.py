"""Write a time as its calendar date, in UTC; the core has no clock and needs no time zones.

Source of the arithmetic: the civil calendar counted in eras of 400 years (146,097 days) from 1 March of year 0.
"""

from typing import Final

NS_PER_DAY: Final = 86_400_000_000_000
_DAYS_TO_EPOCH: Final = 719_468
_DAYS_PER_ERA: Final = 146_097


def date_text(time_ns: int) -> str:
    """Return the date of a time in nanoseconds since the epoch: ``2023-12-31``."""
    days = time_ns // NS_PER_DAY + _DAYS_TO_EPOCH
    era = days // _DAYS_PER_ERA
    day_of_era = days - era * _DAYS_PER_ERA
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    # Months counted from March, so that the day that leap years add is the last of the year.
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    return f"{year:04d}-{month:02d}-{day:02d}"
