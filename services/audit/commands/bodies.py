"""Read what a command asks for: strictly, by names, and with everything that is wrong told at once.

The same models read the bodies of REST and the messages of gRPC. While one is validated, `known` has the replica's
names at hand.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from services.audit.commands.known import known_now, name_schema
from tradebus.core.model.number import NumberError, parse_decimal

ORDERS_MAX: Final = 100
"""In one command: more would make a tick that no batch can hold."""

NAMES_MAX: Final = 1_000
EXPIRES_S_DEFAULT: Final = 60
EXPIRES_S_MAX: Final = 3_000
"""Less than the hour for which an engine knows the ids of commands, so that none is applied twice."""

NS: Final = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}
EXPIRY_PATTERN: Final = (
    r"^(([1-9][0-9]{0,5}|[12][0-9]{6}|3000000)ms|([1-9][0-9]{0,2}|[12][0-9]{3}|3000)s|([1-9]|[1-4][0-9]|50)m)$"
)
"""1 ms to the longest; for those who read the API's document."""

AMOUNT_PATTERN: Final = r"^(?=[0-9.]*[1-9])[0-9]{1,14}(\.[0-9]{1,12})?$"
"""How amounts are written; an exponent is read too."""

_DURATION: Final = re.compile(r"([0-9]{1,7})(ms|s|m)")
_STRATEGY: Final = r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$"
_CID: Final = r"^[A-Za-z0-9_-]{1,64}$"


def duration_ns(text: str) -> int:
    """Return nanoseconds of a duration like `500ms`, `2s`, `1m`; raises ValueError."""
    matched = _DURATION.fullmatch(text)
    if matched is None:
        raise ValueError("a whole number with a unit: `500ms`, `2s`, `1m`")
    return int(matched[1]) * NS[matched[2]]


def _custom(expected: str) -> PydanticCustomError:
    return PydanticCustomError("expected", "{expected}", {"expected": expected})


def _expiry(text: object) -> object:
    try:
        ns = duration_ns(text) if isinstance(text, str) else 0
    except ValueError as error:
        raise _custom(str(error)) from None
    if not 0 < ns <= EXPIRES_S_MAX * NS["s"]:
        raise _custom(f"a duration above 0 of at most {EXPIRES_S_MAX}s: `60s`")
    return text


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise _custom("a decimal number as text")
    try:
        number = parse_decimal(value)
    except NumberError as error:
        raise _custom(f"a decimal number as text ({error})") from None
    if number <= 0:
        raise _custom("a decimal number above 0")
    return number


def _exchange(name: str) -> str:
    known_now().exchange(name)
    return name.lower()


def _instrument(name: str) -> str:
    known_now().instrument(name)
    return name.lower()


def _cid(cid: str) -> str:
    known_now().order(cid)
    return cid


Expiry: TypeAlias = Annotated[
    str,
    BeforeValidator(_expiry),
    Field(description="How long it may wait for the engine, at most 3000s; an engine that is down longer rejects it."),
    WithJsonSchema({"type": "string", "pattern": EXPIRY_PATTERN, "examples": ["60s"]}),
]
Amount: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_number),
    WithJsonSchema({"type": "string", "format": "decimal", "pattern": AMOUNT_PATTERN, "examples": ["60012.5"]}),
]
Exchange: TypeAlias = Annotated[str, AfterValidator(_exchange), WithJsonSchema(name_schema("exchange"))]
Instrument: TypeAlias = Annotated[str, AfterValidator(_instrument), WithJsonSchema(name_schema("instrument"))]
AssetName: TypeAlias = Annotated[str, WithJsonSchema(name_schema("asset"))]
Cid: TypeAlias = Annotated[str, AfterValidator(_cid), WithJsonSchema(name_schema("active-order"))]


class Body(BaseModel):
    """Base of all."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    KIND: ClassVar[str]

    expires_in: Expiry = f"{EXPIRES_S_DEFAULT}s"

    @property
    def expires_ns(self) -> int:
        """Return how long the command may wait, nanoseconds."""
        return duration_ns(self.expires_in)


class TradingStateBody(Body):
    """Switch algorithmic trading on or off."""

    KIND: ClassVar[str] = "trading_state"

    state: Literal["enabled", "disabled"]


class OrderBody(BaseModel):
    """An order to open."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_extra={
            "anyOf": [
                {"required": ["kind"], "properties": {"kind": {"const": "market"}}},
                {"required": ["price"], "properties": {"price": {"type": "string"}}},
            ]
        },
    )

    instrument: Instrument
    side: Literal["buy", "sell"]
    quantity: Amount
    """In the instrument's unit."""
    kind: Literal["market", "limit"] = "limit"
    price: Amount | None = None
    """In quote; a market order without one carries the last price that the replica knows."""
    time_in_force: Literal[
        "good_until_cancelled",
        "good_until_cancelled_post_only",
        "good_until_end_of_day",
        "fill_or_kill",
        "immediate_or_cancel",
    ] = "good_until_cancelled"
    strategy: Annotated[str, Field(pattern=_STRATEGY)] = "unknown"
    """Whose order it is to be."""
    cid: Annotated[str, Field(pattern=_CID)] | None = None
    """Its client order id; without one the engine derives it."""

    @model_validator(mode="after")
    def _has_a_price(self) -> Self:
        if self.price is not None:
            return self
        if self.kind == "limit":
            raise _custom("a price, as the order is a limit order")
        known = known_now()
        if known.state.instruments[known.instrument(self.instrument)].price() is None:
            raise _custom("a price, as the replica knows none of this instrument yet")
        return self


class OpenOrdersBody(Body):
    """Open orders, as far as the risk manager approves."""

    KIND: ClassVar[str] = "open_orders"

    orders: Annotated[list[OrderBody], Field(min_length=1, max_length=ORDERS_MAX)]
    """In the order they are to be sent."""
    override_risk: bool = False
    """They leave even if the risk manager refuses them."""


class AllBody(BaseModel):
    """Everything."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["all_instruments"]


class ByExchangesBody(BaseModel):
    """The instruments of some exchanges."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["by_exchanges"]
    exchanges: Annotated[list[Exchange], Field(min_length=1, max_length=NAMES_MAX)]


class ByInstrumentsBody(BaseModel):
    """Some instruments."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["by_instruments"]
    instruments: Annotated[list[Instrument], Field(min_length=1, max_length=NAMES_MAX)]


class UnderlyingBody(BaseModel):
    """A pair of assets on one exchange."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    exchange: Exchange
    base: AssetName
    quote: AssetName

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        known = known_now()
        known.asset(self.exchange, self.base)
        known.asset(self.exchange, self.quote)
        return self


class ByUnderlyingsBody(BaseModel):
    """The instruments on some pairs of assets."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    type: Literal["by_underlyings"]
    underlyings: Annotated[list[UnderlyingBody], Field(min_length=1, max_length=NAMES_MAX)]


FilterBody: TypeAlias = Annotated[
    AllBody | ByExchangesBody | ByInstrumentsBody | ByUnderlyingsBody, Field(discriminator="type")
]


class CancelOrdersBody(Body):
    """Cancel orders: those named, or all of some instruments."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["cids"], "properties": {"cids": {"type": "array"}, "filter": {"type": "null"}}},
                {"required": ["filter"], "properties": {"filter": {"type": "object"}, "cids": {"type": "null"}}},
            ]
        }
    )

    KIND: ClassVar[str] = "cancel_orders"

    cids: Annotated[list[Cid], Field(min_length=1, max_length=NAMES_MAX)] | None = None
    """Our client order ids."""
    filter: FilterBody | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.cids is None) == (self.filter is None):
            raise _custom("either `cids` or `filter`")
        return self


class ClosePositionsBody(Body):
    """Close the positions of the selected instruments, the way the strategies say."""

    KIND: ClassVar[str] = "close_positions"

    filter: FilterBody
    override_risk: bool = False
    """The orders leave even if the risk manager refuses them."""


class ShutdownBody(Body):
    """Stop the engine, in order."""

    KIND: ClassVar[str] = "shutdown"

    disable_trading: bool = True
    """Switch algorithmic trading off first; it stays off when the engine is started again."""
    cancel_orders: bool = True
    """Then cancel every active order."""
    close_positions: bool = False
    """Then ask the strategies to close every position."""


BODIES: Final[Mapping[str, type[Body]]] = {
    body.KIND: body for body in (TradingStateBody, OpenOrdersBody, CancelOrdersBody, ClosePositionsBody, ShutdownBody)
}


def said(body: Body) -> dict[str, Any]:
    """Return what a body says, as JSON: what two commands under one key are compared by."""
    return body.model_dump(mode="json")
