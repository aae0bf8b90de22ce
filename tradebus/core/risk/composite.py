"""Make a risk manager of checks: each order passes all of them or is refused by the first that it does not pass."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, final

from tradebus.core.engine.audit.tick import RefusedOpen
from tradebus.core.model.order import OrderRequestCancel, OrderRequestOpen
from tradebus.core.risk.check import RiskCheck
from tradebus.core.risk.interface import RiskDecision, RiskManager

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@final
class RiskChecks(RiskManager):
    """Asks its checks in order, for each order in order; cancels always pass.

    A refusal says which check refused, and what that says of its limit and of what it found. Orders that were approved
    count in what is asked about the later ones of the same decision.
    """

    def __init__(self, checks: Sequence[RiskCheck]) -> None:
        ids = [check.id for check in checks]
        if len(set(ids)) != len(ids):
            raise ValueError(f"expected risk checks with different ids, found {ids}")
        self._checks: Final = list(checks)

    def check(
        self, state: "EngineState", cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        """Judge each order by every check, up to the first that refuses it."""
        refused: list[RefusedOpen] = []
        approved: list[OrderRequestOpen] = []
        for request in opens:
            reason = self._first_problem(state, request, approved)
            if reason:
                refused.append(RefusedOpen(request, reason))
            else:
                approved.append(request)
        if not refused:
            return RiskDecision(cancels, opens, (), ())
        return RiskDecision(cancels, tuple(approved), (), tuple(refused))

    def _first_problem(self, state: "EngineState", request: OrderRequestOpen, earlier: list[OrderRequestOpen]) -> str:
        for check in self._checks:
            problem = _checked_problem(check.problem(state, request, earlier))
            if problem:
                return f"{check.id}: {problem}"
        return ""


def _checked_problem(answer: object) -> str:
    """Return what a check answered; raises TypeError for anything but a text, in the words of the compiled core."""
    if isinstance(answer, str):
        return answer
    raise TypeError(f"str object expected; got {type(answer).__name__}")
