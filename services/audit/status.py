"""Say where the replica stands: what ``/status`` shows, the hash of our own state included."""

from collections.abc import Mapping

from services.audit.fold import Fold
from services.runtime import Json
from tradebus.core.backtest.result import pnl_by_quote
from tradebus.core.model.number import decimal_text, enter_engine_context


def audit_status(fold: Fold, stream: str, *, is_caught_up: bool) -> dict[str, Json]:
    """Return the replica's account of itself. The hash is computed from its state at this moment.

    Nothing in it changes while no tick is applied, so that two equal answers say that the replica is at rest.
    """
    counts = fold.projections.counts
    data: dict[str, Json] = {
        "stream": stream,
        "position": fold.position,
        "epoch": fold.epoch,
        "sequence": fold.sequence,
        "time_ns": fold.time_ns,
        "is_caught_up": is_caught_up,
        "is_exact": fold.is_exact,
        "begun_anew_at": fold.begun_anew_at,
        "verification": _verification(fold),
        "ticks": fold.ticks,
        "batches": fold.counted.batches,
        "events": counts.market_events,
        "orders": counts.orders_sent,
        "cancels": counts.cancels_sent,
        "fills": counts.fills,
        "positions_exited": counts.positions_exited,
        "duplicates": counts.duplicates,
        "by_kind": dict(counts.by_kind()),
    }
    if fold.digest():
        data["digest"] = fold.digest()
    if fold.is_started:
        enter_engine_context()
        own = fold.hash()
        data["hash"] = {"version": own.version, "core": own.core, "user": own.user}
        data["trading"] = fold.state.trading.name.lower()
        data["health"] = fold.state.global_health.name.lower()
        pnl: Mapping[str, Json] = {name: decimal_text(amount) for name, amount in pnl_by_quote(fold.state).items()}
        data["pnl_realised"] = pnl
    return data


def _verification(fold: Fold) -> dict[str, Json]:
    verification = fold.verification
    last = verification.last
    first_unequal = verification.first_unequal
    broken = fold.broken
    return {
        "equal": verification.equal,
        "unequal": verification.unequal,
        "not_verified": verification.not_verified,
        "last_sequence": None if last is None else last.sequence,
        "first_unequal_sequence": None if first_unequal is None else first_unequal.sequence,
        "broken": None
        if broken is None
        else {"kind": broken.kind.name.lower(), "sequence": broken.sequence, "reason": broken.reason},
    }
