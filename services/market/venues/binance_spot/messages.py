"""Type the frames of Binance spot: what its public streams send, and what it answers to us.

Numbers of money are text on the wire and stay text here; a JSON number in their place is refused. Times are integer
milliseconds since the epoch, UTC. Unknown members are ignored. Names are the venue's, except where one letter in two
cases would be confusing.

Source: Binance spot API documentation, "WebSocket Streams".
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

# The last millisecond whose nanoseconds fit 64 bits with a sign: the year 2262.
MILLISECONDS_MAX: Final = (2**63 - 1) // 1_000_000

Milliseconds = Annotated[int, Meta(ge=0, le=MILLISECONDS_MAX)]
TradeNumber = Annotated[int, Meta(ge=0)]


class Trade(Struct, gc=False, frozen=True, tag_field="e", tag="trade"):
    """``<symbol>@trade``: one trade. ``buyer_is_maker`` true means that a seller hit the bid."""

    symbol: str = msgspec.field(name="s")
    trade_id: TradeNumber = msgspec.field(name="t")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    time_ms: Milliseconds = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")


class BookTicker(Struct, gc=False, frozen=True):
    """``<symbol>@bookTicker``: best bid and ask with their quantities. Spot sends no time, other deployments do."""

    symbol: str = msgspec.field(name="s")
    bid: str = msgspec.field(name="b")
    bid_quantity: str = msgspec.field(name="B")
    ask: str = msgspec.field(name="a")
    ask_quantity: str = msgspec.field(name="A")
    time_ms: Milliseconds | None = msgspec.field(name="T", default=None)


class DepthUpdate(Struct, frozen=True, tag_field="e", tag="depthUpdate"):
    """``<symbol>@depth@100ms``: levels changed by updates ``first_update_id`` to ``last_update_id``; 0 removes one."""

    event_time_ms: Milliseconds = msgspec.field(name="E")
    symbol: str = msgspec.field(name="s")
    first_update_id: int = msgspec.field(name="U")
    last_update_id: int = msgspec.field(name="u")
    bids: list[tuple[str, str]] = msgspec.field(name="b")
    asks: list[tuple[str, str]] = msgspec.field(name="a")


class DepthSnapshot(Struct, frozen=True):
    """``GET /api/v3/depth``: the whole book up to the limit asked for, best first; recordings hold one as a line."""

    last_update_id: int = msgspec.field(name="lastUpdateId")
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class CombinedTrade(Struct, gc=False, frozen=True):
    """A trade in the envelope of combined streams."""

    data: Trade


class CombinedBookTicker(Struct, gc=False, frozen=True):
    """A book ticker in the envelope of combined streams."""

    data: BookTicker


class CombinedDepthUpdate(Struct, frozen=True):
    """A depth update in the envelope of combined streams."""

    data: DepthUpdate


class SubscribeMessage(Struct, frozen=True):
    """What we send to subscribe: stream names in lower case."""

    method: str
    params: list[str]
    id: int


class ErrorBody(Struct, frozen=True):
    """The venue's code and text for a request that it refuses."""

    code: int | None = None
    msg: str = ""


class Reply(Struct, frozen=True):
    """An answer to a request of ours.

    Success is ``{"result":null,"id":1}``; a refusal is ``{"error":{"code":2,"msg":".."},"id":1}``, the same without the
    ``error`` member on older deployments, or a result that is not null. Absent is not the same as null here: an error
    reply has no ``result``, and reading that as null is how a refusal is taken for a success.
    """

    result: Raw | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET
    code: int | UnsetType = UNSET
    msg: str | UnsetType = UNSET
    id: int | str | None = None


class Outline(Struct, frozen=True):
    """The members by which kinds of frames are told apart, undecoded."""

    stream: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    event: Raw | UnsetType = msgspec.field(name="e", default=UNSET)
    symbol: Raw | UnsetType = msgspec.field(name="s", default=UNSET)
    bid: Raw | UnsetType = msgspec.field(name="b", default=UNSET)
    ask: Raw | UnsetType = msgspec.field(name="a", default=UNSET)
    bid_quantity: Raw | UnsetType = msgspec.field(name="B", default=UNSET)
    ask_quantity: Raw | UnsetType = msgspec.field(name="A", default=UNSET)
    last_update_id: Raw | UnsetType = msgspec.field(name="lastUpdateId", default=UNSET)
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    code: Raw | UnsetType = UNSET
    message: Raw | UnsetType = msgspec.field(name="msg", default=UNSET)
    id: Raw | UnsetType = UNSET

    @property
    def is_envelope(self) -> bool:
        """Whether this is the envelope of combined streams."""
        return self.stream is not UNSET and self.data is not UNSET

    @property
    def is_reply(self) -> bool:
        """Whether this answers a request: no market data has these members without an event type."""
        if self.event is not UNSET:
            return False
        is_flat_error = self.code is not UNSET and self.message is not UNSET
        return self.error is not UNSET or is_flat_error or (self.result is not UNSET and self.id is not UNSET)

    @property
    def is_book_ticker(self) -> bool:
        """Whether this is a book ticker, which on spot has no event type."""
        sides = (self.symbol, self.bid, self.bid_quantity, self.ask, self.ask_quantity)
        return self.event is UNSET and all(member is not UNSET for member in sides)
