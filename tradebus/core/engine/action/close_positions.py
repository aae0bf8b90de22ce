"""Close positions, the way the strategies say.

Source: barter 0.12.5 ``engine/action/close_positions.rs``, which knows one strategy.
"""

from tradebus.core.engine.answers import checked_answer, failure
from tradebus.core.engine.audit.tick import Origin
from tradebus.core.engine.command import ClosePositions
from tradebus.core.engine.deciding import Decider, Question
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN
from tradebus.core.strategy.close import close_with_market_orders
from tradebus.core.strategy.interface import Decision, Strategy


def close_positions(decider: Decider, strategies: list[Strategy], action: ClosePositions, sequence: int) -> None:
    """Ask each strategy in turn; each sees the orders of those before it.

    What strategies hold that failed is closed the plain way, and so is what none of them holds, as ``unknown``. A
    single strategy has its own way with everything.
    """
    state = decider.state
    origin = Origin.COMMAND_CLOSE_POSITIONS
    for i, strategy in enumerate(strategies):
        before = decider.hash_in_debug()
        answer: Decision | None = None
        reason = ""
        if state.strategies[i].failure:
            answer = close_with_market_orders(state, action.filter, state.strategies[i].setup.id)
        else:
            try:
                answer = checked_answer(strategy.close_positions_requests(state, action.filter))
            except Exception as error:  # noqa: BLE001 - user code may raise anything; it stands in the tick
                reason = failure("close_positions_requests", error)
        question = Question(sequence, origin, state.strategies[i].setup.id, action.override_risk)
        decider.answered(question, answer, reason, before)
    if len(strategies) != 1:
        rest = close_with_market_orders(state, action.filter, STRATEGY_UNKNOWN)
        if rest.opens or not strategies:
            decider.decide(Question(sequence, origin, STRATEGY_UNKNOWN, action.override_risk), rest)
