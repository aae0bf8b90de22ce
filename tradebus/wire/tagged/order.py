"""Orders in the reference's JSON: kinds, times in force, sides, and states."""

from typing import Final

from tradebus.core.model.order import OrderKind, TimeInForce
from tradebus.core.model.side import Side, parse_side
from tradebus.wire.codec.error import UnknownEnum
from tradebus.wire.tagged.parts import Json, boolean, member, text, variant

ORDER_KINDS: Final = {"Market": OrderKind.MARKET, "Limit": OrderKind.LIMIT}
_KIND_NAMES: Final = {kind: name for name, kind in ORDER_KINDS.items()}
_GOOD_UNTIL_CANCELLED: Final = "GoodUntilCancelled"
_TIMES_IN_FORCE: Final = {
    "GoodUntilEndOfDay": TimeInForce.GOOD_UNTIL_END_OF_DAY,
    "FillOrKill": TimeInForce.FILL_OR_KILL,
    "ImmediateOrCancel": TimeInForce.IMMEDIATE_OR_CANCEL,
}
_TIME_NAMES: Final = {time: name for name, time in _TIMES_IN_FORCE.items()}


def order_kind(value: Json) -> OrderKind:
    """Read ``"Market"`` or ``"Limit"``."""
    found = ORDER_KINDS.get(text(value))
    if found is None:
        raise UnknownEnum(f"expected one of {list(ORDER_KINDS)}, found {value!r}")
    return found


def order_kind_json(kind: OrderKind) -> str:
    """Write ``"Market"`` or ``"Limit"``, which is also how a kind is shown."""
    return _KIND_NAMES[kind]


def time_in_force(value: Json) -> TimeInForce:
    """Read ``"FillOrKill"`` or ``{"GoodUntilCancelled": {"post_only": true}}``."""
    name, content = variant(value)
    if name == _GOOD_UNTIL_CANCELLED:
        is_post_only = member(content, "post_only", boolean)
        return TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY if is_post_only else TimeInForce.GOOD_UNTIL_CANCELLED
    found = _TIMES_IN_FORCE.get(name)
    if found is None:
        raise UnknownEnum(f"expected one of {[_GOOD_UNTIL_CANCELLED, *_TIMES_IN_FORCE]}, found {name!r}")
    return found


def time_in_force_json(time: TimeInForce) -> Json:
    """Write a time in force."""
    name = _TIME_NAMES.get(time)
    if name is not None:
        return name
    return {_GOOD_UNTIL_CANCELLED: {"post_only": time is TimeInForce.GOOD_UNTIL_CANCELLED_POST_ONLY}}


def side(value: Json) -> Side:
    """Read a side in any of the reference's spellings."""
    try:
        return parse_side(text(value))
    except ValueError as error:
        raise UnknownEnum(str(error)) from None


def side_json(found: Side) -> str:
    """Write ``"Buy"`` or ``"Sell"``."""
    return found.name.capitalize()
