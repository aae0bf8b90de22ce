"""Order requests to the owner of a venue account, and its reply: ``exec.proto``."""

from dataclasses import dataclass
from typing import TypeAlias

from tradebus.core.model.identifiers import ClientOrderId
from tradebus.core.model.order import (
    OrderKey,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
)
from tradebus.wire.codec.account_journal import REQUEST_OUTCOMES, RequestOutcome
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.error import MissingField
from tradebus.wire.codec.order import (
    order_key_from_pb,
    order_key_to_pb,
    order_request_amend_from_pb,
    order_request_amend_to_pb,
    order_request_cancel_from_pb,
    order_request_cancel_to_pb,
    order_request_open_from_pb,
    order_request_open_to_pb,
)
from tradebus.wire.codec.parts import cannot_encode, children, named, nothing_set, parse, text
from tradebus.wire.pb.v1 import exec_pb2 as pb


@dataclass(frozen=True, slots=True)
class ResolveOrder:
    """Find out what became of an order and journal it; nothing is sent for it but questions."""

    key: OrderKey


OrderRequest: TypeAlias = OrderRequestOpen | OrderRequestCancel | OrderRequestAmend | ResolveOrder


@dataclass(frozen=True, slots=True)
class OrderRequests:
    """What one tick of an engine asks of an account; nothing of it is sent after ``deadline_ns``."""

    engine_id: str
    engine_epoch: int
    sequence: int
    deadline_ns: int
    requests: tuple[OrderRequest, ...]


@dataclass(frozen=True, slots=True)
class OrderAnswer:
    """The answer to one request: entry ``entry`` of the account's journal. ``outcome`` none: it is carried."""

    cid: ClientOrderId
    entry: int
    outcome: RequestOutcome | None
    message: str


@dataclass(frozen=True, slots=True)
class OrderReply:
    """The owner's reply, one answer per request in their order."""

    account: str
    owner: str
    owner_epoch: int
    answers: tuple[OrderAnswer, ...]


def order_request_to_pb(request: OrderRequest, into: pb.OrderRequest) -> None:
    """Fill a message with a request."""
    if isinstance(request, OrderRequestOpen):
        order_request_open_to_pb(request, into.open)
    elif isinstance(request, OrderRequestCancel):
        order_request_cancel_to_pb(request, into.cancel)
    elif isinstance(request, OrderRequestAmend):
        order_request_amend_to_pb(request, into.amend)
    else:
        order_key_to_pb(request.key, into.resolve)


def order_request_from_pb(message: pb.OrderRequest, bounds: IndexBounds = UNBOUNDED) -> OrderRequest:
    """Return a request; raises DecodeError, also when it has no client order id."""
    which = message.WhichOneof("request")
    request: OrderRequest
    if which == "open":
        request = named(which, message.open, order_request_open_from_pb, bounds)
    elif which == "cancel":
        request = named(which, message.cancel, order_request_cancel_from_pb, bounds)
    elif which == "amend":
        request = named(which, message.amend, order_request_amend_from_pb, bounds)
    elif which == "resolve":
        request = ResolveOrder(named(which, message.resolve, order_key_from_pb, bounds))
    else:
        raise nothing_set("request", message)
    if not request.key.cid:
        raise MissingField("expected a client order id, found none", f"{which}.key.cid")
    return request


def order_requests_to_bytes(requests: OrderRequests) -> bytes:
    """Return the bytes of requests; raises EncodeError."""
    message = pb.OrderRequests()
    try:
        message.engine_id = requests.engine_id
        message.engine_epoch = requests.engine_epoch
        message.sequence = requests.sequence
        message.deadline_ns = requests.deadline_ns
        for request in requests.requests:
            order_request_to_pb(request, message.requests.add())
    except (TypeError, ValueError) as error:
        raise cannot_encode("OrderRequests", error) from error
    return message.SerializeToString()


def order_requests_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> OrderRequests:
    """Return the requests in ``payload``; raises DecodeError."""
    message = parse(pb.OrderRequests, payload)
    return OrderRequests(
        text(message.engine_id, "engine_id"),
        message.engine_epoch,
        message.sequence,
        message.deadline_ns,
        children("requests", message.requests, order_request_from_pb, bounds),
    )


def order_reply_to_bytes(reply: OrderReply) -> bytes:
    """Return the bytes of a reply; raises EncodeError."""
    message = pb.OrderReply()
    try:
        message.account = reply.account
        message.owner = reply.owner
        message.owner_epoch = reply.owner_epoch
        for answer in reply.answers:
            into = message.answers.add()
            into.cid = answer.cid
            into.entry = answer.entry
            if answer.outcome is not None:
                into.outcome = REQUEST_OUTCOMES.to_pb(answer.outcome)
            into.message = answer.message
    except (TypeError, ValueError) as error:
        raise cannot_encode("OrderReply", error) from error
    return message.SerializeToString()


def order_reply_from_bytes(payload: bytes, bounds: IndexBounds = UNBOUNDED) -> OrderReply:
    """Return the reply in ``payload``; raises DecodeError."""
    message = parse(pb.OrderReply, payload)
    return OrderReply(
        text(message.account, "account"),
        text(message.owner, "owner"),
        message.owner_epoch,
        children("answers", message.answers, _answer_from_pb, bounds),
    )


def _answer_from_pb(message: pb.OrderAnswer, _bounds: IndexBounds) -> OrderAnswer:
    return OrderAnswer(
        ClientOrderId(text(message.cid, "cid")),
        message.entry,
        REQUEST_OUTCOMES.from_pb(message.outcome, "outcome") if message.HasField("outcome") else None,
        message.message,
    )
