"""Take answers of user code: what is no answer, and what user code raises, becomes a reason that stands in a tick."""

from mypy_extensions import mypyc_attr

from tradebus.core.strategy.interface import Decision

REASON_LENGTH_MAX = 500


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
    """Return what is said of an exception of user code."""
    try:
        text = str(error).encode(errors="backslashreplace").decode()
    except Exception:  # noqa: BLE001 - an error of user code need not even have a text
        text = "(it has no text)"
    return f"{where} raised {type(error).__name__}: {text}"[:REASON_LENGTH_MAX]
