"""What a step of the engine decided: ``output.proto``."""

from typing import Final

from tradebus.core.engine.audit.tick import (
    DataPatched,
    FailedAmend,
    FailedCancel,
    FailedOpen,
    Halted,
    Origin,
    Output,
    PositionExit,
    RefusedAmend,
    RefusedCancel,
    RefusedOpen,
    RequestsDecided,
    RiskOverridden,
    TimerCleared,
    TimerSet,
)
from tradebus.core.engine.state.position import PositionExited
from tradebus.core.model.identifiers import StrategyId
from tradebus.core.model.number import ZERO
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, instrument_index
from tradebus.wire.codec.engine import engine_error_from_pb, engine_error_to_pb
from tradebus.wire.codec.enumeration import EnumCodec
from tradebus.wire.codec.error import EncodeError
from tradebus.wire.codec.number import computed_from_text, computed_to_text
from tradebus.wire.codec.order import (
    SIDES,
    order_request_amend_from_pb,
    order_request_amend_to_pb,
    order_request_cancel_from_pb,
    order_request_cancel_to_pb,
    order_request_open_from_pb,
    order_request_open_to_pb,
)
from tradebus.wire.codec.parts import child, children, named, nothing_set, text
from tradebus.wire.codec.plain import plain_from_pb, plain_to_pb
from tradebus.wire.pb.v1 import output_pb2 as pb

ORIGINS: Final = EnumCodec(Origin, pb.Origin)


def output_to_pb(output: Output, into: pb.Output) -> None:
    """Fill a message with one thing decided; raises EncodeError for what the contract does not know."""
    if isinstance(output, RequestsDecided):
        requests_decided_to_pb(output, into.requests_decided)
    elif isinstance(output, PositionExit):
        position_exited_to_pb(output.exited, into.position_exit.exited)
    elif isinstance(output, TimerSet):
        into.timer_set.strategy = output.strategy
        into.timer_set.id = output.id
        into.timer_set.due_ns = output.due_ns
    elif isinstance(output, TimerCleared):
        into.timer_cleared.strategy = output.strategy
        into.timer_cleared.id = output.id
    elif isinstance(output, DataPatched):
        into.data_patched.strategy = output.strategy
        into.data_patched.key = output.key
        plain_to_pb(output.value, into.data_patched.value)
    elif isinstance(output, Halted):
        into.halted.strategy = output.strategy
        into.halted.reason = output.reason
    elif isinstance(output, RiskOverridden):
        into.risk_overridden.SetInParent()
        for refused in output.opens:
            message = into.risk_overridden.opens.add()
            order_request_open_to_pb(refused.request, message.request)
            message.reason = refused.reason
        for amend in output.amends:
            amended = into.risk_overridden.amends.add()
            order_request_amend_to_pb(amend.request, amended.request)
            amended.reason = amend.reason
    else:
        raise EncodeError(f"expected what a step can decide, found {type(output).__name__}")


def output_from_pb(message: pb.Output, bounds: IndexBounds = UNBOUNDED) -> Output:
    """Return one thing decided; raises DecodeError."""
    which = message.WhichOneof("output")
    if which == "requests_decided":
        return named(which, message.requests_decided, requests_decided_from_pb, bounds)
    if which == "position_exit":
        return named(which, message.position_exit, _position_exit_from_pb, bounds)
    if which == "timer_set":
        return named(which, message.timer_set, _timer_set_from_pb, bounds)
    if which == "timer_cleared":
        return named(which, message.timer_cleared, _timer_cleared_from_pb, bounds)
    if which == "data_patched":
        return named(which, message.data_patched, _data_patched_from_pb, bounds)
    if which == "halted":
        return named(which, message.halted, _halted_from_pb, bounds)
    if which == "risk_overridden":
        return named(which, message.risk_overridden, _risk_overridden_from_pb, bounds)
    raise nothing_set("output", message)


def requests_decided_to_pb(output: RequestsDecided, into: pb.RequestsDecided) -> None:
    """Fill a message with requests of one origin."""
    into.origin = ORIGINS.to_pb(output.origin)
    into.strategy = output.strategy
    for cancelled in output.cancels_sent:
        order_request_cancel_to_pb(cancelled, into.cancels_sent.add())
    for opened in output.opens_sent:
        order_request_open_to_pb(opened, into.opens_sent.add())
    for failed_cancel in output.cancels_failed:
        message = into.cancels_failed.add()
        order_request_cancel_to_pb(failed_cancel.request, message.request)
        engine_error_to_pb(failed_cancel.error, message.error)
    for failed_open in output.opens_failed:
        failed = into.opens_failed.add()
        order_request_open_to_pb(failed_open.request, failed.request)
        engine_error_to_pb(failed_open.error, failed.error)
    for refused_cancel in output.cancels_refused:
        refused = into.cancels_refused.add()
        order_request_cancel_to_pb(refused_cancel.request, refused.request)
        refused.reason = refused_cancel.reason
    for refused_open in output.opens_refused:
        refused_message = into.opens_refused.add()
        order_request_open_to_pb(refused_open.request, refused_message.request)
        refused_message.reason = refused_open.reason
    for amended in output.amends_sent:
        order_request_amend_to_pb(amended, into.amends_sent.add())
    for failed_amend in output.amends_failed:
        failed_message = into.amends_failed.add()
        order_request_amend_to_pb(failed_amend.request, failed_message.request)
        engine_error_to_pb(failed_amend.error, failed_message.error)
    for refused_amend in output.amends_refused:
        amend_message = into.amends_refused.add()
        order_request_amend_to_pb(refused_amend.request, amend_message.request)
        amend_message.reason = refused_amend.reason


def requests_decided_from_pb(message: pb.RequestsDecided, bounds: IndexBounds = UNBOUNDED) -> RequestsDecided:
    """Return requests of one origin; raises DecodeError."""
    return RequestsDecided(
        ORIGINS.from_pb(message.origin, "origin"),
        StrategyId(text(message.strategy, "strategy")),
        children("cancels_sent", message.cancels_sent, order_request_cancel_from_pb, bounds),
        children("opens_sent", message.opens_sent, order_request_open_from_pb, bounds),
        children("cancels_failed", message.cancels_failed, _failed_cancel_from_pb, bounds),
        children("opens_failed", message.opens_failed, _failed_open_from_pb, bounds),
        children("cancels_refused", message.cancels_refused, _refused_cancel_from_pb, bounds),
        children("opens_refused", message.opens_refused, _refused_open_from_pb, bounds),
        children("amends_sent", message.amends_sent, order_request_amend_from_pb, bounds),
        children("amends_failed", message.amends_failed, _failed_amend_from_pb, bounds),
        children("amends_refused", message.amends_refused, _refused_amend_from_pb, bounds),
    )


def _failed_cancel_from_pb(message: pb.FailedCancel, bounds: IndexBounds) -> FailedCancel:
    return FailedCancel(
        child(message, "request", message.request, order_request_cancel_from_pb, bounds),
        child(message, "error", message.error, engine_error_from_pb, bounds),
    )


def _failed_open_from_pb(message: pb.FailedOpen, bounds: IndexBounds) -> FailedOpen:
    return FailedOpen(
        child(message, "request", message.request, order_request_open_from_pb, bounds),
        child(message, "error", message.error, engine_error_from_pb, bounds),
    )


def _failed_amend_from_pb(message: pb.FailedAmend, bounds: IndexBounds) -> FailedAmend:
    return FailedAmend(
        child(message, "request", message.request, order_request_amend_from_pb, bounds),
        child(message, "error", message.error, engine_error_from_pb, bounds),
    )


def _refused_amend_from_pb(message: pb.RefusedAmend, bounds: IndexBounds) -> RefusedAmend:
    request = child(message, "request", message.request, order_request_amend_from_pb, bounds)
    return RefusedAmend(request, message.reason)


def _refused_cancel_from_pb(message: pb.RefusedCancel, bounds: IndexBounds) -> RefusedCancel:
    request = child(message, "request", message.request, order_request_cancel_from_pb, bounds)
    return RefusedCancel(request, message.reason)


def _refused_open_from_pb(message: pb.RefusedOpen, bounds: IndexBounds) -> RefusedOpen:
    request = child(message, "request", message.request, order_request_open_from_pb, bounds)
    return RefusedOpen(request, message.reason)


def position_exited_to_pb(exited: PositionExited, into: pb.PositionExited) -> None:
    """Fill a message with a closed position."""
    into.instrument = exited.instrument
    into.side = SIDES.to_pb(exited.side)
    into.price_entry_average = computed_to_text(exited.price_entry_average)
    into.quantity_abs_max = computed_to_text(exited.quantity_abs_max)
    into.pnl_realised = computed_to_text(exited.pnl_realised)
    into.fees_enter = computed_to_text(exited.fees_enter)
    into.fees_exit = computed_to_text(exited.fees_exit)
    into.time_enter_ns = exited.time_enter_ns
    into.time_exit_ns = exited.time_exit_ns
    into.trade_count = exited.trade_count
    into.trade_digest = exited.trade_digest
    if exited.funding:
        into.funding = computed_to_text(exited.funding)


def position_exited_from_pb(message: pb.PositionExited, bounds: IndexBounds = UNBOUNDED) -> PositionExited:
    """Return a closed position; raises DecodeError."""
    return PositionExited(
        instrument_index(message.instrument, bounds),
        SIDES.from_pb(message.side, "side"),
        computed_from_text(message.price_entry_average, "price_entry_average"),
        computed_from_text(message.quantity_abs_max, "quantity_abs_max"),
        computed_from_text(message.pnl_realised, "pnl_realised"),
        computed_from_text(message.fees_enter, "fees_enter"),
        computed_from_text(message.fees_exit, "fees_exit"),
        message.time_enter_ns,
        message.time_exit_ns,
        message.trade_count,
        message.trade_digest,
        computed_from_text(message.funding, "funding") if message.HasField("funding") else ZERO,
    )


def _position_exit_from_pb(message: pb.PositionExit, bounds: IndexBounds) -> PositionExit:
    return PositionExit(child(message, "exited", message.exited, position_exited_from_pb, bounds))


def _timer_set_from_pb(message: pb.TimerSet, _bounds: IndexBounds) -> TimerSet:
    return TimerSet(StrategyId(text(message.strategy, "strategy")), message.id, message.due_ns)


def _timer_cleared_from_pb(message: pb.TimerCleared, _bounds: IndexBounds) -> TimerCleared:
    return TimerCleared(StrategyId(text(message.strategy, "strategy")), message.id)


def _data_patched_from_pb(message: pb.DataPatched, bounds: IndexBounds) -> DataPatched:
    value = child(message, "value", message.value, plain_from_pb, bounds)
    return DataPatched(StrategyId(text(message.strategy, "strategy")), message.key, value)


def _halted_from_pb(message: pb.Halted, _bounds: IndexBounds) -> Halted:
    return Halted(StrategyId(text(message.strategy, "strategy")), message.reason)


def _risk_overridden_from_pb(message: pb.RiskOverridden, bounds: IndexBounds) -> RiskOverridden:
    return RiskOverridden(
        children("opens", message.opens, _refused_open_from_pb, bounds),
        children("amends", message.amends, _refused_amend_from_pb, bounds),
    )
