"""Say what a risk check is: one question about an order, answered by the state, the order and those before it.

Checks decide and never remember: parameters are given when a check is made, what it must know of the past is in
``state.risk``.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, final

from mypy_extensions import mypyc_attr

from tradebus.core.model.order import OrderRequestOpen

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@mypyc_attr(native_class=False)  # mypyc cannot derive native classes from this builtin
class CheckHigherThanFailed(ValueError):
    """An input above its limit."""

    def __init__(self, limit: Decimal, found: Decimal) -> None:
        super().__init__(f"CheckHigherThanFailed: input {found:f} > limit {limit:f}")
        self.limit = limit
        self.found = found


@final
class CheckHigherThan:
    """Pass what is at most a limit. Source: barter 0.12.5 ``risk/check/mod.rs``."""

    NAME: ClassVar[str] = "CheckHigherThan"

    def __init__(self, limit: Decimal) -> None:
        self.limit: Final = limit

    def passes(self, found: Decimal) -> bool:
        """Tell whether an input is at most the limit."""
        return found <= self.limit

    def check(self, found: Decimal) -> None:
        """Raise CheckHigherThanFailed for an input above the limit."""
        if found > self.limit:
            raise CheckHigherThanFailed(self.limit, found)


@mypyc_attr(allow_interpreted_subclasses=True)
class RiskCheck:
    """Base of risk checks, which passes everything; subclass it in ordinary Python.

    One that is configured is made as ``Class(id, params, index)``: its id, its parameters as texts by name, and the
    instruments that the engine trades.
    """

    @property
    def id(self) -> str:
        """Return what refusals call this check; also the key of its state in ``state.risk``."""
        return type(self).__name__

    def problem(self, state: "EngineState", request: OrderRequestOpen, earlier: Sequence[OrderRequestOpen]) -> str:
        """Return why an order must not be sent, empty if it may: what the limit is, and what was found.

        ``earlier`` are the orders of the same decision that are approved already, in order; they are not in the state
        yet and count as if they were.
        """
        return ""

    def __reduce__(self) -> NoReturn:
        """Refuse copy and pickle, which would silently lose the attributes of a subclass."""
        raise TypeError(f"{type(self).__name__}: make risk checks from their setup instead of copying them")
