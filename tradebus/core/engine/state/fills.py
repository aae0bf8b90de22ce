"""Recognise a fill that came before: the same trade of a venue, told by another way or under another key.

After a lost link a venue is asked for its trades again, with overlap. What was taken in by stream then comes once more
by query, and the owner of the account gives it another key. The trade's own id tells: of the newest fills of each
instrument, ``FILLS_MAX`` of them, the state keeps what they are recognised by. An overlap must be shorter than that.
"""

from typing import ClassVar, Final, final

from tradebus.core.model.account import Trade
from tradebus.core.model.record import Record
from tradebus.core.model.side import Side

FILLS_MAX: Final = 64


def trade_mark(trade: Trade) -> str:
    """Return what a venue's trade is recognised by among those of one instrument.

    Besides the id: the side, because an order of ours may trade against another of ours, and both are told under one
    id; and the venue's time, because some venues begin their ids anew.
    """
    return f"{'B' if trade.side is Side.BUY else 'S'}{trade.time_exchange_ns} {trade.id}"


@final
class RecentFills(Record):
    """The newest fills of one instrument by their marks, oldest first."""

    FIELDS: ClassVar[tuple[str, ...]] = ("marks",)

    def __init__(self, marks: list[str]) -> None:
        self.marks = marks

    def has(self, trade: Trade) -> bool:
        """Tell whether a fill was taken in before."""
        return trade_mark(trade) in self.marks

    def add(self, trade: Trade) -> None:
        """Take note of a fill that was not there before, and let the oldest go."""
        self.marks.append(trade_mark(trade))
        if len(self.marks) > FILLS_MAX:
            del self.marks[0]
