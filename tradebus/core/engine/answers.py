"""Take answers of user code: what is no answer, and what user code raises, becomes a reason that stands in a tick."""

from decimal import Decimal
from typing import Final

from mypy_extensions import mypyc_attr

from tradebus.core.strategy.interface import Decision

REASON_LENGTH_MAX: Final = 500
TOLD: Final[tuple[type, ...]] = (str, int, bool, Decimal, float, type(None))
ADDRESS: Final = " at 0x"
"""What an object without a text of its own shows."""


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class DecisionChangedState(RuntimeError):
    """A decision mutated the state, which only data may; found in debug mode by the state hash."""


def checked_answer(answer: object) -> Decision | None:
    """Return what a strategy answered; raises TypeError for anything but a decision or none.

    The compiled core raises the same at the call itself, in these words.
    """
    if answer is None or isinstance(answer, Decision):
        return answer
    raise TypeError(f"tradebus.core.strategy.interface.Decision or None object expected; got {type(answer).__name__}")


def failure(where: str, error: Exception) -> str:
    """Return what is said of an exception of user code: its class, and its text where every process writes the same.

    It becomes part of the state: the order of a set or an address in it would give two runs two digests.
    """
    name = f"{where} raised {type(error).__name__}"
    text = ""
    for part in error.args:
        if type(part) not in TOLD or ADDRESS in str(part):
            return name
        text = f"{text}, {part}" if text else str(part)
    text = text.encode(errors="backslashreplace").decode()
    return f"{name}: {text}"[:REASON_LENGTH_MAX] if text else name
