"""What is asked of the process that rebuilds the past, what it answers, and both as frames on a pipe."""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from services.audit.config import Limits
from tradebus.core.model.number import ZERO

_SIZES: Final = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class TravelSetup:
    """What the process has to know once: where the past lies, and whose it is."""

    folder: Path
    stream: str
    mode: str
    strategies_dir: Path
    limits: Limits
    risk_free_return: Decimal = ZERO

    def to_frame(self) -> bytes:
        """Return it as a frame."""
        texts = {name: str(getattr(self, name)) for name in ("folder", "strategies_dir", "risk_free_return")}
        return frame({**asdict(self), **texts})

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return what ``to_frame`` was made of."""
        return cls(
            Path(plain["folder"]),
            plain["stream"],
            plain["mode"],
            Path(plain["strategies_dir"]),
            Limits(**plain["limits"]),
            Decimal(plain["risk_free_return"]),
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A request to answer as of a tick, given by its sequence or as the last at an engine time (nanoseconds).

    ``path`` and ``query`` are those of the request, less the moment; without a path only the tick is asked for, which
    stands in the header ``sequence`` of the answer. ``other`` is a second tick: in what its state differs is asked.
    ``is_whole`` asks for the state itself, as gRPC's message.
    """

    path: str
    query: str = ""
    sequence: int | None = None
    time_ns: int | None = None
    other: int | None = None
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """An answer, or where it could not be given a problem with its code."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    problem: str = ""
    detail: str = ""
    took_ms: float = 0.0


def frame(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return a head, as JSON, and a body with their sizes before them."""
    text = json.dumps(head).encode()
    return _SIZES.pack(len(text), len(body)) + text + body


def question_frame(question: Question) -> bytes:
    """Return a question as a frame."""
    return frame(asdict(question))


def answer_frame(answer: PastAnswer) -> bytes:
    """Return an answer as a frame."""
    head = {name: getattr(answer, name) for name in PastAnswer.__slots__ if name != "body"}
    return frame({**head, "headers": dict(answer.headers)}, answer.body)


SIZES_BYTES: Final = _SIZES.size


def sizes(packed: bytes) -> tuple[int, int]:
    """Return how long head and body are that follow."""
    head, body = _SIZES.unpack(packed)
    return head, body


def answer_of(head: bytes, body: bytes) -> PastAnswer:
    """Return the answer in a frame."""
    return PastAnswer(body=body, **json.loads(head))


def read_head(stream: BinaryIO) -> dict[str, Any] | None:
    """Return the head of the next frame, which has no body; none at the end of the stream."""
    packed = stream.read(SIZES_BYTES)
    if len(packed) < SIZES_BYTES:
        return None
    head, _ = sizes(packed)
    plain: dict[str, Any] = json.loads(stream.read(head))
    return plain
