"""Say which values user data may hold, so that they can be hashed, stored and sent without loss."""

from decimal import Decimal
from typing import Final

from mypy_extensions import mypyc_attr

from tradebus.core.model.number import check_computed

DEPTH_MAX: Final = 32
ID_LENGTH_MAX: Final = 256
INTEGER_BITS_MAX: Final = 8192


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class PlainError(TypeError):
    """A value that user data may not hold; the message says where it was found."""


def check_plain(value: object, where: str, depth: int = 0) -> None:
    """Accept None, bool, int, finite Decimal, Unicode str, bytes, and lists, tuples and string-keyed dicts of these.

    Exact types only: a subclass would come back from the journal as its base. Raises PlainError or NumberError.
    """
    if depth > DEPTH_MAX:
        raise PlainError(f"{where}: expected at most {DEPTH_MAX} levels")
    kind = type(value)
    if value is None or kind is bool or kind is bytes:
        return
    if isinstance(value, int) and kind is int:
        if value.bit_length() > INTEGER_BITS_MAX:
            raise PlainError(f"{where}: expected an int of at most {INTEGER_BITS_MAX} bits, found {value.bit_length()}")
    elif isinstance(value, str) and kind is str:
        if not is_writable(value):
            raise PlainError(f"{where}: expected Unicode text, found a lone surrogate")
    elif isinstance(value, Decimal) and kind is Decimal:
        check_computed(value)
    elif isinstance(value, (list, tuple)) and (kind is list or kind is tuple):
        for i, item in enumerate(value):
            check_plain(item, f"{where}[{i}]", depth + 1)
    elif isinstance(value, dict) and kind is dict:
        for key, item in value.items():
            if not isinstance(key, str) or type(key) is not str:
                raise PlainError(f"{where}: expected text as key, found {type(key).__name__}")
            if not is_writable(key):
                raise PlainError(f"{where}: expected Unicode text as key, found a lone surrogate")
            check_plain(item, f"{where}.{key}", depth + 1)
    else:
        raise PlainError(
            f"{where}: expected None, bool, int, Decimal, str, bytes, list, tuple or dict, found {kind.__name__}"
        )


def plain_size(value: object) -> int:
    """Return about how many characters a checked value takes."""
    if isinstance(value, (str, bytes)):
        return len(value) + 2
    if isinstance(value, (list, tuple)):
        return 2 + sum([plain_size(item) for item in value])
    if isinstance(value, dict):
        return 2 + sum([len(key) + plain_size(item) for key, item in value.items()])
    if isinstance(value, int):
        return 2 + value.bit_length() // 3
    return 8 if value is None else len(str(value))


def copy_plain(value: object) -> object:
    """Return a copy of a checked value that shares no list or dict with it: the one in a tick must never change."""
    if isinstance(value, list):
        return [copy_plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple([copy_plain(item) for item in value])
    if isinstance(value, dict):
        return {key: copy_plain(item) for key, item in value.items()}
    return value


def is_writable(text: str) -> bool:
    """Tell whether a text can be encoded; one with half a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def id_problem(name: str, value: object, *, may_be_empty: bool = False, length_max: int = ID_LENGTH_MAX) -> str:
    """Return why a value cannot be an id, empty if it can: a text of 1 to 256 characters that can be encoded."""
    if not isinstance(value, str) or type(value) is not str:
        return f"{name}: expected a text, found {type(value).__name__}"
    if not value and not may_be_empty:
        return f"{name}: expected a text, found an empty one"
    if len(value) > length_max:
        return f"{name}: expected at most {length_max} characters, found {len(value)}"
    return "" if is_writable(value) else f"{name}: expected Unicode text, found a lone surrogate"
