"""Know the finished orders of an engine without keeping them: by the ids it gave out.

Client order ids are derived from engine, epoch, sequence and ordinal, and so are ordered. An id of ours that is not
beyond the last one sent, and that no active order has, is of an order that is over. Ids that a strategy or an operator
chose, and those of other engines, say nothing; such orders are taken up whenever the venue tells of one.
"""

from typing import ClassVar, final

from tradebus.core.model.identifiers import ClientOrderId, decode_client_order_id
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.model.record import Record


@final
class OrderNumbering(Record):
    """The last derived id that was sent: ``epoch`` 0 while none was."""

    FIELDS: ClassVar[tuple[str, ...]] = ("engine_id", "epoch", "sequence", "ordinal")

    def __init__(self, engine_id: str, epoch: int, sequence: int, ordinal: int) -> None:
        self.engine_id = engine_id
        self.epoch = epoch
        self.sequence = sequence
        self.ordinal = ordinal

    def is_past(self, cid: ClientOrderId) -> bool:
        """Tell whether an id is one of ours that is not beyond the last one sent."""
        if self.epoch == 0:
            return False
        parts = decode_client_order_id(cid)
        if parts is None or parts[0] != self.engine_id:
            return False
        return (parts[1], parts[2], parts[3]) <= (self.epoch, self.sequence, self.ordinal)

    def note(self, opens: tuple[OrderRequestOpen, ...]) -> None:
        """Take note of what was sent."""
        for request in opens:
            parts = decode_client_order_id(request.key.cid)
            if parts is None or parts[0] != self.engine_id:
                continue
            if (parts[1], parts[2], parts[3]) > (self.epoch, self.sequence, self.ordinal):
                self.epoch = parts[1]
                self.sequence = parts[2]
                self.ordinal = parts[3]
