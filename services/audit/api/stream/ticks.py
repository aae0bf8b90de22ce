"""Make the events of one tick, live and read back alike."""

from services.audit.api.moment import Moment
from services.audit.api.stream.changes import Changes
from services.audit.api.stream.event import StreamEvent
from services.audit.api.stream.payloads import change_payload
from services.audit.api.views.values import Names
from services.audit.fold import Fold
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.market.event import MarketEvent


def is_only_market(tick: AuditTick, state: EngineState, changes: Changes) -> bool:
    """Tell whether a tick changed market data and nothing else, as nearly every tick does."""
    event = tick.event
    return (
        isinstance(event, MarketEvent) and not tick.outputs and not changes.market_link_changed(state, event.exchange)
    )


def events_of(
    tick: AuditTick, state: EngineState, fold: Fold, names: Names, changes: Changes, *, is_duplicate: bool
) -> list[StreamEvent]:
    """Return what a tick changed that ``fold`` has applied just now, in order. Raises BeginsAnew."""
    found = list(changes.of(tick, state, fold.projections, is_duplicate=is_duplicate))
    if not found:
        return []
    moment = Moment(fold, names)
    return [
        StreamEvent(tick.sequence, ordinal, change.topic, change.instrument, change_payload(moment, change))
        for ordinal, change in enumerate(found)
    ]
