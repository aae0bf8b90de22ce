"""The client that awaits; the same methods as the one that blocks."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar, final

import httpx2

from tradebus.client import commands, models, reads
from tradebus.client.call import Call, T, query_of, read_json
from tradebus.client.errors import CommandLost, CommandRejected, CommandTimeout, ServiceUnavailable, Unreachable
from tradebus.client.sse import EventReader, StreamEvent
from tradebus.client.transport import (
    COMMAND_TRIES,
    DEFAULT_TIMEOUT_S,
    DEFAULT_URL,
    STREAM_HEADERS,
    STREAM_SILENCE_S,
    headers_of,
    unreachable,
)

Row = TypeVar("Row")
Progress = models.CommandProgressView
Interval = Literal["daily", "annual252", "annual365"]


@final
class AsyncClient:
    """Asks the API at ``url``. ``key`` is an API key; without one only what needs none can be asked.

    ``timeout_s`` is for one request, beside what it waits. In live mode commands need ``confirm_live``. ``transport``
    replaces the network, for tests. Every method raises ClientError.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        confirm_live: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url: Final = url
        self._confirm_live: Final = confirm_live
        self._timeout_s: Final = timeout_s
        self._http: Final = httpx2.AsyncClient(
            base_url=url, headers=headers_of(key), timeout=timeout_s, transport=transport, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # ------------------------------------------------------------------------------ reads

    async def state(self, *, at: int | None = None, at_time: str | None = None) -> models.EnvelopeEngineStateView:
        """Return the whole state, now or at a sequence or time of the past."""
        return await self._ask(reads.state(at, at_time))

    async def state_diff(self, first: int, last: int) -> models.EnvelopeStateDiffView:
        """Return in what the states at two sequences differ."""
        return await self._ask(reads.state_diff(first, last))

    async def trading(self, *, at: int | None = None, at_time: str | None = None) -> models.EnvelopeTradingView:
        """Return whether trading is on, since when and by whom."""
        return await self._ask(reads.trading(at, at_time))

    async def connectivity(
        self, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeConnectivityView:
        """Return how feeds and accounts are."""
        return await self._ask(reads.connectivity(at, at_time))

    async def assets(self, *, at: int | None = None, at_time: str | None = None) -> models.EnvelopeListAssetStateView:
        """Return all balances."""
        return await self._ask(reads.assets(at, at_time))

    async def asset(
        self, exchange: str, name: str, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeAssetStateView:
        """Return one balance."""
        return await self._ask(reads.asset(exchange, name, at, at_time))

    async def instruments(
        self, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeListInstrumentStateView:
        """Return market data, orders and position of every instrument."""
        return await self._ask(reads.instruments(at, at_time))

    async def instrument(
        self, name: str, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeInstrumentStateView:
        """Return market data, orders and position of one instrument."""
        return await self._ask(reads.instrument(name, at, at_time))

    async def positions(
        self, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeListOpenPositionView:
        """Return the open positions."""
        return await self._ask(reads.positions(at, at_time))

    async def order(
        self, cid: str, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeOrderLifeView:
        """Return an order with everything that happened to it."""
        return await self._ask(reads.order(cid, at, at_time))

    async def why(self, cid: str) -> models.EnvelopeWhyView:
        """Return why an order was sent: event, decision, risk, request, answer, fills, each with its sequence."""
        return await self._ask(reads.why(cid))

    async def order_events(self, cid: str) -> models.EnvelopeListOrderEventView:
        """Return the steps of an order's life."""
        return await self._ask(reads.order_events(cid))

    async def statistics(
        self, interval: Interval | None = None, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeStatisticsView:
        """Return the tear sheets of portfolios, instruments, assets and strategies."""
        return await self._ask(reads.statistics(interval, at, at_time))

    async def instrument_statistics(
        self, instrument: str, interval: Interval | None = None, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeInstrumentStatisticsView:
        """Return the tear sheet of one instrument."""
        return await self._ask(reads.instrument_statistics(instrument, interval, at, at_time))

    async def asset_statistics(
        self, asset: str, interval: Interval | None = None, *, at: int | None = None, at_time: str | None = None
    ) -> models.EnvelopeAssetStatisticsView:
        """Return the tear sheets of one asset."""
        return await self._ask(reads.asset_statistics(asset, interval, at, at_time))

    async def equity(self, *, at: int | None = None, at_time: str | None = None) -> models.EnvelopeListEquityView:
        """Return the equity curve of each currency."""
        return await self._ask(reads.equity(at, at_time))

    async def audit_bounds(self) -> models.EnvelopeJournalBoundsView:
        """Return how far the journal reaches, back and forth."""
        return await self._ask(reads.audit_bounds())

    async def audit_gaps(self) -> models.EnvelopeListJournalGapView:
        """Return what of the journal is missing."""
        return await self._ask(reads.audit_gaps())

    async def audit_tick(self, sequence: int) -> models.EnvelopeAuditTickView:
        """Return one step of the engine."""
        return await self._ask(reads.audit_tick(sequence))

    async def version(self) -> models.VersionView:
        """Return what runs."""
        return await self._ask(reads.version())

    async def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at any path of the API: ``get("/v1/trades", limit=1)``."""
        return await self.get_with(path, query_of(**query))

    async def get_with(self, path: str, query: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at any path, with query parameters of any name."""
        response = await self._send("GET", path, query)
        return read_json(response.status_code, response.headers, response.content)

    # ------------------------------------------------------------------------------ pages

    def orders(
        self,
        *,
        status: str | None = None,
        exchange: str | None = None,
        instrument: str | None = None,
        strategy: str | None = None,
        order: Literal["newest", "oldest"] = "newest",
        at: int | None = None,
        at_time: str | None = None,
    ) -> AsyncIterator[models.OrderSummaryView]:
        """Yield orders, page after page."""
        query = query_of(
            status=status,
            exchange=exchange,
            instrument=instrument,
            strategy=strategy,
            order=order,
            at=at,
            at_time=at_time,
        )
        return self._rows(lambda cursor: self._ask(reads.orders(**query, cursor=cursor)))

    def trades(
        self,
        *,
        exchange: str | None = None,
        instrument: str | None = None,
        strategy: str | None = None,
        order: Literal["newest", "oldest"] = "newest",
        at: int | None = None,
        at_time: str | None = None,
    ) -> AsyncIterator[models.FillView]:
        """Yield our fills, page after page."""
        query = query_of(
            exchange=exchange, instrument=instrument, strategy=strategy, order=order, at=at, at_time=at_time
        )
        return self._rows(lambda cursor: self._ask(reads.trades(**query, cursor=cursor)))

    def exited_positions(
        self,
        *,
        instrument: str | None = None,
        order: Literal["newest", "oldest"] = "newest",
        at: int | None = None,
        at_time: str | None = None,
    ) -> AsyncIterator[models.ExitView]:
        """Yield the closed positions, page after page."""
        query = query_of(instrument=instrument, order=order, at=at, at_time=at_time)
        return self._rows(lambda cursor: self._ask(reads.exited_positions(**query, cursor=cursor)))

    async def audit(self, first: int = 0, last: int | None = None) -> AsyncIterator[models.AuditTickView]:
        """Yield the ticks of the journal from ``first`` to ``last``, or to where it ends now."""
        following: int | None = first
        while following is not None:
            page = await self._ask(reads.audit(following, last, None))
            for row in page.data:
                yield row
            following = page.page.next

    async def _rows(self, ask: Callable[[int | None], Awaitable[Any]]) -> AsyncIterator[Any]:
        cursor: int | None = None
        while True:
            page = await ask(cursor)
            for row in page.data:
                yield row
            cursor = page.page.next
            if cursor is None:
                return

    # ------------------------------------------------------------------------------ stream

    async def stream(
        self,
        topics: Sequence[str] = (),
        *,
        instruments: Sequence[str] = (),
        max_rate: float | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Yield what changes, as it changes, beginning with a snapshot; resumes by itself where it was cut.

        ``after`` is the id of an event: goes on right behind it. An event named ``reset`` says that something had to be
        left out; a snapshot follows. Raises ProblemError where the API refuses.
        """
        reader = EventReader(after)
        query = query_of(topics=topics or None, instruments=instruments or None, max_rate=max_rate)
        timeout = httpx2.Timeout(self._timeout_s, read=STREAM_SILENCE_S)
        while True:
            reader.begin()
            headers = STREAM_HEADERS | ({} if reader.last_id is None else {"Last-Event-ID": reader.last_id})
            try:
                async with self._http.stream(
                    "GET", "/v1/stream", params=query, headers=headers, timeout=timeout
                ) as response:
                    if not response.is_success:
                        read_json(response.status_code, response.headers, await response.aread())
                    async for line in response.aiter_lines():
                        for event in reader.read(line):
                            yield event
            except httpx2.TransportError:
                pass  # cut; where it was is known
            except ServiceUnavailable as error:
                await asyncio.sleep(error.retry_after_s or reader.retry_s)
                continue
            await asyncio.sleep(reader.retry_s)

    # ------------------------------------------------------------------------------ commands

    async def set_trading_state(
        self,
        state: Literal["enabled", "disabled"],
        *,
        key: str | None = None,
        wait_s: float = 0,
        expires_s: float | None = None,
        dry_run: bool = False,
    ) -> Progress:
        """Switch algorithmic trading on or off; see ``command`` for the rest."""
        return await self.command(
            "trading-state", {"state": state}, key=key, wait_s=wait_s, expires_s=expires_s, dry_run=dry_run
        )

    async def open_orders(
        self,
        orders: Sequence[Mapping[str, Any]],
        *,
        override_risk: bool = False,
        key: str | None = None,
        wait_s: float = 0,
        expires_s: float | None = None,
        dry_run: bool = False,
    ) -> Progress:
        """Open orders made with ``commands.order``; see ``command`` for the rest."""
        body = {"orders": [dict(each) for each in orders], "override_risk": override_risk}
        return await self.command("open-orders", body, key=key, wait_s=wait_s, expires_s=expires_s, dry_run=dry_run)

    async def cancel_orders(
        self,
        selection: Mapping[str, Any] | None = None,
        *,
        cids: Sequence[str] = (),
        key: str | None = None,
        wait_s: float = 0,
        expires_s: float | None = None,
        dry_run: bool = False,
    ) -> Progress:
        """Cancel the orders with these ids, or those that ``commands.selection`` selects; see ``command``."""
        body = {"cids": list(cids)} if cids else {"filter": dict(selection or commands.selection())}
        return await self.command("cancel-orders", body, key=key, wait_s=wait_s, expires_s=expires_s, dry_run=dry_run)

    async def close_positions(
        self,
        selection: Mapping[str, Any] | None = None,
        *,
        override_risk: bool = False,
        key: str | None = None,
        wait_s: float = 0,
        expires_s: float | None = None,
        dry_run: bool = False,
    ) -> Progress:
        """Close the positions that ``commands.selection`` selects; see ``command`` for the rest."""
        body = {"filter": dict(selection or commands.selection()), "override_risk": override_risk}
        return await self.command("close-positions", body, key=key, wait_s=wait_s, expires_s=expires_s, dry_run=dry_run)

    async def shutdown(
        self,
        *,
        disable_trading: bool = True,
        cancel_orders: bool = True,
        close_positions: bool = False,
        key: str | None = None,
        wait_s: float = 0,
        expires_s: float | None = None,
        dry_run: bool = False,
    ) -> Progress:
        """Stop the engine in order; see ``command`` for the rest."""
        body = {
            "disable_trading": disable_trading,
            "cancel_orders": cancel_orders,
            "close_positions": close_positions,
        }
        return await self.command("shutdown", body, key=key, wait_s=wait_s, expires_s=expires_s, dry_run=dry_run)

    async def command(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
        wait_s: float = 0,
        expires_s: float | None = None,
        dry_run: bool = False,
    ) -> Progress:
        """Send a command and return where it stands.

        ``key`` is its idempotency key, by default a new one: under the same key it is applied once, so this repeats it
        when the connection is lost. With ``wait_s`` it returns once the engine has applied it; raises CommandRejected
        where it was not carried out, CommandTimeout where nothing has become of it within that time. ``expires_s``:
        after so long the engine carries it out no more. ``dry_run`` only checks it.
        """
        ends_s = time.monotonic() + wait_s
        used = key or commands.new_key()
        while True:
            left_s = max(0.0, ends_s - time.monotonic())
            call = commands.call(
                path,
                body,
                used,
                wait_s=left_s,
                expires_s=expires_s,
                dry_run=dry_run,
                confirm_live=self._confirm_live,
            )
            progress = (await self._ask(call, tries=COMMAND_TRIES, wait_s=left_s)).data
            if wait_s > 0 and progress.status == "rejected":
                raise CommandRejected(progress)
            if wait_s > 0 and progress.status == "lost":
                raise CommandLost(progress)
            if wait_s <= 0 or progress.status != "accepted":
                return progress
            if time.monotonic() >= ends_s:
                raise CommandTimeout(progress, wait_s)

    async def command_progress(self, command_id: str) -> Progress:
        """Return what became of a command."""
        return (await self._ask(reads.command(command_id))).data

    # ------------------------------------------------------------------------------ requests

    async def _ask(self, call: Call[T], *, tries: int = 1, wait_s: float = 0) -> T:
        response = await self._send(
            call.method, call.path, call.query, call.body, call.headers, tries=tries, wait_s=wait_s
        )
        return call.read(response.status_code, response.headers, response.content)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        tries: int = 1,
        wait_s: float = 0,
    ) -> httpx2.Response:
        timeout = self._timeout_s + wait_s
        for left in range(tries - 1, -1, -1):
            try:
                return await self._http.request(method, path, params=query, json=body, headers=headers, timeout=timeout)
            except httpx2.TransportError as error:
                if not left:
                    raise unreachable(self.url, error) from error
        raise Unreachable(f"{self.url}: no try was made")
