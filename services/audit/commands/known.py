"""Have the replica's names and orders at hand while a command is read, so that everything wrong is told at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from typing import Any, Final, final

from pydantic_core import PydanticCustomError

from services.audit.api.views.values import Names
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.order import Order

_NEAR_MAX: Final = 5
_NEAR_CUTOFF: Final = 0.5
_SHOWN_CHARACTERS_MAX: Final = 200


@final
class Known:
    """What a command can name, as of one moment of the replica."""

    def __init__(self, names: Names, state: EngineState) -> None:
        self.names: Final = names
        self.state: Final = state

    def exchange(self, name: str) -> int:
        """Return the index of an exchange; raises PydanticCustomError with near matches."""
        return _index(self.names.exchanges, "an exchange", name)

    def instrument(self, name: str) -> int:
        """Return the index of an instrument; raises PydanticCustomError with near matches."""
        return _index(self.names.instruments, "an instrument", name)

    def asset(self, exchange: str, name: str) -> int:
        """Return the index of an asset of a known exchange; raises PydanticCustomError with near matches."""
        assets = {
            item.asset.name_internal: i
            for i, item in enumerate(self.names.index.assets)
            if item.exchange.value == exchange
        }
        if name.lower() not in assets:
            raise _unknown(f"an asset of {exchange}", name, sorted(assets))
        return assets[name.lower()]

    def order(self, cid: str) -> Order:
        """Return an order that may still trade; raises PydanticCustomError with near matches."""
        for instrument in self.state.instruments:
            order = instrument.orders.get(cid)  # type: ignore[call-overload]  # whatever text it is
            if isinstance(order, Order):
                return order
        raise _unknown("an order that may still trade", cid, [str(order.key.cid) for order in self.state.orders()])


def name_schema(what: str) -> dict[str, Any]:
    """Return how the API's document describes a text that must be one of the journal's names of something."""
    return {"type": "string", "format": f"{what}-name"}


_KNOWN: Final[ContextVar[Known]] = ContextVar("known")


def remember(known: Known) -> None:
    """Have these at hand for the rest of this task."""
    _KNOWN.set(known)


@contextmanager
def at_hand(known: Known) -> Iterator[None]:
    """Have these at hand within the block."""
    token = _KNOWN.set(known)
    try:
        yield
    finally:
        _KNOWN.reset(token)


def known_now() -> Known:
    """Return what is at hand; raises LookupError where nothing is."""
    return _KNOWN.get()


def _index(names: list[str], what: str, name: str) -> int:
    if name.lower() not in names:
        raise _unknown(f"{what} of this journal", name, names)
    return names.index(name.lower())


def _unknown(expected: str, name: str, known: list[str]) -> PydanticCustomError:
    near = [] if len(name) > _SHOWN_CHARACTERS_MAX else get_close_matches(name.lower(), known, _NEAR_MAX, _NEAR_CUTOFF)
    return PydanticCustomError("unknown_name", "{expected}", {"expected": expected, "near": near or None})
