"""Say which values user data may hold, so that they can be hashed, stored and sent without loss."""

from decimal import Decimal
from typing import Final

from mypy_extensions import mypyc_attr

from tradebus.core.model.number import check_decimal

DEPTH_MAX: Final = 32


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class PlainError(TypeError):
    """A value that user data may not hold; the message says where it was found."""


def check_plain(value: object, where: str, depth: int = 0) -> None:
    """Accept None, bool, int, finite Decimal, str, bytes, and lists, tuples and string-keyed dicts of these.

    Exact types only: a subclass would come back from the journal as its base. Raises PlainError or NumberError.
    """
    if depth > DEPTH_MAX:
        raise PlainError(f"{where}: expected at most {DEPTH_MAX} levels")
    kind = type(value)
    if value is None or kind is bool or kind is int or kind is str or kind is bytes:
        return
    if isinstance(value, Decimal) and kind is Decimal:
        check_decimal(value)
    elif isinstance(value, list | tuple) and (kind is list or kind is tuple):
        for i, item in enumerate(value):
            check_plain(item, f"{where}[{i}]", depth + 1)
    elif isinstance(value, dict) and kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise PlainError(f"{where}: expected text as key, found {type(key).__name__}")
            check_plain(item, f"{where}.{key}", depth + 1)
    else:
        raise PlainError(
            f"{where}: expected None, bool, int, Decimal, str, bytes, list, tuple or dict, found {kind.__name__}"
        )
