"""Say what a risk manager is: it lets requests pass or refuses them with a reason.

Source: barter 0.12.5 ``risk``. Applied to what strategies decide.
"""

from typing import TYPE_CHECKING, ClassVar, Final, NoReturn, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.audit.tick import RefusedCancel, RefusedOpen
from tradebus.core.model.order import OrderRequestCancel, OrderRequestOpen
from tradebus.core.model.record import Record

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class RiskDecision(Record):
    """Requests that may go out, in order, and those that may not, with the reason."""

    FIELDS: ClassVar[tuple[str, ...]] = ("cancels", "opens", "cancels_refused", "opens_refused")

    def __init__(
        self,
        cancels: tuple[OrderRequestCancel, ...],
        opens: tuple[OrderRequestOpen, ...],
        cancels_refused: tuple[RefusedCancel, ...],
        opens_refused: tuple[RefusedOpen, ...],
    ) -> None:
        self.cancels: Final = cancels
        self.opens: Final = opens
        self.cancels_refused: Final = cancels_refused
        self.opens_refused: Final = opens_refused


@mypyc_attr(allow_interpreted_subclasses=True)
class RiskManager:
    """Base of risk managers, which approves everything; subclass it in ordinary Python. It reads the state only."""

    def check(
        self, state: "EngineState", cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        """Judge requests. Every request given must come back, approved (perhaps altered) or refused."""
        return RiskDecision(cancels, opens, (), ())

    def __reduce__(self) -> NoReturn:
        """Refuse copy and pickle, which would silently lose the attributes of a subclass."""
        raise TypeError(f"{type(self).__name__}: make risk managers from their configuration instead of copying them")
