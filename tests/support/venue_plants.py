"""Bugs that the trials with a venue must notice, each put in place of what the service does."""

from collections.abc import Callable

from services.execution.account_journal import AccountJournal
from services.execution.request_ledger import Carried
from services.execution.venue import Unanswered
from services.execution.venue_account import VenueAccount
from tradebus.core.engine.event import AccountData, OrderReceived
from tradebus.core.model.order import OpenFailed, OrderError, OrderErrorKind, OrderRequestOpen, order_from_request
from tradebus.wire.codec.exec import OrderReply, OrderRequests


def send_before_the_intent() -> None:
    """Send what is asked for before the intent is on disk, as who answers faster would."""
    answer = VenueAccount.answer

    async def sending_first(self: VenueAccount, requests: OrderRequests) -> OrderReply | None:
        for request in requests.requests:
            if isinstance(request, OrderRequestOpen) and self._ledger.find(request, requests.sequence) is None:
                try:
                    await self._venue.submit(request)
                except Unanswered:
                    continue
        return await answer(self, requests)

    VenueAccount.answer = sending_first  # type: ignore[method-assign]


def send_again() -> None:
    """Send again what is in doubt, as who retries would."""

    def again(self: VenueAccount, journal: AccountJournal, carried: Carried, reason: str) -> None:
        self._spawn(self._carry(journal, carried), "once more")

    VenueAccount._doubt = again  # type: ignore[method-assign]


def take_silence_for_a_refusal() -> None:
    """Tell that an order failed when the venue did not answer."""
    send = VenueAccount._send

    async def refused(self: VenueAccount, request: object) -> AccountData:
        try:
            return await send(self, request)  # type: ignore[arg-type]
        except Unanswered as error:
            if not isinstance(request, OrderRequestOpen):
                raise
            failed = OpenFailed(OrderError(OrderErrorKind.ORDER_REJECTED, request.key.cid, error.reason))
            return OrderReceived(order_from_request(request).with_state(failed))

    VenueAccount._send = refused  # type: ignore[method-assign]


PLANTS: dict[str, Callable[[], None]] = {
    "send_before_the_intent": send_before_the_intent,
    "send_again": send_again,
    "take_silence_for_a_refusal": take_silence_for_a_refusal,
}
