"""Amends: asked for by strategies and operators, checked, judged like orders, and answered."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.support.builders import (
    ALPHA,
    BTC,
    account_event,
    amend_answered,
    amend_of,
    cancel_answered,
    cancel_of,
    command_of,
    fill,
    filled,
    in_doubt,
    never_received,
    open_request,
    opened,
    order_error,
    order_in,
    order_key,
    order_told,
    public_trade,
)
from tests.support.scenario import Followed, Scripted, decided, follow, halted
from tradebus.core.engine.audit.tick import Halted, Origin, RefusedOpen, RequestsDecided, RiskOverridden
from tradebus.core.engine.check import InvalidEvent
from tradebus.core.engine.command import SendAmendRequests, SendCancelRequests, SendOpenRequests
from tradebus.core.engine.event import (
    AccountLinkChanged,
    AmendAnswered,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import ClientOrderId, ExchangeIndex
from tradebus.core.model.order import (
    Amendment,
    Order,
    OrderErrorKind,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
)
from tradebus.core.risk.interface import RiskDecision, RiskManager
from tradebus.core.strategy.interface import Decision

OFF = TradingStateUpdate(TradingState.DISABLED, "operator")


def order_of(followed: Followed) -> Order | None:
    return followed.engine.state.instruments[BTC].orders.get(ClientOrderId("c1"))


def terms(followed: Followed) -> tuple[Decimal, Decimal, Amendment | None]:
    order = order_of(followed)
    assert order is not None
    return order.price, order.quantity, order.amendment


def resting(*events: EngineEvent, risk: RiskManager | None = None, strategy: Scripted | None = None) -> Followed:
    """Return an engine with an open order of 4 at 100, of which 1 has filled, after these events."""
    followed = follow(*([] if strategy is None else [strategy]), risk=risk)
    followed.process(command_of(SendOpenRequests((open_request(quantity=4),))))
    followed.process(order_told(order_in(opened(5, 1), quantity=4)))
    for event in events:
        followed.process(event)
    return followed


def amend(*requests: OrderRequestAmend) -> EngineEvent:
    return command_of(SendAmendRequests(requests or (amend_of(price=101, quantity=6),)), "2")


def asked(*, is_unknown: bool = False) -> Amendment:
    return Amendment(Decimal(101), Decimal(6), is_unknown)


CANCEL = command_of(SendCancelRequests((cancel_of(),)), "3")


def test_a_strategy_amends_and_the_answer_counts() -> None:
    amends = Decision(amends=[amend_of(price=101)])
    strategy = Scripted(lambda _state, event: amends if isinstance(event, MarketEvent) else None)
    followed = resting(strategy=strategy)
    output = decided(followed.process(public_trade()))
    assert (output.origin, output.amends_sent) == (Origin.ALGO, (amend_of(price=101),))
    assert terms(followed) == (Decimal(100), Decimal(4), Amendment(Decimal(101), Decimal(4), is_unknown=False))
    followed.process(amend_answered(price=101, quantity=4))
    assert terms(followed) == (Decimal(101), Decimal(4), None)


@pytest.mark.parametrize("fails", [False, True])
def test_an_operator_may_override_a_refusal_and_the_tick_says_so_first(fails: bool) -> None:
    class Refuses(RiskManager):
        def check(
            self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
        ) -> RiskDecision:
            if fails and opens and opens[0].price == Decimal(101):
                raise KeyError("limit")
            return RiskDecision(cancels, (), (), tuple([RefusedOpen(request, "no") for request in opens]))

    asked_for = amend_of(price=101, quantity=6)
    followed = resting(risk=Refuses())
    tick = followed.process(command_of(SendAmendRequests((asked_for,), override_risk=True), "2"))
    overridden, output = tick.outputs[:2]
    assert isinstance(overridden, RiskOverridden)
    assert isinstance(output, RequestsDecided)
    assert [refused.request for refused in overridden.amends] == [asked_for]
    assert (output.amends_sent, output.amends_refused) == ((asked_for,), ())
    assert any(isinstance(each, Halted) for each in tick.outputs) is fails


def test_a_hook_amends() -> None:
    strategy = Scripted(disabled=lambda _state: Decision(amends=[amend_of(quantity=2)]))
    output = decided(resting(strategy=strategy).process(OFF))
    assert (output.origin, output.amends_sent) == (Origin.TRADING_DISABLED, (amend_of(quantity=2),))


def test_an_operator_amends() -> None:
    followed = resting()
    output = decided(followed.process(amend()))
    assert (output.origin, output.amends_sent) == (Origin.COMMAND_AMEND_ORDERS, (amend_of(price=101, quantity=6),))
    assert terms(followed) == (Decimal(100), Decimal(4), asked())


@pytest.mark.parametrize(
    ("events", "price", "quantity", "amendment"),
    [
        ((amend_answered(price=101, quantity=6, time_ns=6),), 101, 6, None),
        ((amend_answered(price=101, quantity=5, time_ns=6),), 101, 5, None),  # the venue's word
        ((amend_answered(error=order_error()),), 100, 4, None),
        ((amend_answered(error=order_error(OrderErrorKind.TIMEOUT)),), 100, 4, asked(is_unknown=True)),
        ((in_doubt(request=RequestKind.AMEND),), 100, 4, asked(is_unknown=True)),
        ((never_received(request=RequestKind.AMEND),), 100, 4, None),
        ((AccountLinkChanged(ExchangeIndex(ALPHA), AccountLink.TERMINATED),), 100, 4, asked(is_unknown=True)),
        # The venue's view: as asked for; as before, made earlier; as before, which resolves no doubt; as asked for,
        # which does; too old to say.
        ((order_told(order_in(opened(5, 1), price=101, quantity=6)),), 101, 6, None),
        ((order_told(order_in(opened(6, 1), quantity=4)),), 100, 4, asked()),
        (
            (in_doubt(request=RequestKind.AMEND), order_told(order_in(opened(6, 1), quantity=4))),
            100,
            4,
            asked(is_unknown=True),
        ),
        (
            (in_doubt(request=RequestKind.AMEND), order_told(order_in(opened(6, 1), price=101, quantity=6))),
            101,
            6,
            None,
        ),
        (
            (in_doubt(request=RequestKind.AMEND), order_told(order_in(opened(4, 1), quantity=3))),
            100,
            4,
            asked(is_unknown=True),
        ),
        # A cancel on the way changes nothing of what is asked for.
        ((CANCEL,), 100, 4, asked()),
        ((CANCEL, amend_answered(price=101, quantity=6), cancel_answered(error=order_error())), 101, 6, None),
    ],
)
def test_what_becomes_of_an_amend(
    events: tuple[EngineEvent, ...], price: int, quantity: int, amendment: Amendment | None
) -> None:
    assert terms(resting(amend(), *events)) == (Decimal(price), Decimal(quantity), amendment)


def test_an_order_ends_whatever_is_asked_of_it() -> None:
    followed = resting(amend(), cancel_answered())
    for late in (
        amend_answered(price=101, quantity=6),
        in_doubt(request=RequestKind.AMEND),
        never_received(request=RequestKind.AMEND),
    ):
        assert order_of(followed) is None
        followed.process(late)
    assert order_of(followed) is None


def test_an_order_is_full_only_by_the_larger_quantity_that_may_be_true() -> None:
    followed = resting(amend(), filled(fill(quantity=4)))
    assert order_of(followed) is not None, "the venue may have made it 6"
    followed.process(amend_answered(error=order_error()))
    assert order_of(followed) is None, "it did not"
    smaller = resting(amend(amend_of(quantity=2)), filled(fill(quantity=2)))
    assert order_of(smaller) is not None
    smaller.process(amend_answered(quantity=2))
    assert order_of(smaller) is None


def test_the_answer_carries_the_venues_id_and_time() -> None:
    order = order_of(resting(amend(), amend_answered(price=101, quantity=6, time_ns=9)))
    assert order is not None
    assert order.state == opened(9, 1)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (amend_of("ghost", price=1), "no active order"),
        (amend_of(price=0), "price: expected more than 0"),
        (amend_of(quantity=-1), "quantity: expected more than 0"),
        (amend_of(quantity=1), "expected more than the 1 filled"),
        (amend_of(), "nothing would change"),
        (amend_of(price=100, quantity=4), "nothing would change"),
        (OrderRequestAmend(order_key(exchange=1), None, Decimal(1), None), "is on exchange"),
    ],
)
def test_an_amend_that_makes_no_sense_is_refused(request_: OrderRequestAmend, reason: str) -> None:
    followed = resting()
    (refused,) = decided(followed.process(amend(request_))).amends_refused
    assert refused.request == request_
    assert reason in refused.reason
    assert terms(followed) == (Decimal(100), Decimal(4), None)


@pytest.mark.parametrize(
    ("event", "reason"), [(amend(), "is not answered yet"), (CANCEL, "expected an open limit order")]
)
def test_one_thing_at_a_time_is_asked_of_an_order(event: EngineEvent, reason: str) -> None:
    (refused,) = decided(resting(event).process(amend(amend_of(price=7)))).amends_refused
    assert reason in refused.reason


def test_an_order_is_amended_once_in_a_decision() -> None:
    twice = decided(resting().process(amend(amend_of(price=7), amend_of(price=8))))
    assert [item.reason for item in twice.amends_refused] == ["order c1 is amended twice in one decision"]
    assert twice.amends_sent == (amend_of(price=7),)


def test_a_refusal_is_of_the_amend_that_it_names() -> None:
    followed = resting(amend())
    key, error = order_key(), order_error()
    followed.process(account_event(AmendAnswered(key, None, None, Decimal(99), Decimal(6), error)))
    followed.process(account_event(AmendAnswered(key, None, None, Decimal(101), Decimal(7), error)))
    assert terms(followed) == (Decimal(100), Decimal(4), asked())
    followed.process(account_event(AmendAnswered(key, None, None, Decimal(101), Decimal(6), error)))
    assert terms(followed) == (Decimal(100), Decimal(4), None)


def test_nothing_is_asked_while_the_fate_of_an_amend_is_unknown() -> None:
    followed = resting(amend(), in_doubt(request=RequestKind.AMEND))
    (refused,) = decided(followed.process(amend(amend_of(price=7)))).amends_refused
    assert "is not answered yet" in refused.reason
    assert terms(followed) == (Decimal(100), Decimal(4), asked(is_unknown=True))


def test_a_late_answer_to_an_earlier_amend_changes_nothing() -> None:
    followed = resting(amend(), order_told(order_in(opened(8, 1), price=101, quantity=6)))
    followed.process(amend(amend_of(price=102)))
    followed.process(amend_answered(price=101, quantity=6, time_ns=7))
    followed.process(amend_answered(price=101, quantity=6, time_ns=8))
    assert terms(followed) == (Decimal(101), Decimal(6), Amendment(Decimal(102), Decimal(6), is_unknown=False))
    followed.process(amend_answered(price=102, quantity=6, time_ns=9))
    followed.process(amend_answered(price=101, quantity=6, time_ns=7))
    assert terms(followed) == (Decimal(102), Decimal(6), None)


@pytest.mark.parametrize(("link", "is_recoverable"), [(AccountLink.UNHEALTHY, True), (AccountLink.TERMINATED, False)])
def test_an_amend_that_cannot_be_handed_over_fails(link: AccountLink, is_recoverable: bool) -> None:
    followed = resting(AccountLinkChanged(ExchangeIndex(ALPHA), link))
    tick = followed.process(amend())
    (failed,) = decided(tick).amends_failed
    assert failed.error.is_recoverable is is_recoverable
    assert tick.is_terminal is not is_recoverable
    assert terms(followed)[2] is None


class Judge(RiskManager):
    """Does with amends what a function says, and lets the order itself pass."""

    def __init__(self, judge: Callable[[tuple[OrderRequestOpen, ...]], RiskDecision]) -> None:
        self._judge = judge
        self.seen: list[OrderRequestOpen] = []

    def check(
        self, state: EngineState, cancels: tuple[OrderRequestCancel, ...], opens: tuple[OrderRequestOpen, ...]
    ) -> RiskDecision:
        if not state.instruments[BTC].orders:
            return RiskDecision(cancels, opens, (), ())
        self.seen += opens
        return self._judge(opens)


def test_an_amend_is_judged_like_an_order_with_the_new_values() -> None:
    judge = Judge(lambda opens: RiskDecision((), opens, (), ()))
    output = decided(resting(risk=judge).process(amend()))
    assert judge.seen == [open_request(price=101, quantity=5)], "6, of which 1 has filled"
    assert output.amends_sent == (amend_of(price=101, quantity=6),)


def test_the_risk_manager_refuses_and_alters_amends() -> None:
    refuse = Judge(lambda opens: RiskDecision((), (), (), (RefusedOpen(opens[0], "too much"),)))
    output = decided(resting(risk=refuse).process(amend()))
    assert [item.reason for item in output.amends_refused] == ["too much"]
    alter = Judge(lambda _: RiskDecision((), (open_request(price="100.5", quantity=4),), (), ()))
    output = decided(resting(risk=alter).process(amend()))
    assert output.amends_sent == (amend_of(price="100.5", quantity=5),)
    spoil = Judge(lambda _: RiskDecision((), (open_request(price=100, quantity=3),), (), ()))
    output = decided(resting(risk=spoil).process(amend()))
    assert [item.reason for item in output.amends_refused] == ["nothing would change"]
    silent = Judge(lambda _: RiskDecision((), (), (), ()))
    assert "no verdict" in decided(resting(risk=silent).process(amend())).amends_refused[0].reason


def test_taking_quantity_away_always_passes() -> None:
    refuse = Judge(lambda opens: RiskDecision((), (), (), tuple(RefusedOpen(each, "no") for each in opens)))
    followed = resting(risk=refuse)
    assert decided(followed.process(amend(amend_of(quantity=2)))).amends_sent == (amend_of(quantity=2),)
    assert refuse.seen == []


def _raise(_: tuple[OrderRequestOpen, ...]) -> RiskDecision:
    raise RuntimeError("cannot judge")


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        (_raise, "cannot judge"),
        (lambda _: Decision(), "expected a RiskDecision"),
        (lambda _: RiskDecision((), ("buy",), (), ()), "expected an OrderRequestOpen"),  # type: ignore[arg-type]
        (lambda _: RiskDecision((), (), (), ("no",)), "expected a RefusedOpen"),  # type: ignore[arg-type]
    ],
)
def test_a_risk_manager_that_fails_lets_no_amend_pass(
    judge: Callable[[tuple[OrderRequestOpen, ...]], RiskDecision], reason: str
) -> None:
    followed = resting(risk=Judge(judge))
    tick = followed.process(amend())
    assert len(decided(tick).amends_refused) == 1
    assert reason in halted(tick).reason or "RiskDecision" in halted(tick).reason
    assert terms(followed) == (Decimal(100), Decimal(4), None)


@pytest.mark.parametrize(
    "amends",
    [
        "abc",
        [cancel_of()],
        [amend_of(instrument=9)],
        [OrderRequestAmend(order_key(), None, None, Decimal("NaN"))],
        [OrderRequestAmend(order_key(), None, Decimal("Infinity"), None)],
        [OrderRequestAmend(order_key(), "", None, Decimal(1))],  # type: ignore[arg-type]
    ],
)
def test_nonsense_halts_the_strategy(amends: object) -> None:
    decision = Decision(amends=amends)  # type: ignore[arg-type]
    assert halted(follow(Scripted(lambda _state, _event: decision)).process(public_trade())).strategy == "s"


@pytest.mark.parametrize(
    "event",
    [
        amend(amend_of(instrument=9)),
        amend(amend_of(price="Infinity")),
        amend_answered(instrument=9),
        amend_answered(quantity="NaN"),
    ],
)
def test_what_cannot_stand_in_a_tick_is_refused_whole(event: EngineEvent) -> None:
    engine = follow().engine
    with pytest.raises(InvalidEvent):
        engine.process(event, 0)
