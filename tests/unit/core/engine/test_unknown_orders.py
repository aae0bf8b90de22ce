"""Orders of which no answer comes: they count as live until the venue is found to say what they are."""

import pytest

from tests.support.builders import (
    ALPHA,
    BETA,
    BETA_BTC,
    BTC,
    cancel_answered,
    cancel_of,
    command_of,
    in_doubt,
    never_received,
    open_request,
    opened,
    order_error,
    order_in,
    order_told,
    public_trade,
)
from tests.support.scenario import Followed, Scripted, decided, follow
from tradebus.core.engine.command import ALL_INSTRUMENTS, CancelOrders, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.event import AccountLinkChanged, AccountReconnecting
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.model.identifiers import ClientOrderId, ExchangeIndex
from tradebus.core.model.order import (
    EXPIRED,
    OPEN_IN_FLIGHT,
    OPEN_UNKNOWN,
    CancelInFlight,
    CancelUnknown,
    OpenFailed,
    OrderErrorKind,
    OrderState,
    RequestKind,
)

PART = opened(5, "0.25")
NOBODY = (OrderErrorKind.EXCHANGE_OFFLINE, OrderErrorKind.TIMEOUT, OrderErrorKind.SOCKET)


def state_of(followed: Followed, cid: str = "c1", instrument: int = BTC) -> OrderState | None:
    order = followed.engine.state.instruments[instrument].orders.get(ClientOrderId(cid))
    return None if order is None else order.state


def sent(*events: EngineEvent) -> Followed:
    """Return an engine that sent an order, after these events."""
    followed = follow()
    followed.process(command_of(SendOpenRequests((open_request(),))))
    for event in events:
        followed.process(event)
    return followed


CANCEL = command_of(SendCancelRequests((cancel_of(),)), "2")


@pytest.mark.parametrize("kind", NOBODY)
def test_an_open_that_times_out_leaves_the_order_unknown(kind: OrderErrorKind) -> None:
    followed = sent(order_told(order_in(OpenFailed(order_error(kind)))))
    assert state_of(followed) == OPEN_UNKNOWN


@pytest.mark.parametrize("kind", NOBODY)
def test_a_cancel_that_times_out_leaves_the_cancel_unknown(kind: OrderErrorKind) -> None:
    followed = sent(order_told(order_in(PART)), CANCEL, cancel_answered(error=order_error(kind)))
    assert state_of(followed) == CancelUnknown(PART)


def test_what_the_owner_doubts_is_unknown() -> None:
    assert state_of(sent(in_doubt())) == OPEN_UNKNOWN
    assert state_of(sent(CANCEL, in_doubt(request=RequestKind.CANCEL))) == CancelUnknown(None)
    assert state_of(sent(in_doubt(request=RequestKind.CANCEL))) == OPEN_IN_FLIGHT, "no cancel of ours"
    assert state_of(sent(order_told(order_in(PART)), in_doubt())) == PART, "the venue has acknowledged it"


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((in_doubt(), order_told(order_in(PART))), PART),
        ((in_doubt(), order_told(order_in(EXPIRED))), None),
        ((in_doubt(), order_told(order_in(opened(5, 1)))), None),
        ((in_doubt(), never_received()), None),
        ((in_doubt(), in_doubt(), in_doubt()), OPEN_UNKNOWN),
        ((in_doubt(), never_received(request=RequestKind.CANCEL)), OPEN_UNKNOWN),
        ((order_told(order_in(PART)), never_received()), PART),
        ((CANCEL, in_doubt(request=RequestKind.CANCEL), never_received(request=RequestKind.CANCEL)), OPEN_UNKNOWN),
        ((CANCEL, in_doubt(request=RequestKind.CANCEL), never_received()), None),
        ((CANCEL, in_doubt(request=RequestKind.CANCEL), cancel_answered()), None),
        ((CANCEL, in_doubt(request=RequestKind.CANCEL), CANCEL), CancelInFlight(None)),
        ((CANCEL, in_doubt(request=RequestKind.CANCEL), order_told(order_in(PART))), PART),
    ],
)
def test_an_unknown_order_ends_by_what_is_found(events: tuple[EngineEvent, ...], state: OrderState | None) -> None:
    assert state_of(sent(*events)) == state


def test_what_is_older_than_what_we_know_resolves_nothing() -> None:
    followed = sent(order_told(order_in(PART)), CANCEL, in_doubt(request=RequestKind.CANCEL))
    followed.process(order_told(order_in(opened(4, 0))))
    assert state_of(followed) == CancelUnknown(PART)
    followed.process(order_told(order_in(PART)))
    assert state_of(followed) == PART, "found as it was: the cancel had no effect"


def test_a_link_that_is_gone_for_good_ends_no_order_and_leaves_requests_in_doubt() -> None:
    followed = sent(
        command_of(
            SendOpenRequests(
                (open_request("open"), open_request("cancelled"), open_request("beta", instrument=BETA_BTC))
            ),
            "3",
        ),
        order_told(order_in(PART, "open")),
        command_of(SendCancelRequests((cancel_of("cancelled"),)), "4"),
    )
    for harmless in (AccountReconnecting(ExchangeIndex(ALPHA), "lost"), link(AccountLink.UNHEALTHY)):
        followed.process(harmless)
        assert state_of(followed) == OPEN_IN_FLIGHT
    followed.process(link(AccountLink.TERMINATED))
    assert state_of(followed) == OPEN_UNKNOWN
    assert state_of(followed, "open") == PART
    assert state_of(followed, "cancelled") == CancelUnknown(None)
    assert state_of(followed, "beta", BETA_BTC) == OPEN_IN_FLIGHT, f"{BETA} is another exchange"


def link(to: AccountLink) -> AccountLinkChanged:
    return AccountLinkChanged(ExchangeIndex(ALPHA), to)


def test_cancelling_everything_asks_for_unknown_orders_too() -> None:
    followed = sent(
        command_of(SendOpenRequests((open_request("b"), open_request("c"))), "3"),
        order_told(order_in(PART, "b")),
        command_of(SendCancelRequests((cancel_of("b"), cancel_of("c"))), "4"),
        in_doubt(),
        in_doubt("b", RequestKind.CANCEL),
    )
    tick = followed.process(command_of(CancelOrders(ALL_INSTRUMENTS), "5"))
    assert decided(tick).cancels_sent == (cancel_of(), cancel_of("b", "1")), "c is being cancelled"
    assert state_of(followed, "b") == CancelInFlight(PART)


def test_an_unknown_order_keeps_its_id_to_itself() -> None:
    followed = sent(in_doubt())
    (refused,) = decided(followed.process(command_of(SendOpenRequests((open_request(),)), "3"))).opens_refused
    assert "in use by an active order" in refused.reason


def test_a_strategy_sees_an_unknown_order_among_its_orders() -> None:
    seen: list[bool] = []
    strategy = Scripted(lambda state, _event: seen.append(ClientOrderId("c1") in state.instruments[BTC].orders))
    followed = follow(strategy)
    for event in (command_of(SendOpenRequests((open_request(),))), in_doubt(), public_trade(), never_received()):
        followed.process(event)
    assert seen == [True, True, True, False]
