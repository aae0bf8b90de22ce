"""Find what earlier runs left in the data folder: to go on with it, or to remove it."""

import shutil
from pathlib import Path
from typing import Final

from services.runtime.nats import connector
from tradebus.bus.interface import Bus
from tradebus.config import Settings
from tradebus.core.engine.resumed import start_record
from tradebus.wire import subjects
from tradebus.wire.codec.audit import audit_frames_from_bytes, tick_from_bytes
from tradebus.wire.codec.error import DecodeError

KEPT_BY_SERVICES: Final = ("engine", "execution", "audit")
"""Folders in which services keep what follows from the streams, or is about them: worth nothing without them."""


def remove(store_dir: Path, data_dir: Path) -> list[Path]:
    """Remove the streams, and what services keep of them; return what was there."""
    # Only what a server has made: the folder may be one that a person has configured.
    found = [
        path for path in (store_dir / "jetstream", *(data_dir / name for name in KEPT_BY_SERVICES)) if path.exists()
    ]
    for path in found:
        shutil.rmtree(path)
    return found


async def told(settings: Settings) -> str:
    """Say in words what the engine's journal holds; empty where it is empty. Raises BusError."""
    bus = await connector(settings, "operator", "up")(lambda _event: None)
    try:
        return await _told(bus, settings.journal_id)
    finally:
        await bus.close()


async def _told(bus: Bus, journal_id: str) -> str:
    stream = subjects.audit_stream(journal_id)
    last = await bus.last_message(stream)
    if last is None:
        return ""
    try:
        head = audit_frames_from_bytes(last.payload).head
        first = await bus.message(stream, head.engine_epoch)
        if first is None:
            return f"goes on behind sequence {head.last_sequence}"
        started = start_record(tick_from_bytes(audit_frames_from_bytes(first.payload).ticks[0]).event)
    except DecodeError:
        # The engine reads all of it, and says what is wrong.
        return f"finds a journal of {last.sequence} messages whose end cannot be read"
    run = "" if started is None else f" of run {started.run}"
    return f"goes on behind sequence {head.last_sequence}{run}"
