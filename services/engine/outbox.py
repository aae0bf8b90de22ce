"""Hand order requests to the owners of venue accounts, until the account's journal says that they were received.

The audit journal is the outbox: a request leaves when the batch that explains it is on disk. It travels over core
NATS, where it may be lost, so it is sent again while it lives. The answer is the entry in the account's journal, an
intent or a refusal, not the reply. What is unanswered when its time to live is over is asked about instead
(``resolve``), and never sent again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from tradebus.bus.errors import BusUnavailable
from tradebus.bus.interface import Bus
from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.event import AccountEvent, OrderReceived, RequestNeverReceived
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.identifiers import ClientOrderId, ExchangeIndex
from tradebus.core.model.order import (
    CancelInFlight,
    OpenInFlight,
    OrderKey,
    OrderRequestAmend,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
)
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import AccountRecord, Intent, RequestOutcome, RequestResult
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.exec import (
    OrderRequest,
    OrderRequests,
    ResolveOrder,
    order_reply_from_bytes,
    order_requests_to_bytes,
)
from tradebus.wire.integrity import IntegrityError, checked_headers, verify_checksum

TTL_NS: Final = 2_000_000_000
Group: TypeAlias = tuple[str, int, int, int]
"""What travels in one message: account, epoch, sequence of the tick, deadline."""

RESEND_S: Final = 0.25
RESOLVE_S: Final = 1.0

Request = OrderRequestOpen | OrderRequestCancel | OrderRequestAmend


@dataclass(slots=True)
class Waiting:
    """A request that no entry answers yet; sent at ``sent_s``, monotonic seconds, for the last time."""

    account: str
    epoch: int
    sequence: int
    deadline_ns: int
    request: Request
    sent_s: float = 0.0


@final
class Outbox:
    """The requests of one engine to venue accounts. ``accounts`` names those by exchange; others are none of ours.

    ``clock`` gives nanoseconds since the epoch, by which a request's time to live is counted from its tick.
    """

    def __init__(
        self,
        bus: Bus,
        engine_id: str,
        accounts: Mapping[ExchangeIndex, str],
        *,
        ttl_ns: int = TTL_NS,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._bus: Final = bus
        self._engine_id: Final = engine_id
        self._accounts: Final = accounts
        self._ttl_ns: Final = ttl_ns
        self._clock: Final = clock
        self._undurable: Final[deque[Waiting]] = deque()
        self._waiting: Final[dict[tuple[ClientOrderId, RequestKind, int], Waiting]] = {}
        self._wake: Final = asyncio.Event()
        self._sending: Final[set[asyncio.Task[None]]] = set()
        self.sent = 0
        self.resolved = 0

    @property
    def pending(self) -> int:
        """Return how many requests no entry answers yet."""
        return len(self._undurable) + len(self._waiting)

    def take(self, tick: AuditTick, epoch: int) -> None:
        """Take the requests of a tick to venue accounts; they leave once it is durable."""
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                # Cancels first: what binds balances is freed before it is asked for again.
                requests: list[Request] = [*output.cancels_sent, *output.amends_sent, *output.opens_sent]
                for request in requests:
                    account = self._accounts.get(request.key.exchange)
                    if account is not None:
                        deadline_ns = self._clock() + self._ttl_ns
                        self._undurable.append(Waiting(account, epoch, tick.sequence, deadline_ns, request))

    def resume(self, state: EngineState, epoch: int, sequence: int) -> None:
        """Take up what a state holds in flight, as tick ``sequence`` of an engine that goes on under a new epoch.

        Whether an open request was ever sent nobody here can say, so it is asked about, not sent. A cancel is sent
        anew: cancelling twice harms nothing.
        """
        now_ns = self._clock()
        for instrument in state.instruments:
            for order in instrument.orders.values():
                account = self._accounts.get(order.key.exchange)
                if account is None:
                    continue
                request: Request
                if isinstance(order.state, OpenInFlight):
                    request = OrderRequestOpen(
                        order.key, order.side, order.price, order.quantity, order.kind, order.time_in_force
                    )
                    deadline_ns = now_ns - 1
                elif isinstance(order.state, CancelInFlight):
                    part = order.state.order
                    request = OrderRequestCancel(order.key, None if part is None else part.id)
                    deadline_ns = now_ns + self._ttl_ns
                else:
                    continue
                self._undurable.append(Waiting(account, epoch, sequence, deadline_ns, request))

    def durable(self, sequence: int) -> None:
        """Take note that everything up to a tick is on disk."""
        while self._undurable and self._undurable[0].sequence <= sequence:
            waiting = self._undurable.popleft()
            self._waiting[_key(waiting)] = waiting
            self._wake.set()

    def note(self, record: AccountRecord) -> None:
        """Take note of an entry in an account's journal: what it answers is not sent any more."""
        if isinstance(record, Intent):
            request = record.request
            self._forget(request.key, _kind(request), record.sequence)
        elif isinstance(record, RequestResult):
            if record.outcome is not RequestOutcome.STALE_EPOCH:
                self._forget_all(record.key)
        elif isinstance(record, AccountEvent):
            data = record.data
            if isinstance(data, RequestNeverReceived):
                self._forget_all(data.key)
            elif isinstance(data, OrderReceived):
                self._forget(data.order.key, RequestKind.OPEN, 0)

    async def run(self) -> None:
        """Send what waits, for ever; no reply is waited for, because an owner that is slow must hold up no other."""
        try:
            while True:
                self._wake.clear()
                for group, requests in self._due().items():
                    sending = asyncio.create_task(self._send(group, requests))
                    self._sending.add(sending)
                    sending.add_done_callback(self._sending.discard)
                try:
                    async with asyncio.timeout(RESEND_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            for sending in self._sending:
                sending.cancel()

    async def send_due(self) -> None:
        """Send what is due, and wait for the replies."""
        await asyncio.gather(*(self._send(group, requests) for group, requests in self._due().items()))

    def _due(self) -> dict[Group, tuple[OrderRequest, ...]]:
        """Return what is to be sent now, requests of one tick to one account together, and count it as sent."""
        groups: dict[Group, list[OrderRequest]] = {}
        now_s = time.monotonic()
        for waiting in self._waiting.values():
            is_over = self._clock() > waiting.deadline_ns
            if waiting.sent_s and now_s - waiting.sent_s < (RESOLVE_S if is_over else RESEND_S):
                continue
            waiting.sent_s = now_s
            request: OrderRequest = waiting.request
            if is_over and isinstance(request, OrderRequestOpen):
                request = ResolveOrder(request.key)
                self.resolved += 1
            group = (waiting.account, waiting.epoch, waiting.sequence, waiting.deadline_ns)
            groups.setdefault(group, []).append(request)
            self.sent += 1
        return {group: tuple(requests) for group, requests in groups.items()}

    async def _send(self, group: Group, requests: tuple[OrderRequest, ...]) -> None:
        account, epoch, sequence, deadline_ns = group
        payload = order_requests_to_bytes(OrderRequests(self._engine_id, epoch, sequence, deadline_ns, requests))
        try:
            reply = await self._bus.request(
                subjects.exec_(account), payload, timeout_s=RESEND_S, headers=checked_headers(payload)
            )
            verify_checksum(reply.payload, reply.headers)
            answers = order_reply_from_bytes(reply.payload).answers
        except (BusUnavailable, IntegrityError, DecodeError):
            return  # nobody there, or no sound reply in time: the entry is the answer, without one it is sent again
        for request, answer in zip(requests, answers, strict=False):
            # What was asked about may have been answered long ago: no new entry will say so again.
            if isinstance(request, ResolveOrder) and answer.outcome is not RequestOutcome.STALE_EPOCH:
                self._forget(request.key, RequestKind.OPEN, 0)

    def _forget(self, key: OrderKey, kind: RequestKind, sequence: int) -> None:
        self._waiting.pop((key.cid, kind, 0 if kind is RequestKind.OPEN else sequence), None)

    def _forget_all(self, key: OrderKey) -> None:
        for known in [known for known in self._waiting if known[0] == key.cid]:
            del self._waiting[known]


def _kind(request: Request) -> RequestKind:
    if isinstance(request, OrderRequestOpen):
        return RequestKind.OPEN
    return RequestKind.AMEND if isinstance(request, OrderRequestAmend) else RequestKind.CANCEL


def _key(waiting: Waiting) -> tuple[ClientOrderId, RequestKind, int]:
    kind = _kind(waiting.request)
    return waiting.request.key.cid, kind, 0 if kind is RequestKind.OPEN else waiting.sequence
