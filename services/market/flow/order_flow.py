"""Generate the whole flow of one simulated exchange, in virtual time.

Orders arrive as a self-exciting (Hawkes) process, written as its family tree: spontaneous orders arrive like rain, and
every order triggers a few more shortly after. So trades come in bursts, and the mean rate is still known exactly.
The same index, exchange, seed, parameters and start give the same events, however the time is sliced.
"""

import heapq
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from random import Random
from typing import Final

from services.market.flow.instrument_flow import InstrumentFlow
from services.market.flow.params import FlowParams
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.side import Side

_NS: Final = 1_000_000_000
_CHILDREN_MAX: Final = 32


class _Cause(IntEnum):
    OPENING = 0
    QUOTE = 1
    SPONTANEOUS = 2
    TRIGGERED = 3


_Due = tuple[int, int, _Cause, int, Side | None]


class OrderFlow:
    """The trades and quotes of one exchange's instruments, in order of time.

    Every event's ``sequence`` counts its instrument's events from 1. Raises ExchangeIndexError for an exchange that
    has no instruments in the index.
    """

    def __init__(
        self,
        index: IndexedInstruments,
        exchange: ExchangeId,
        seed: int,
        params: FlowParams | None = None,
        *,
        start_ns: int,
    ) -> None:
        self._params: Final = params or FlowParams()
        instruments = index.instruments_of(index.find_exchange_index(exchange))
        rate = self._params.events_per_s / len(instruments)
        self._rng: Final = Random(f"{seed}/{exchange.value}/times")  # noqa: S311 - a seeded simulation
        self._flows: Final = [
            InstrumentFlow(instrument, seed, self._params, rate, start_ns) for instrument in instruments
        ]
        self._children: Final = _poisson_cdf(self._params.branching)
        self._due: list[_Due] = []
        self._scheduled = 0
        self._begin(start_ns)

    @property
    def next_ns(self) -> int:
        """When the next event is due."""
        return self._due[0][0]

    def next(self, until_ns: int, received_ns: int | None = None) -> list[MarketEvent]:
        """Return the events up to and including ``until_ns``, oldest first.

        ``received_ns`` becomes their receive time; without it they are received the moment they happen.
        """
        out: list[MarketEvent] = []
        due = self._due
        while due[0][0] <= until_ns:
            self._step(out, received_ns)
        return out

    def take(self, count: int) -> list[MarketEvent]:
        """Return the next events whatever their time, at least ``count`` (a trade and its quote stay together)."""
        out: list[MarketEvent] = []
        while len(out) < count:
            self._step(out, None)
        return out

    def resume_at(self, time_ns: int) -> None:
        """Go on at ``time_ns`` with fresh quotes and forget what was due, as after the machine slept."""
        self._begin(time_ns)

    def _begin(self, time_ns: int) -> None:
        self._due.clear()
        for position, flow in enumerate(self._flows):
            self._schedule(time_ns, _Cause.OPENING, position)
            self._schedule(self._after(time_ns, flow.quote_rate, flow), _Cause.QUOTE, position)
            self._schedule(self._after(time_ns, flow.base_rate, flow), _Cause.SPONTANEOUS, position)

    def _step(self, out: list[MarketEvent], received_ns: int | None) -> None:
        time_ns, _, cause, position, trigger = heapq.heappop(self._due)
        received = time_ns if received_ns is None else received_ns
        flow = self._flows[position]
        if cause is _Cause.QUOTE:
            out.append(flow.quote(time_ns, received))
            self._schedule(self._after(time_ns, flow.quote_rate, flow), cause, position)
        elif cause is _Cause.OPENING:
            out.append(flow.opening(time_ns, received))
        else:
            side = flow.order(trigger, time_ns, received, out)
            for _ in range(self._draw_children()):
                delay_ns = int(self._rng.expovariate(1.0) * self._params.response_ns)
                self._schedule(time_ns + 1 + delay_ns, _Cause.TRIGGERED, position, side)
            if cause is _Cause.SPONTANEOUS:
                self._schedule(self._after(time_ns, flow.base_rate, flow), cause, position)

    def _after(self, time_ns: int, rate: float, flow: InstrumentFlow) -> int:
        return time_ns + 1 + int(self._rng.expovariate(rate * flow.activity(time_ns)) * _NS)

    def _draw_children(self) -> int:
        draw = self._rng.random()
        count = 0
        while draw > self._children[count]:
            count += 1
        return count

    def _schedule(self, time_ns: int, cause: _Cause, position: int, trigger: Side | None = None) -> None:
        self._scheduled += 1  # orders what is due at the same time, and keeps the heap from comparing further
        heapq.heappush(self._due, (time_ns, self._scheduled, cause, position, trigger))


def _poisson_cdf(mean: float) -> Sequence[float]:
    """Return the probabilities of at most 0, 1, 2, ... events; the last is one."""
    terms = [2.718281828459045**-mean]
    for count in range(1, _CHILDREN_MAX):
        terms.append(terms[-1] * mean / count)
    return [*accumulate(terms[:-1]), 1.0]
