"""Value types of the configuration: decimals without floats, network addresses, names."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from tradebus.core.model.number import NumberError, check_decimal, parse_decimal

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]\s/]+)):(?P<port>[0-9]{1,5})")
_PORT_MAX = 65_535


PATTERN_WORDS: Final[dict[str, str]] = {}
"""What each pattern used here means in words, for the texts of problems."""


def text_like(pattern: str, words: str, *, to_lower: bool = False) -> StringConstraints:
    """Return a constraint on text whose violation is reported in words instead of as a pattern."""
    PATTERN_WORDS[pattern] = words
    return StringConstraints(pattern=pattern, to_lower=to_lower)


def _decimal_input(value: object) -> Decimal:
    """Read a number as the core does; refuse what would reach it by way of a binary float."""
    try:
        match value:
            case Decimal():
                return check_decimal(value)
            case int() if not isinstance(value, bool):
                return check_decimal(Decimal(value))
            case str():
                return parse_decimal(value)
            case _:
                pass
    except NumberError:
        pass
    raise PydanticCustomError("decimal_input", 'a decimal number, as in "0.05"')


def _plain(value: Decimal) -> str:
    """Return decimal text without an exponent."""
    return format(value, "f")


DecimalNumber = Annotated[Decimal, BeforeValidator(_decimal_input), PlainSerializer(_plain, return_type=str)]
"""A finite decimal. TOML numbers are read as Decimal, text is taken as it stands; floats are refused."""

Amount = Annotated[DecimalNumber, Field(ge=0)]
"""A decimal of at least zero."""

PositiveAmount = Annotated[DecimalNumber, Field(gt=0)]
"""A decimal above zero."""

Percent = Annotated[DecimalNumber, Field(ge=0, lt=100)]
"""Per cent: 0.05 means 0.05 %, that is a fraction of 0.0005."""

AssetName = Annotated[str, text_like(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", "an asset's name, as in btc", to_lower=True)]
"""Internal name of an asset, lower case (`btc`)."""

EngineId = Annotated[
    str, text_like(r"^[a-z][a-z0-9]{0,11}$", "1 to 12 lower-case letters and digits, beginning with a letter")
]
"""Engine id: a subject token, a stream name's part and the head of every client order id."""

StrategyName = Annotated[
    str, text_like(r"^[a-z][a-z0-9_]{0,31}$", "1 to 32 lower-case letters, digits and _, beginning with a letter")
]
"""Name of one running strategy; orders and positions are attributed to it."""

AccountName = Annotated[
    str, text_like(r"^[a-z][a-z0-9_-]{0,47}$", "1 to 48 lower-case letters, digits, _ and -, beginning with a letter")
]
"""Name of a venue account, a subject token (`binance_spot-paper`)."""

ClassPath = Annotated[str, text_like(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", "a class as package.module:Class")]
"""A class as `package.module:Class`."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port to listen on; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `host:port` (IPv6 in brackets). Raises ValueError naming what was expected."""
        match = _ADDRESS.fullmatch(text.strip())
        if match is None or int(match["port"]) > _PORT_MAX:
            raise ValueError(f"host:port, as in 127.0.0.1:8000, not {text!r}")
        return cls(match["v6"] or match["host"], int(match["port"]))

    def __str__(self) -> str:
        """Return the address as it is written in a configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")

    @property
    def url(self) -> str:
        """The address as an HTTP URL that this machine can open."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://{Address(host, self.port)}"


def _address_input(value: object) -> object:
    if isinstance(value, Address):
        return value
    try:
        return Address.parse(value) if isinstance(value, str) else Address.parse(repr(value))
    except ValueError:
        raise PydanticCustomError("address_input", "host:port, as in 127.0.0.1:8000") from None


ListenAddress = Annotated[
    Address,
    BeforeValidator(_address_input),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^.+:[0-9]{1,5}$", "examples": ["127.0.0.1:8000"]}),
]
"""Where a server listens, as `host:port`."""

_PARAMETER_EXPECTED = "text, a whole number, a decimal, true, false, or a list or table of these"


def _parameter(value: Any) -> Any:  # noqa: ANN401 - user data; what may be in it is checked right here
    """Return the parameter when it holds only what engine state may hold."""
    match value:
        case bool() | int() | str() | None:
            return value
        case Decimal() if value.is_finite():
            return value
        case list() | tuple():
            return [_parameter(item) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _parameter(item) for key, item in value.items()}
        case _:
            raise PydanticCustomError("parameter_input", _PARAMETER_EXPECTED)


def _parameter_out(value: Any) -> Any:  # noqa: ANN401 - see _parameter
    """Return the parameter as plain data: decimals as text."""
    match value:
        case Decimal():
            return _plain(value)
        case list():
            return [_parameter_out(item) for item in value]
        case dict():
            return {key: _parameter_out(item) for key, item in value.items()}
        case _:
            return value


Parameters = Annotated[
    dict[str, Any],
    AfterValidator(_parameter),
    PlainSerializer(_parameter_out, when_used="json"),
    WithJsonSchema({"type": "object", "additionalProperties": True}),
]
"""Parameters of user code, by name. Parameters are engine state, so they hold what state may hold."""
