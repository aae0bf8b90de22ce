"""Carry order requests to a venue account, each at most once, and journal what is asked, sent and learned.

An intent is on disk before the first byte goes out. What was intended and not answered is never sent again: the venue
is asked what became of it (``resolving``).
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Final, final

from services.execution.account_journal import AccountJournal
from services.execution.owned import OwnedAccount
from services.execution.progress import Progress
from services.execution.request_ledger import Carried, Request, RequestLedger, kind_of
from services.execution.resolving import ResolvePolicy, Resolver
from services.execution.venue import Unanswered, Venue
from services.runtime import Runtime
from services.runtime.pressure import Pressure
from tradebus.core.engine.event import (
    AccountData,
    AccountEvent,
    AmendAnswered,
    RequestInDoubt,
    RequestNeverReceived,
    TradeReceived,
)
from tradebus.core.execution.answers import cancel_answered, open_answered
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.core.model.order import Open, OrderError, OrderKey, OrderRequestAmend, OrderRequestOpen, RequestKind
from tradebus.crash_points import crash_point
from tradebus.wire.codec.account_journal import AccountBatch, AccountRecord, Intent, RequestOutcome, RequestResult
from tradebus.wire.codec.exec import OrderAnswer, OrderReply, OrderRequest, OrderRequests, ResolveOrder


@final
class VenueAccount(OwnedAccount):
    """One account at one venue. ``clock`` is the owner's, nanoseconds since the epoch: it judges what still lives."""

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        exchange: ExchangeIndex,
        venue: Venue,
        progress: Progress,
        policy: ResolvePolicy,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = name
        self.fingerprint = ""
        self.journal_room = Pressure(lambda: False)
        self.exchange: Final = exchange
        self._runtime: Final = runtime
        self._venue: Final = venue
        self._progress: Final = progress
        self._policy: Final = policy
        self._clock: Final = clock
        self._seen: Final = RequestLedger()
        self._ledger = RequestLedger()
        self._journal: AccountJournal | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._sending = 0
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.carried = 0
        self.refused = 0

    # ------------------------------------------------------------------------------ ownership

    def see(self, batch: AccountBatch, position: int) -> None:  # noqa: ARG002 - entries have numbers of their own
        """Fold the next batch, whoever wrote it: it is what the next owner begins with."""
        for number, entry in enumerate(batch.entries, batch.head.first_entry):
            self._seen.apply(number, entry.record, entry.request)

    def hold_until(self, position: int) -> bool:  # noqa: ARG002 - a venue's account explains itself
        """Tell that nothing is held."""
        return False

    def check_explained(self, position: int) -> None:
        """Accept: a venue's account explains itself."""

    def open(self, journal: AccountJournal) -> None:
        """Be the owner: resolve what an earlier owner left in doubt, ask for fills, take requests."""
        self._ledger = self._seen.copied()
        self._journal = journal
        for carried in self._ledger.unanswered():
            self._doubt(journal, carried, "its owner ended before there was an answer")
        self._spawn(self._poll_trades(journal), "fills")

    def close(self) -> None:
        """Send and write nothing more."""
        self._journal = None
        for task in self._work:
            task.cancel()

    async def drain(self, limit_s: float) -> None:
        """Wait until every request that was sent is answered, or there is no more time; what is left is in doubt."""
        try:
            async with asyncio.timeout(limit_s):
                await self._progress.until(lambda: self._sending == 0)
        except TimeoutError:
            self._runtime.log.warning("requests left without an answer", account=self.name, requests=self._sending)

    # ------------------------------------------------------------------------------ requests

    async def answer(self, requests: OrderRequests) -> OrderReply | None:
        """Journal what is asked and return the answer once that is on disk; none where we are not the owner."""
        journal = self._journal
        if journal is None:
            return None
        to_carry: list[Carried] = []
        answers = [self._judge(journal, requests, request, to_carry) for request in requests.requests]
        last = max((answer.entry for answer in answers), default=0)
        await self._progress.until(lambda: journal.durable_entries > last or self._journal is not journal)
        if self._journal is not journal:
            return None
        crash_point("execution.after_intent")
        for carried in to_carry:
            self._spawn(self._carry(journal, carried), f"request {carried.key.cid}")
        return OrderReply(self.name, self._runtime.instance, journal.owner_epoch, tuple(answers))

    def _judge(
        self, journal: AccountJournal, requests: OrderRequests, request: OrderRequest, to_carry: list[Carried]
    ) -> OrderAnswer:
        """Append the intent to carry a request, or why it is not carried; what is known is answered from there."""
        known = self._ledger.engine_epochs.get(requests.engine_id, 0)
        key, epoch = request.key, requests.engine_epoch
        if epoch < known:
            reason = f"expected engine epoch {known} or later, found {epoch}"
            return self._refuse(journal, key, epoch, RequestOutcome.STALE_EPOCH, reason)
        if key.exchange != self.exchange:
            reason = f"expected exchange {self.exchange}, found {key.exchange}"
            return self._refuse(journal, key, epoch, RequestOutcome.REFUSED, reason)
        if isinstance(request, ResolveOrder):
            return self._resolve(journal, request, epoch)
        carried = self._ledger.find(request, requests.sequence)
        if carried is not None:
            if carried.intent is None or carried.intent.request != request:
                reason = f"client order id {key.cid} was used in entry {carried.entry}"
                return self._refuse(journal, key, epoch, RequestOutcome.REPEATED, reason)
            return OrderAnswer(key.cid, carried.entry, None, "")
        if self._clock() > requests.deadline_ns:
            answer = self._refuse(journal, key, epoch, RequestOutcome.EXPIRED, "its time to live is over")
            self._tell(journal, RequestNeverReceived(key, kind_of(request), "its time to live is over"), answer.entry)
            return answer
        intent = Intent(requests.engine_id, epoch, requests.sequence, requests.deadline_ns, request)
        entry = self._append(journal, intent)
        found = self._ledger.find(request, requests.sequence)
        assert found is not None, "it was just applied"
        to_carry.append(found)
        return OrderAnswer(key.cid, entry, None, "")

    def _resolve(self, journal: AccountJournal, request: ResolveOrder, epoch: int) -> OrderAnswer:
        carried = self._ledger.opened(request.key.cid)
        if carried is None:
            reason = "it never reached the owner"
            answer = self._refuse(journal, request.key, epoch, RequestOutcome.NEVER_RECEIVED, reason)
            self._tell(journal, RequestNeverReceived(request.key, RequestKind.OPEN, reason), answer.entry)
            return answer
        outcome = None if carried.is_answered else RequestOutcome.UNKNOWN
        return OrderAnswer(request.key.cid, carried.entry, outcome, "" if outcome is None else "being resolved")

    def _refuse(
        self, journal: AccountJournal, key: OrderKey, epoch: int, outcome: RequestOutcome, reason: str
    ) -> OrderAnswer:
        self.refused += 1
        entry = self._append(journal, RequestResult(key, epoch, outcome, reason))
        return OrderAnswer(key.cid, entry, outcome, reason)

    async def _carry(self, journal: AccountJournal, carried: Carried) -> None:
        """Send a request whose intent is on disk, once, and journal the answer, or that there is none."""
        intent = carried.intent
        assert intent is not None, "only what was intended is carried"
        async with self._locks[carried.key.instrument]:
            if self._journal is not journal:
                return
            if self._clock() > intent.deadline_ns:
                # The intent stands, but nothing went out, and we are who knows that.
                reason = "its time to live is over"
                self._tell(journal, RequestNeverReceived(carried.key, carried.kind, reason), carried.entry)
                return
            self.carried += 1
            self._sending += 1
            crash_point("execution.before_send")
            try:
                data = await self._send(intent.request)
            except Unanswered as error:
                self._doubt(journal, carried, error.reason)
                return
            finally:
                self._sending -= 1
                self._progress.tell()
            crash_point("execution.after_answer")
            self._tell(journal, data, carried.entry)

    async def _send(self, request: Request) -> AccountData:
        if isinstance(request, OrderRequestOpen):
            opened = open_answered(request, await self._venue.submit(request))
            assert opened is not None, "a venue's client always answers"
            return opened
        if isinstance(request, OrderRequestAmend):
            return _amend_answered(request, await self._venue.amend(request))
        cancelled = cancel_answered(request, await self._venue.cancel(request))
        assert cancelled is not None, "a venue's client always answers"
        return cancelled

    # ------------------------------------------------------------------------------ doubts and fills

    def _doubt(self, journal: AccountJournal, carried: Carried, reason: str) -> None:
        """Say that a request is in doubt, once, and find out what became of it."""
        if not carried.is_in_doubt:
            self._tell(journal, RequestInDoubt(carried.key, carried.kind, reason), carried.entry)
        deadline_ns = 0 if carried.intent is None else carried.intent.deadline_ns
        resolver = Resolver(self._venue, self._policy, carried, deadline_ns, self._clock)
        self._spawn(self._settle(journal, resolver, carried), f"doubt about {carried.key.cid}")

    async def _settle(self, journal: AccountJournal, resolver: Resolver, carried: Carried) -> None:
        crash_point("execution.mid_resolve")
        for data in await resolver.run():
            if self._journal is journal:
                self._tell(journal, data, carried.entry)

    async def _poll_trades(self, journal: AccountJournal) -> None:
        """Ask for fills for ever; each is told once, whoever owned the account when it happened."""
        while self._journal is journal:
            try:
                trades = await self._venue.trades(self._ledger.last_trade_ns)
            except Unanswered as error:
                self._runtime.log.warning("fills not told", account=self.name, reason=error.reason)
                trades = []
            for trade in trades:
                if self._journal is journal and not self._ledger.has_trade(trade):
                    self._tell(journal, TradeReceived(trade))
            await asyncio.sleep(self._policy.poll_period_s)

    # ------------------------------------------------------------------------------ the journal

    def _tell(self, journal: AccountJournal, data: AccountData, request: int | None = None) -> None:
        """Append an event; its key is the number of its entry, which only grows.

        ``request`` is the entry of the request that it tells of.
        """
        number = journal.next_entry
        self._append(journal, AccountEvent(self.exchange, number + 1, 1, data), request)

    def _append(self, journal: AccountJournal, record: AccountRecord, request: int | None = None) -> int:
        number = journal.next_entry
        journal.add(record, self._clock(), 0, request)
        self._ledger.apply(number, record, request)
        return number

    def _spawn(self, work: Coroutine[Any, Any, None], what: str) -> None:
        task = self._runtime.spawn(work, f"{what} of {self.name}")
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _amend_answered(request: OrderRequestAmend, answer: Open | OrderError) -> AmendAnswered:
    if isinstance(answer, OrderError):
        return AmendAnswered(request.key, None, None, request.price, request.quantity, answer)
    return AmendAnswered(request.key, answer.id, answer.time_exchange_ns, request.price, request.quantity, None)
