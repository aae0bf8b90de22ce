"""Keep our fills: each trade with the step that recorded it."""

from typing import Final, final

from services.audit.projections.bounded import Newest
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent, TradeReceived
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import ExchangeIndex


@final
class Fill:
    """A trade of ours: the sequence and engine time (nanoseconds) of its step, and where it was made."""

    __slots__ = ("exchange", "sequence", "time_ns", "trade")

    def __init__(self, sequence: int, time_ns: int, exchange: ExchangeIndex, trade: Trade) -> None:
        self.sequence = sequence
        self.time_ns = time_ns
        self.exchange = exchange
        self.trade = trade


@final
class Fills:
    """All fills of a journal, the newest of them kept."""

    def __init__(self, rows_max: int) -> None:
        self.rows: Final[Newest[Fill]] = Newest(rows_max)

    def take(self, tick: AuditTick, event: AccountEvent) -> None:
        """Add the fill that an account event brought, if it brought one."""
        data = event.data
        if isinstance(data, TradeReceived):
            self.rows.append(Fill(tick.sequence, tick.time_ns, event.exchange, data.trade))
