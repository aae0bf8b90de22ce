"""What an operator can ask of an engine: ``command.proto``.

On the bus a command is a CommandMessage, with times. Inside a tick it is the engine's own event: a Command, or, for
switching trading, changing parameters and stopping, the events of these names.
"""

from dataclasses import dataclass

from tradebus.core.engine.command import (
    ALL_INSTRUMENTS,
    AllInstruments,
    ByExchanges,
    ByInstruments,
    ByUnderlyings,
    CancelOrders,
    ClosePositions,
    Command,
    CommandAction,
    CommandRejected,
    InstrumentFilter,
    SendAmendRequests,
    SendCancelRequests,
    SendOpenRequests,
)
from tradebus.core.engine.configuration import ConfigChanged
from tradebus.core.engine.event import Shutdown, TradingStateUpdate
from tradebus.core.model.identifiers import AssetIndex
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds, asset_index, exchange_index, instrument_index
from tradebus.wire.codec.engine import TRADING_STATES, config_changed_from_pb, config_changed_to_pb
from tradebus.wire.codec.error import EncodeError, Inconsistent
from tradebus.wire.codec.order import (
    order_request_amend_from_pb,
    order_request_amend_to_pb,
    order_request_cancel_from_pb,
    order_request_cancel_to_pb,
    order_request_open_from_pb,
    order_request_open_to_pb,
)
from tradebus.wire.codec.parts import cannot_encode, child, children, named, nothing_set, parse, text
from tradebus.wire.pb.v1 import command_pb2 as pb


@dataclass(frozen=True, slots=True)
class CommandMessage:
    """A command on its way to an engine.

    ``id`` is the idempotency key. Times are nanoseconds since the epoch by the sender's clock; ``expiry_ns`` 0: never.
    ``event`` is what the engine processes; a Command carries the same id and origin as the message.
    """

    id: str
    origin: str
    time_ns: int
    expiry_ns: int
    event: Command | TradingStateUpdate | ConfigChanged | Shutdown


def instrument_filter_to_pb(value: InstrumentFilter, into: pb.InstrumentFilter) -> None:
    """Fill a message with a filter; raises EncodeError for one that the contract does not know."""
    if isinstance(value, AllInstruments):
        into.all.SetInParent()
    elif isinstance(value, ByExchanges):
        into.exchanges.SetInParent()
        into.exchanges.exchanges.extend(value.exchanges)
    elif isinstance(value, ByInstruments):
        into.instruments.SetInParent()
        into.instruments.instruments.extend(value.instruments)
    elif isinstance(value, ByUnderlyings):
        into.underlyings.SetInParent()
        for base, quote in value.underlyings:
            into.underlyings.underlyings.add(base=base, quote=quote)
    else:
        raise EncodeError(f"expected a filter of instruments, found {type(value).__name__}")


def instrument_filter_from_pb(message: pb.InstrumentFilter, bounds: IndexBounds = UNBOUNDED) -> InstrumentFilter:
    """Return a filter; raises DecodeError."""
    which = message.WhichOneof("filter")
    if which == "all":
        return ALL_INSTRUMENTS
    if which == "exchanges":
        return ByExchanges(tuple(exchange_index(i, bounds, "exchanges") for i in message.exchanges.exchanges))
    if which == "instruments":
        return ByInstruments(tuple(instrument_index(i, bounds, "instruments") for i in message.instruments.instruments))
    if which == "underlyings":
        return ByUnderlyings(children("underlyings", message.underlyings.underlyings, _underlying_from_pb, bounds))
    raise nothing_set("filter", message)


def _underlying_from_pb(message: pb.Underlying, bounds: IndexBounds) -> tuple[AssetIndex, AssetIndex]:
    return asset_index(message.base, bounds, "base"), asset_index(message.quote, bounds, "quote")


def command_to_pb(command: Command, into: pb.Command) -> None:
    """Fill a message with a command as it stands in a tick, without times."""
    into.id = command.id
    into.origin = command.origin
    into.position = command.position
    action = command.action
    if isinstance(action, SendOpenRequests):
        into.send_open_requests.SetInParent()
        for opened in action.requests:
            order_request_open_to_pb(opened, into.send_open_requests.requests.add())
        into.send_open_requests.override_risk = action.override_risk
    elif isinstance(action, SendCancelRequests):
        into.send_cancel_requests.SetInParent()
        for cancelled in action.requests:
            order_request_cancel_to_pb(cancelled, into.send_cancel_requests.requests.add())
    elif isinstance(action, SendAmendRequests):
        into.send_amend_requests.SetInParent()
        for amended in action.requests:
            order_request_amend_to_pb(amended, into.send_amend_requests.requests.add())
        into.send_amend_requests.override_risk = action.override_risk
    elif isinstance(action, ClosePositions):
        instrument_filter_to_pb(action.filter, into.close_positions.filter)
        into.close_positions.override_risk = action.override_risk
    elif isinstance(action, CancelOrders):
        instrument_filter_to_pb(action.filter, into.cancel_orders.filter)
    else:
        raise EncodeError(f"expected what a command can ask for, found {type(action).__name__}")


def command_from_pb(message: pb.Command, bounds: IndexBounds = UNBOUNDED) -> Command:
    """Return a command as it stands in a tick; raises DecodeError."""
    if message.time_ns or message.expiry_ns:
        raise Inconsistent("expected no times inside a tick, found some", "time_ns")
    action = _action_from_pb(message, bounds)
    if action is None:
        raise Inconsistent(f"expected an action of a command, found {message.WhichOneof('action')}", "action")
    return Command(text(message.id, "id"), message.origin, action, message.position)


def command_rejected_to_pb(event: CommandRejected, into: pb.CommandRejected) -> None:
    """Fill a message with a command that was not carried out."""
    into.id = event.id
    into.origin = event.origin
    into.reason = event.reason
    into.position = event.position


def command_rejected_from_pb(message: pb.CommandRejected, bounds: IndexBounds = UNBOUNDED) -> CommandRejected:  # noqa: ARG001 - as all readers
    """Return a command that was not carried out; raises DecodeError."""
    return CommandRejected(text(message.id, "id"), message.origin, message.reason, message.position)


def _action_from_pb(message: pb.Command, bounds: IndexBounds) -> CommandAction | None:
    """Return the action of a command, none for those that are events of their own."""
    which = message.WhichOneof("action")
    if which == "send_open_requests":
        return named(which, message.send_open_requests, _send_open_from_pb, bounds)
    if which == "send_cancel_requests":
        return named(which, message.send_cancel_requests, _send_cancel_from_pb, bounds)
    if which == "send_amend_requests":
        return named(which, message.send_amend_requests, _send_amend_from_pb, bounds)
    if which == "close_positions":
        return named(which, message.close_positions, _close_positions_from_pb, bounds)
    if which == "cancel_orders":
        return named(which, message.cancel_orders, _cancel_orders_from_pb, bounds)
    if which is None:
        raise nothing_set("action", message)
    return None


def _send_open_from_pb(message: pb.SendOpenRequests, bounds: IndexBounds) -> SendOpenRequests:
    requests = children("requests", message.requests, order_request_open_from_pb, bounds)
    return SendOpenRequests(requests, message.override_risk)


def _send_amend_from_pb(message: pb.SendAmendRequests, bounds: IndexBounds) -> SendAmendRequests:
    requests = children("requests", message.requests, order_request_amend_from_pb, bounds)
    return SendAmendRequests(requests, message.override_risk)


def _send_cancel_from_pb(message: pb.SendCancelRequests, bounds: IndexBounds) -> SendCancelRequests:
    return SendCancelRequests(children("requests", message.requests, order_request_cancel_from_pb, bounds))


def _close_positions_from_pb(message: pb.ClosePositions, bounds: IndexBounds) -> ClosePositions:
    selection = child(message, "filter", message.filter, instrument_filter_from_pb, bounds)
    return ClosePositions(selection, message.override_risk)


def _cancel_orders_from_pb(message: pb.CancelOrders, bounds: IndexBounds) -> CancelOrders:
    return CancelOrders(child(message, "filter", message.filter, instrument_filter_from_pb, bounds))


def command_message_to_bytes(command: CommandMessage) -> bytes:
    """Return the bytes of a command; raises EncodeError."""
    message = pb.Command()
    event = command.event
    try:
        if isinstance(event, Command):
            command_to_pb(event, message)
            if (event.id, event.origin) != (command.id, command.origin):
                raise EncodeError(f"expected the id and origin of {command.id!r}, found those of {event.id!r}")
        elif isinstance(event, TradingStateUpdate):
            message.set_trading_state.state = TRADING_STATES.to_pb(event.state)
            if event.origin != command.origin:
                raise EncodeError(f"expected the origin {command.origin!r}, found {event.origin!r}")
        elif isinstance(event, ConfigChanged):
            config_changed_to_pb(event, message.change_config)
            if event.origin != command.origin:
                raise EncodeError(f"expected the origin {command.origin!r}, found {event.origin!r}")
        else:
            message.shutdown.SetInParent()
        message.id = command.id
        message.origin = command.origin
        message.time_ns = command.time_ns
        message.expiry_ns = command.expiry_ns
    except (TypeError, ValueError) as error:
        raise cannot_encode("Command", error) from error
    return message.SerializeToString()


def command_message_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> CommandMessage:
    """Return the command in ``payload``; raises DecodeError."""
    message = parse(pb.Command, payload)
    id_, origin = text(message.id, "id"), text(message.origin, "origin")
    event: Command | TradingStateUpdate | ConfigChanged | Shutdown
    action = _action_from_pb(message, bounds)
    if action is not None:
        event = Command(id_, origin, action)
    elif message.WhichOneof("action") == "shutdown":
        event = Shutdown()
    elif message.WhichOneof("action") == "change_config":
        event = named("change_config", message.change_config, config_changed_from_pb, bounds)
        if event.origin != origin:
            raise Inconsistent(f"expected the origin {origin!r}, found {event.origin!r}", "change_config.origin")
    else:
        event = TradingStateUpdate(
            TRADING_STATES.from_pb(message.set_trading_state.state, "set_trading_state.state"), origin
        )
    return CommandMessage(id_, origin, message.time_ns, message.expiry_ns, event)


def read_at(command: CommandMessage, position: int) -> Command | TradingStateUpdate | ConfigChanged | Shutdown:
    """Return the event of a command as it is journaled: with its id, and its number in the stream of commands."""
    event = command.event
    if isinstance(event, Command):
        return Command(event.id, event.origin, event.action, position)
    if isinstance(event, TradingStateUpdate):
        return TradingStateUpdate(event.state, event.origin, command.id, position)
    if isinstance(event, ConfigChanged):
        return ConfigChanged(event.origin, event.strategies, event.risk, command.id, position)
    return Shutdown(command.id, position, command.origin)
