"""Requests that make sense but must not be sent are refused with the reason; the rest of the decision goes out."""

from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
    BETA_BTC,
    BTC,
    ETH,
    cancel_of,
    command_of,
    engine_started,
    open_request,
    opened,
    order_in,
    order_key,
    order_told,
    public_trade,
    setup_of,
    steps,
    usual_index,
)
from tests.support.scenario import Scripted, answer_once, decided, follow
from tradebus.core.engine.audit.tick import Origin, RequestsDecided
from tradebus.core.engine.command import SendOpenRequests
from tradebus.core.engine.error import EngineErrorKind
from tradebus.core.engine.event import AccountLinkChanged
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.order import OrderKind, OrderRequestCancel, OrderRequestOpen
from tradebus.core.strategy.interface import Decision

REFUSED: dict[str, tuple[OrderRequestOpen, str]] = {
    "no quantity": (open_request(quantity=0), "quantity: expected more than 0, found 0"),
    "a negative quantity": (open_request(quantity=-1), "quantity: expected more than 0, found -1"),
    "no price": (open_request(price=0), "price: expected more than 0, found 0"),
    "a negative price": (open_request(price=-1), "price: expected more than 0, found -1"),
    "too many decimals": (open_request(price="0." + "3" * 29), "price: expected at most 29 digits and 28 decimals"),
    "too large": (open_request(quantity="1E+29"), "quantity: expected at most 29 digits"),
    "another exchange": (open_request(exchange=1), "sim_alpha-btc_usdt is on exchange 0, the request says 1"),
}


@pytest.mark.parametrize(("request_", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_request_that_must_not_be_sent_is_refused_and_others_are_sent(
    request_: OrderRequestOpen, reason: str
) -> None:
    decision = Decision((), [open_request("before"), request_, open_request("after")])
    followed = follow(Scripted(answer_once(decision)))
    output = decided(followed.process(public_trade()))
    assert [request.key.cid for request in output.opens_sent] == ["before", "after"]
    (refused,) = output.opens_refused
    assert refused.request == request_
    assert refused.reason.startswith(reason)
    assert set(followed.engine.state.instruments[BTC].orders) == {"before", "after"}
    assert followed.engine.state.trading is TradingState.ENABLED


@pytest.mark.parametrize(("request_", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_an_operators_request_is_refused_for_the_same_reasons(request_: OrderRequestOpen, reason: str) -> None:
    output = decided(follow().process(command_of(SendOpenRequests((request_,)))))
    assert (output.origin, output.opens_sent) == (Origin.COMMAND_OPEN_ORDERS, ())
    assert output.opens_refused[0].reason.startswith(reason)


def test_a_cancel_on_another_exchange_is_refused() -> None:
    wrong = OrderRequestCancel(order_key("a", exchange=1), None)
    output = decided(follow(Scripted(answer_once(Decision([wrong, cancel_of("b")])))).process(public_trade()))
    assert [request.key.cid for request in output.cancels_sent] == ["b"]
    assert [refused.request for refused in output.cancels_refused] == [wrong]


def test_the_id_of_an_active_order_is_refused_and_the_order_stays() -> None:
    followed = follow(Scripted(lambda _state, _event: Decision((), [open_request("c1", price=7)])))
    order = order_in(opened())
    output = decided(followed.process(order_told(order)))
    assert output.opens_refused[0].reason == "client order id c1 is in use by an active order"
    assert followed.engine.state.instruments[BTC].orders == {ClientOrderId("c1"): order}


def test_an_id_may_not_be_used_twice_in_one_decision_not_even_on_two_instruments() -> None:
    requests = [open_request("a"), open_request("a"), open_request("a", instrument=ETH), open_request("b")]
    output = decided(follow(Scripted(answer_once(Decision((), requests)))).process(public_trade()))
    assert [request.key.cid for request in output.opens_sent] == ["a", "b"]
    assert {refused.reason for refused in output.opens_refused} == {"client order id a is used twice in one decision"}


def test_two_strategies_cannot_take_one_id_in_one_step() -> None:
    both = [Scripted(answer_once(Decision((), [open_request("a")])), strategy_id=name) for name in ("s", "t")]
    outputs = follow(*both).process(public_trade()).outputs
    counts = [(len(out.opens_sent), len(out.opens_refused)) for out in outputs if isinstance(out, RequestsDecided)]
    assert counts == [(1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("link", "kind", "is_recoverable"),
    [
        (AccountLink.UNHEALTHY, EngineErrorKind.LINK_UNHEALTHY, True),
        (AccountLink.TERMINATED, EngineErrorKind.LINK_TERMINATED, False),
        (AccountLink.NOT_CONFIGURED, EngineErrorKind.INDEX, False),
    ],
)
def test_an_account_that_cannot_be_sent_to_fails_the_request(
    link: AccountLink, kind: EngineErrorKind, is_recoverable: bool
) -> None:
    strategy = Scripted(
        answer_once(Decision([cancel_of("x")], [open_request("a"), open_request("b", instrument=BETA_BTC)]))
    )
    followed = follow(strategy, started=engine_started([setup_of(strategy.id)], trading=TradingState.DISABLED))
    followed.process(AccountLinkChanged(ALPHA, link))
    followed.engine.state.trading = followed.replica.state.trading = TradingState.ENABLED
    tick = followed.process(public_trade())
    output = decided(tick)
    assert [request.key.cid for request in output.opens_sent] == ["b"]
    assert [failed.request.key.cid for failed in output.opens_failed] == ["a"]
    assert [output.cancels_failed[0].error.kind, output.opens_failed[0].error.kind] == [kind, kind]
    errors = () if is_recoverable else (output.cancels_failed[0].error, output.opens_failed[0].error)
    assert tick.errors == errors
    assert tick.is_terminal is not is_recoverable
    orders = [list(instrument.orders) for instrument in followed.engine.state.instruments]
    assert orders == [[], [], ["b"]], "only what was sent is in flight"


def test_an_operators_exchange_that_there_is_not_ends_the_engine_as_in_the_reference() -> None:
    strategy = Scripted()
    followed = follow(strategy)
    tick = followed.process(command_of(SendOpenRequests((open_request(exchange=7),))))
    assert tick.is_terminal
    assert [error.kind for error in tick.errors] == [EngineErrorKind.INDEX]
    assert decided(tick).opens_failed[0].request.key.exchange == 7
    assert strategy.asked == [], "after an unrecoverable failure nothing is decided"


def test_a_refused_price_may_have_the_decimals_of_a_division() -> None:
    price = Decimal(1) / Decimal(3)
    followed = follow(Scripted(answer_once(Decision((), [open_request(price=price)]))))
    assert decided(followed.process(public_trade())).opens_refused[0].request.price == price


@pytest.mark.parametrize(
    ("price", "quantity", "kind", "said"),
    [
        ("100.05", "1", OrderKind.LIMIT, "price 100.05 is not a multiple of the tick size 0.1"),
        ("100.1", "1.05", OrderKind.LIMIT, "quantity 1.05 is not a multiple of the lot size 0.1"),
        ("100.1", "1.1", OrderKind.LIMIT, ""),
        ("100.05", "1.1", OrderKind.MARKET, ""),
    ],
)
def test_what_the_venue_would_refuse_does_not_leave(price: str, quantity: str, kind: OrderKind, said: str) -> None:
    followed = follow(started=engine_started(index=usual_index(steps("0.1", "0.1"))))
    request = open_request("a", price=price, quantity=quantity, kind=kind)
    output = decided(followed.process(command_of(SendOpenRequests((request,)))))
    assert [refused.reason for refused in output.opens_refused] == ([said] if said else [])
    assert len(output.opens_sent) == (0 if said else 1)
