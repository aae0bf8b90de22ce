"""Read a time in a query: RFC 3339 with up to nine decimals, in UTC unless it says otherwise."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:[Zz]|([+ -])(\d\d):(\d\d))?", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_S: Final = 1_000_000_000


def instant_ns(text: str) -> int:
    """Return a time as nanoseconds since the epoch; a blank for the `+` of an offset is what a query makes of it.

    Raises ValueError.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("a time such as 2026-11-22T13:00:00Z, with up to nine decimals")
    day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    zone = UTC
    if sign is not None:
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        zone = timezone(-offset if sign == "-" else offset)
    moment = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second or '00'}").replace(tzinfo=zone)
    whole = moment - _EPOCH
    ns = (whole.days * 86_400 + whole.seconds) * _NS_PER_S + int((fraction or "").ljust(9, "0"))
    if ns < 0:
        raise ValueError("a time after 1970")
    return ns


def _read(value: object) -> object:
    return instant_ns(value) if isinstance(value, str) else value


Instant: TypeAlias = Annotated[
    int,
    BeforeValidator(_read),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": "^(19[7-9][0-9]|[2-9][0-9]{3})-"}),
]
