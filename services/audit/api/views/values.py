"""Say how single values look in JSON: decimals, times, enums, and names instead of indices.

Each type reads the core's value, and also the text it makes of it, so that an answer can be read back with the same
model. Names need the numbering, which comes in as the validation context (``names_in``).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final, TypeAlias, final

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from services.audit.projections import OrderStatus, StepKind
from services.audit.verification import Agreement
from tradebus.core.engine.audit.tick import Origin
from tradebus.core.engine.error import EngineErrorKind
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.account import Liquidity
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import InstrumentKind, OptionExercise, OptionKind, QuantityUnit, QuoteKind
from tradebus.core.model.number import decimal_text
from tradebus.core.model.order import OrderErrorKind, OrderKind, RequestKind, TimeInForce
from tradebus.core.model.side import Side

_NS_PER_S: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CONTEXT: Final = "names"
_JSON_INTEGER_MAX: Final = 2**53
"""Many readers of JSON take every number for a double; beyond this they lose digits."""


@final
class Names:
    """The names behind the indices of one numbering."""

    def __init__(self, index: IndexedInstruments) -> None:
        self.index: Final = index
        self.exchanges: Final = [exchange.value for exchange in index.exchanges]
        self.assets: Final = [item.asset.name_internal for item in index.assets]
        self.instruments: Final = [instrument.name for instrument in index.instruments]
        self.fingerprint: Final = index.fingerprint()
        self._made: Final[dict[int, tuple[object, object]]] = {}

    def once(self, value: object, make: Callable[[], object]) -> object:
        """Return the view of a part of the numbering, which never changes, made at its first use.

        The part is kept with its view, so that its identity stays its own.
        """
        made = self._made.get(id(value))
        if made is None:
            made = (value, make())
            self._made[id(value)] = made
        return made[1]


def names_in(names: Names) -> dict[str, Names]:
    """Return the validation context that views need to turn indices into names."""
    return {_CONTEXT: names}


def names_of(info: ValidationInfo) -> Names:
    """Return the names in a validation context."""
    context: Mapping[str, Any] | None = info.context
    names = None if context is None else context.get(_CONTEXT)
    if not isinstance(names, Names):
        raise TypeError("views of indexed objects need their names: model_validate(..., context=names_in(names))")
    return names


def time_text(time_ns: int) -> str:
    """Return a time, nanoseconds since the epoch, as RFC 3339 in UTC with nine decimals."""
    seconds, ns = divmod(time_ns, _NS_PER_S)
    return f"{_second_text(seconds)}.{ns:09d}Z"


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    """Return the whole part of a time; the times of one answer share few of them."""
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}"


def enum_text(value: Enum) -> str:
    """Return an enum value as the protobuf schema spells it, without its prefix, in lower case."""
    return value.name.lower()


def decimal_or_none(value: Decimal | None) -> str | None:
    """Return a number as text, none as none."""
    return None if value is None else decimal_text(value)


def _decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    return _decimal(value()) if callable(value) else value  # what the core derives on read is a method


def _time(value: object) -> object:
    return time_text(value) if isinstance(value, int) else value


def _time_or_never(value: object) -> object:
    return None if value == 0 else _time(value)


def _text_or_none(value: object) -> object:
    return value or None


def _exchange(value: object, info: ValidationInfo) -> object:
    return names_of(info).exchanges[value] if isinstance(value, int) else value


def _asset(value: object, info: ValidationInfo) -> object:
    return names_of(info).assets[value] if isinstance(value, int) else value


def _instrument(value: object, info: ValidationInfo) -> object:
    return names_of(info).instruments[value] if isinstance(value, int) else value


def decimals_by_asset(pairs: object, info: ValidationInfo) -> object:
    """Turn pairs of asset index and number into a map by asset name."""
    if not isinstance(pairs, tuple):
        return pairs
    assets = names_of(info).assets
    return {assets[asset]: number for asset, number in pairs}


def underlyings_by_name(pairs: object, info: ValidationInfo) -> object:
    """Turn pairs of asset indices into names, with the exchange that the assets are on."""
    if not isinstance(pairs, tuple):
        return pairs
    items = names_of(info).index.assets
    return [
        {
            "exchange": items[base].exchange.value,
            "base": items[base].asset.name_internal,
            "quote": items[quote].asset.name_internal,
        }
        for base, quote in pairs
    ]


def _plain(value: object) -> object:
    """Turn a plain value of user data into JSON: decimals and huge integers as text, bytes as hex, tuples as lists."""
    if isinstance(value, int) and not -_JSON_INTEGER_MAX <= value <= _JSON_INTEGER_MAX:
        return str(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _enum_value(value: object) -> object:
    return enum_text(value) if isinstance(value, Enum) else value


@final
class _EnumText:
    """Reads an enum's value as its text; the schema lists the texts."""

    def __init__(self, kind: type[Enum]) -> None:
        self._texts: Final = [enum_text(value) for value in kind]

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_enum_value, core_schema.literal_schema(self._texts))

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "enum": self._texts}


_DECIMAL_SCHEMA: Final = {"type": "string", "format": "decimal", "examples": ["60012.5"]}
_TIME_SCHEMA: Final = {"type": "string", "format": "date-time", "examples": ["2026-11-22T06:10:00.123456789Z"]}
_PLAIN_SCHEMA: Final = {"description": "none, bool, number, text, or lists and maps of these; decimals are text"}


def _or_null(schema: Mapping[str, object]) -> dict[str, object]:
    return {"anyOf": [dict(schema), {"type": "null"}]}


DecimalText: TypeAlias = Annotated[str, BeforeValidator(_decimal), WithJsonSchema(_DECIMAL_SCHEMA)]
"""An exact number as text, without exponent or trailing zeros."""

DecimalOrNone: TypeAlias = Annotated[str | None, BeforeValidator(_decimal), WithJsonSchema(_or_null(_DECIMAL_SCHEMA))]

Time: TypeAlias = Annotated[str, BeforeValidator(_time), WithJsonSchema(_TIME_SCHEMA)]
"""RFC 3339, UTC, with nanoseconds."""

TimeOrNone: TypeAlias = Annotated[str | None, BeforeValidator(_time), WithJsonSchema(_or_null(_TIME_SCHEMA))]

TimeOrNever: TypeAlias = Annotated[str | None, BeforeValidator(_time_or_never), WithJsonSchema(_or_null(_TIME_SCHEMA))]
"""As ``Time``; the core's 0 for "never" is null."""

TextOrNone: TypeAlias = Annotated[str | None, BeforeValidator(_text_or_none)]
"""Text; the core's empty one for "none" is null."""

ExchangeName: TypeAlias = Annotated[str, BeforeValidator(_exchange)]
AssetName: TypeAlias = Annotated[str, BeforeValidator(_asset)]
AssetNameOrNone: TypeAlias = Annotated[str | None, BeforeValidator(_asset)]
InstrumentName: TypeAlias = Annotated[str, BeforeValidator(_instrument)]

Plain: TypeAlias = Annotated[Any, BeforeValidator(_plain), WithJsonSchema(_PLAIN_SCHEMA)]

ExchangeIdName: TypeAlias = Annotated[str, BeforeValidator(_enum_value)]
"""An exchange by its id; not listed in the schema, there are more than forty."""

SideName: TypeAlias = Annotated[str, _EnumText(Side)]
OriginName: TypeAlias = Annotated[str, _EnumText(Origin)]
EngineErrorKindName: TypeAlias = Annotated[str, _EnumText(EngineErrorKind)]
OrderStatusName: TypeAlias = Annotated[str, _EnumText(OrderStatus)]
StepKindName: TypeAlias = Annotated[str, _EnumText(StepKind)]
AgreementName: TypeAlias = Annotated[str, _EnumText(Agreement)]
TradingStateName: TypeAlias = Annotated[str, _EnumText(TradingState)]
HealthName: TypeAlias = Annotated[str, _EnumText(Health)]
AccountLinkName: TypeAlias = Annotated[str, _EnumText(AccountLink)]
OrderKindName: TypeAlias = Annotated[str, _EnumText(OrderKind)]
TimeInForceName: TypeAlias = Annotated[str, _EnumText(TimeInForce)]
OrderErrorKindName: TypeAlias = Annotated[str, _EnumText(OrderErrorKind)]
RequestKindName: TypeAlias = Annotated[str, _EnumText(RequestKind)]
LiquidityName: TypeAlias = Annotated[str, _EnumText(Liquidity)]
InstrumentKindName: TypeAlias = Annotated[str, _EnumText(InstrumentKind)]
QuoteKindName: TypeAlias = Annotated[str, _EnumText(QuoteKind)]
OptionKindName: TypeAlias = Annotated[str, _EnumText(OptionKind)]
OptionExerciseName: TypeAlias = Annotated[str, _EnumText(OptionExercise)]
QuantityUnitName: TypeAlias = Annotated[str, _EnumText(QuantityUnit)]
