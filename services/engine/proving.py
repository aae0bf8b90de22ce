"""The process in which a snapshot is proven: it has no connection and no configuration, and yields to everybody.

    python -m services.engine.proving '{"folder": ..., "stream": ..., ...}' < messages      (the keys of ``ProofTask``)

Reads stored messages from stdin, each a line of JSON (``sequence``, ``headers``, ``bytes``) and the payload. Writes one
line of JSON to stdout: ``{"proven": <tick>, "ticks": <how many>}``, ``{"refuted": <why>}`` or ``{"unproven": <why>}``.
The messages may end before there is a proof, as the engine does; that is no failure.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from services.engine.code import code_version
from services.engine.proof import SnapshotProof, SnapshotRefuted, SnapshotUnproven
from services.engine.snapshot_store import SnapshotStore
from tradebus.bus.message import JournalMessage

NICENESS: Final = 19


@dataclass(frozen=True, slots=True)
class ProofTask:
    """What is to be proven: the snapshot at a tick in a folder, of one engine's journal.

    ``strategies_dir`` holds users' code, ``code`` names the code of the engine that asks.
    """

    folder: str
    stream: str
    engine_id: str
    sequence: int
    strategies_dir: str
    code: str


def framed(message: JournalMessage) -> bytes:
    """Return a stored message as the process reads it."""
    head = {"sequence": message.sequence, "headers": dict(message.headers or {}), "bytes": len(message.payload)}
    return json.dumps(head).encode() + b"\n" + message.payload


def messages(stream: str, source: BinaryIO) -> Iterator[JournalMessage]:
    """Yield the messages that come, until no more do; one that was cut off is not one."""
    for line in source:
        head = json.loads(line)
        payload = source.read(head["bytes"])
        if len(payload) < head["bytes"]:
            return
        yield JournalMessage(stream, "", head["sequence"], payload, head["headers"], 0, 0)


def prove(task: ProofTask, source: BinaryIO) -> dict[str, str | int]:
    """Return the outcome as it is written."""
    users_folder = Path(task.strategies_dir)
    code = code_version(users_folder)
    if code != task.code:
        return {"unproven": f"expected the code {task.code!r}, found {code!r}"}
    if users_folder.is_dir():
        sys.path.append(str(users_folder.resolve()))
    store = SnapshotStore(Path(task.folder), task.stream, task.engine_id, 1)
    log = structlog.stdlib.get_logger("proof")
    try:
        proof = SnapshotProof(store, task.stream, task.sequence, code, log)
        for message in messages(task.stream, source):
            proven = proof.take(message)
            if proven is not None:
                return {"proven": proven.sequence, "ticks": proven.ticks}
    except SnapshotRefuted as error:
        return {"refuted": str(error)}
    except SnapshotUnproven as error:
        return {"unproven": str(error)}
    return {"unproven": "the journal ended before another hash was recorded"}


def arguments(task: ProofTask) -> list[str]:
    """Return the command line that starts the process."""
    return [sys.executable, "-m", "services.engine.proving", json.dumps(asdict(task))]


def main() -> None:
    """Prove what the command line names."""
    os.nice(NICENESS)
    # What is logged goes to stderr: stdout is the answer.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.stdout.write(json.dumps(prove(ProofTask(**json.loads(sys.argv[1])), sys.stdin.buffer)))


if __name__ == "__main__":
    main()
