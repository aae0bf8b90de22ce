"""One log line for an order at each place that it passes, all with its client order id: grep for it, and read its life.

``cid`` is the correlation id. It is derived from the tick in which the order was decided; the engine's line has that
tick's ``sequence``, and the tick holds the market event.
"""

from typing import Final

from structlog.stdlib import BoundLogger

from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.event import AccountEvent, TradeReceived
from tradebus.core.model.account import Trade

ORDER_SENT: Final = "order sent"
FILL_TOLD: Final = "fill told"
FILL_PROCESSED: Final = "fill processed"
FILL_REPLICATED: Final = "fill replicated"


def log_tick(log: BoundLogger, tick: AuditTick) -> None:
    """Log what the engine sent in a tick, and the fill that it processed."""
    for output in tick.outputs:
        if isinstance(output, RequestsDecided):
            for request in output.opens_sent:
                log.info(ORDER_SENT, cid=request.key.cid, sequence=tick.sequence, caused_by=type(tick.event).__name__)
    event = tick.event
    if isinstance(event, AccountEvent):
        log_fill(log, FILL_PROCESSED, event, sequence=tick.sequence)


def log_fill(log: BoundLogger, what: str, event: AccountEvent, **more: int | str) -> None:
    """Log the fill in an account event, if it is one."""
    if isinstance(event.data, TradeReceived):
        log_trade(log, what, event.data.trade, **more)


def log_trade(log: BoundLogger, what: str, trade: Trade, **more: int | str) -> None:
    """Log a fill."""
    log.info(what, cid=trade.cid, trade=trade.id, **more)
