"""Know from an account's journal what was asked of the venue, and what became of it: what may never be sent again."""

from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass
from typing import Final, final

from tradebus.core.engine.event import (
    AccountEvent,
    AmendAnswered,
    CancelAnswered,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    TradeReceived,
)
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.order import (
    OpenUnknown,
    OrderKey,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
)
from tradebus.wire.codec.account_journal import AccountRecord, Intent, RequestOutcome, RequestResult

KEPT_MAX: Final = 100_000
"""So many orders, and so many fills, are remembered. What is older is refused all the same: its time is over."""

Request = OrderRequestOpen | OrderRequestCancel | OrderRequestAmend


def kind_of(request: Request) -> RequestKind:
    """Return what a request asks."""
    if isinstance(request, OrderRequestOpen):
        return RequestKind.OPEN
    return RequestKind.AMEND if isinstance(request, OrderRequestAmend) else RequestKind.CANCEL


@dataclass(slots=True)
class Carried:
    """A request whose intent stands in entry ``entry``; without an intent it was refused there, for good."""

    key: OrderKey
    kind: RequestKind
    entry: int
    intent: Intent | None
    is_answered: bool = False
    is_in_doubt: bool = False


@final
class RequestLedger:
    """A fold of an account's entries. An order is opened at most once under a client order id, whoever asks."""

    def __init__(self) -> None:
        self.engine_epochs: dict[str, int] = {}
        self._requests: OrderedDict[ClientOrderId, list[Carried]] = OrderedDict()
        self._trades: OrderedDict[tuple[int, str, str], None] = OrderedDict()
        self.last_trade_ns = 0

    def copied(self) -> "RequestLedger":
        """Return a ledger of the same entries, to go on from."""
        return deepcopy(self)

    def apply(self, number: int, record: AccountRecord, request: int | None = None) -> None:
        """Take in the journal's next entry; ``request`` is the entry of the request that it tells of."""
        if isinstance(record, Intent):
            epoch = max(record.engine_epoch, self.engine_epochs.get(record.engine_id, 0))
            self.engine_epochs[record.engine_id] = epoch
            kind = kind_of(record.request)
            self._keep(Carried(record.request.key, kind, number, record))
        elif isinstance(record, RequestResult):
            if record.outcome is RequestOutcome.NEVER_RECEIVED and self.opened(record.key.cid) is None:
                self._keep(Carried(record.key, RequestKind.OPEN, number, None, is_answered=True))
        elif isinstance(record, AccountEvent):
            self._apply_event(number, record, request)

    def opened(self, cid: ClientOrderId) -> Carried | None:
        """Return the open request of an order, none if there was none."""
        return next((each for each in self._requests.get(cid, ()) if each.kind is RequestKind.OPEN), None)

    def find(self, request: Request, sequence: int) -> Carried | None:
        """Return what is known of a request that tick ``sequence`` decided."""
        kind = kind_of(request)
        if kind is RequestKind.OPEN:
            return self.opened(request.key.cid)
        for carried in self._requests.get(request.key.cid, ()):
            if carried.kind is kind and carried.intent is not None and carried.intent.sequence == sequence:
                return carried
        return None

    def unanswered(self) -> list[Carried]:
        """Return what was intended and is not known to have been answered, in order."""
        return [each for requests in self._requests.values() for each in requests if not each.is_answered]

    def has_trade(self, trade: Trade) -> bool:
        """Tell whether a fill stands in the journal."""
        return (int(trade.instrument), trade.side.name, trade.id) in self._trades

    def _apply_event(self, number: int, event: AccountEvent, request: int | None) -> None:
        data = event.data
        if isinstance(data, OrderReceived):
            if not isinstance(data.order.state, OpenUnknown):
                self._answer(data.order.key.cid, RequestKind.OPEN, None)
                self._answer(data.order.key.cid, None, request)
        elif isinstance(data, CancelAnswered):
            self._answer(data.key.cid, RequestKind.CANCEL, request)
        elif isinstance(data, AmendAnswered):
            self._answer(data.key.cid, RequestKind.AMEND, request)
        elif isinstance(data, RequestInDoubt):
            for carried in self._of(data.key.cid, data.request, request):
                carried.is_in_doubt = True
        elif isinstance(data, RequestNeverReceived):
            self._answer(data.key.cid, data.request, request)
            if data.request is RequestKind.OPEN and self.opened(data.key.cid) is None:
                self._keep(Carried(data.key, RequestKind.OPEN, number, None, is_answered=True))
        elif isinstance(data, TradeReceived):
            trade = data.trade
            self._trades[int(trade.instrument), trade.side.name, trade.id] = None
            self.last_trade_ns = max(self.last_trade_ns, trade.time_exchange_ns)
            if len(self._trades) > KEPT_MAX:
                self._trades.popitem(last=False)

    def _answer(self, cid: ClientOrderId, kind: RequestKind | None, request: int | None) -> None:
        for carried in self._of(cid, kind, request):
            carried.is_answered = True

    def _of(self, cid: ClientOrderId, kind: RequestKind | None, request: int | None) -> list[Carried]:
        """Return the request of an entry, none where that is a refusal's; without an entry, all of a kind.

        An order may be asked to be cancelled several times at once: what is told of one says nothing of the others.
        """
        requests = self._requests.get(cid, ())
        if request is not None:
            return [each for each in requests if each.entry == request]
        return [each for each in requests if each.kind is kind]

    def _keep(self, carried: Carried) -> None:
        self._requests.setdefault(carried.key.cid, []).append(carried)
        if len(self._requests) > KEPT_MAX:
            cid, oldest = next(iter(self._requests.items()))
            if all(each.is_answered for each in oldest):
                del self._requests[cid]
