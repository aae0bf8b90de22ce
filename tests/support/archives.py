"""Archives for tests: batches without an engine behind them, written into a folder."""

import random
from collections.abc import Sequence
from pathlib import Path

from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import ClockAdvanced
from tradebus.journal.archive.stored import stored_batch
from tradebus.journal.archive.writer import ArchiveWriter
from tradebus.wire import subjects
from tradebus.wire.codec.audit import AuditBatch, AuditBatchHead, audit_batch_to_bytes, audit_frames_from_bytes
from tradebus.wire.integrity import CHAIN_HEADER, CHAIN_START, chained_headers

ENGINE = "demo"
STREAM = subjects.audit_stream(ENGINE)
SUBJECT = subjects.audit(ENGINE)
T0 = 1_790_000_000_000_000_000


def journal(
    sizes: Sequence[int], *, position: int = 1, sequence: int = 0, chain: str = CHAIN_START
) -> list[JournalMessage]:
    """Return messages of a journal, each with so many ticks; a tick is a second after the one before."""
    messages: list[JournalMessage] = []
    for size in sizes:
        ticks = tuple(
            AuditTick(number, T0 + number * 1_000_000_000, ClockAdvanced(), (), ())
            for number in range(sequence, sequence + size)
        )
        head = AuditBatchHead(ENGINE, 1, sequence, sequence + size - 1, bytes.fromhex(chain), "index", 0)
        payload = audit_batch_to_bytes(AuditBatch(head, ticks))
        headers = chained_headers(payload)
        messages.append(JournalMessage(STREAM, SUBJECT, position, payload, headers, T0 + position, 0))
        chain = headers[CHAIN_HEADER]
        position += 1
        sequence += size
    return messages


def sizes(count: int, seed: int = 1) -> list[int]:
    """Return sizes of batches, drawn from a seed."""
    rng = random.Random(seed)
    return [rng.randint(1, 12) for _ in range(count)]


def append(writer: ArchiveWriter, messages: Sequence[JournalMessage], *, flush_every: int = 0) -> None:
    """Append messages, and flush after every so many and at the end."""
    for number, message in enumerate(messages, start=1):
        writer.append(stored_batch(message, audit_frames_from_bytes(message.payload)))
        if flush_every and number % flush_every == 0:
            writer.flush()
    writer.flush()


def write(
    folder: Path, messages: Sequence[JournalMessage], *, flush_every: int = 0, segment_bytes: int = 1 << 26
) -> None:
    """Write messages behind what an archive holds."""
    with ArchiveWriter(folder, STREAM, SUBJECT, segment_bytes=segment_bytes) as writer:
        append(writer, messages, flush_every=flush_every)


def facts(messages: Sequence[JournalMessage]) -> list[tuple[object, ...]]:
    """Return what must come back of messages, for comparing them."""
    return [(m.stream, m.subject, m.sequence, m.payload, dict(m.headers or {}), m.time_ns) for m in messages]
