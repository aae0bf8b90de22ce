"""`/v1/trading`: whether algorithmic trading is on."""

from fastapi import APIRouter, Response

from services.audit.api.documents import PAST_READ_PROBLEMS
from services.audit.api.envelope import Envelope
from services.audit.api.moment import Moment
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import TimedRead
from services.audit.api.views.projections import TradingChangeView, TradingView
from services.audit.api.views.values import enum_text

router = APIRouter(prefix="/v1/trading", tags=["trading"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

Answer = Envelope[TradingView]


@router.get("", operation_id="getTrading", summary="Trading on or off, since when and by whom", response_model=Answer)
async def get_trading(read: TimedRead) -> Response:
    """Return the trading state, the tick that changed it last and who did that."""
    now = read.now()
    return now.answer(Answer, lambda: trading_view(now))


def trading_view(now: Moment) -> TradingView:
    """Return the trading state and what changed it last."""
    last = now.fold.projections.trading.last
    return TradingView(
        state=enum_text(now.state.trading),
        changed=None if last is None else TradingChangeView.of(last, now.names),
        strategies_failed=[strategy.setup.id for strategy in now.state.strategies if strategy.failure],
    )
