"""Say where the engine stands: what ``/status`` shows, its own state hash included."""

from collections.abc import Mapping

from services.engine.counts import EngineCounts
from services.engine.journal import AuditJournal
from services.runtime import Json
from tradebus.core.backtest.result import pnl_by_quote
from tradebus.core.engine.engine import Engine
from tradebus.core.model.number import decimal_text


def engine_status(engine: Engine, journal: AuditJournal, counts: EngineCounts, stream_engine: str) -> dict[str, Json]:
    """Return the engine's own account of itself; the hash is computed from its state at this moment."""
    state = engine.state
    state_hash = engine.hash()
    pnl: Mapping[str, Json] = {name: decimal_text(amount) for name, amount in pnl_by_quote(state).items()}
    return {
        "engine_id": engine.started.engine_id,
        "journal": stream_engine,
        "run": engine.started.run,
        "epoch": engine.epoch,
        "sequence": engine.sequence - 1,
        "durable_sequence": journal.durable_sequence,
        "time_ns": engine.time_ns,
        "hash": {"version": state_hash.version, "core": state_hash.core, "user": state_hash.user},
        "trading": state.trading.name.lower(),
        "health": state.global_health.name.lower(),
        "market_events": counts.market_events,
        "ticks": counts.ticks,
        "orders": counts.orders,
        "cancels": counts.cancels,
        "fills": counts.fills,
        "pnl_realised": pnl,
        "batches": journal.writer.batches,
        "append_retries": journal.writer.retries,
    }
