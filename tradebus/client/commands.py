"""What can be commanded: the body of each command, and the call that sends it under a key."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias
from uuid import uuid4

from tradebus.client import models
from tradebus.client.call import Call, query_of

Number: TypeAlias = Decimal | int | str
"""Never a float: a price is exact."""

WAIT_S_MAX: Final = 30.0
"""For so long at most one request waits."""


def new_key() -> str:
    """Return an idempotency key that nobody has used."""
    return uuid4().hex


def order(
    instrument: str,
    side: Literal["buy", "sell"],
    quantity: Number,
    *,
    price: Number | None = None,
    kind: Literal["market", "limit"] = "limit",
    time_in_force: str | None = None,
    strategy: str | None = None,
    cid: str | None = None,
) -> dict[str, Any]:
    """Return an order for ``open_orders``; quantity in the instrument's unit, price in quote."""
    given = {
        "instrument": instrument,
        "side": side,
        "quantity": _number(quantity),
        "kind": kind,
        "price": None if price is None else _number(price),
        "time_in_force": time_in_force,
        "strategy": strategy,
        "cid": cid,
    }
    return {name: value for name, value in given.items() if value is not None}


def selection(
    *,
    exchanges: Sequence[str] = (),
    instruments: Sequence[str] = (),
    underlyings: Sequence[tuple[str, str, str]] = (),
) -> dict[str, Any]:
    """Return the filter of one kind; of none everything. An underlying is exchange, base, quote.

    Raises ValueError for more than one kind.
    """
    kinds = [kind for kind in (exchanges, instruments, underlyings) if kind]
    if len(kinds) > 1:
        raise ValueError("expected one of exchanges, instruments and underlyings, found more")
    if exchanges:
        return {"type": "by_exchanges", "exchanges": list(exchanges)}
    if instruments:
        return {"type": "by_instruments", "instruments": list(instruments)}
    if underlyings:
        pairs = [{"exchange": exchange, "base": base, "quote": quote} for exchange, base, quote in underlyings]
        return {"type": "by_underlyings", "underlyings": pairs}
    return {"type": "all_instruments"}


def call(
    path: str,
    body: Mapping[str, Any],
    key: str,
    *,
    wait_s: float,
    expires_s: float | None,
    dry_run: bool,
    confirm_live: bool,
) -> Call[models.EnvelopeCommandProgressView]:
    """Return the call that sends a command. Times are seconds; ``wait_s`` counts up to what one request waits."""
    said = dict(body)
    if expires_s is not None:
        said["expires_in"] = _duration(expires_s)
    query = query_of(wait=_duration(min(wait_s, WAIT_S_MAX)) if wait_s > 0 else None, dry_run=dry_run or None)
    headers = {"Idempotency-Key": key, **({"X-Confirm": "live"} if confirm_live else {})}
    model = models.EnvelopeCommandProgressView
    return Call("POST", f"/v1/commands/{path}", model, query, said, headers)


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


def _number(value: Number) -> str:
    if isinstance(value, float) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"expected a Decimal, a whole number or text, found {type(value).__name__} {value!r}")
    return str(value)
