"""Tell what an answer of the venue says: success, refusal, or not an answer at all."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from services.market.venues.binance_spot.messages import Outline, Reply

FAILURE_TEXT: Final = "received failure subscription response"

_outline_decoder: Final = msgspec.json.Decoder(Outline)
_reply_decoder: Final = msgspec.json.Decoder(Reply)


class Answer(NamedTuple):
    """An answer to one of our requests; ``error_text`` is None where the venue accepted."""

    id: int | str | None
    error_code: int | None
    error_text: str | None


def read_answer(raw: bytes) -> Answer | None:
    """Return what the venue answers in this frame; None when the frame is no answer (data, or not even JSON)."""
    try:
        outline = _outline_decoder.decode(raw)
    except msgspec.MsgspecError:
        return None
    return answer_of(raw) if outline.is_reply else None


def answer_of(raw: bytes) -> Answer:
    """Return what a frame says that has the shape of an answer; one with odd members counts as a refusal."""
    try:
        reply = _reply_decoder.decode(raw)
    except msgspec.MsgspecError as error:
        return Answer(None, None, f"{FAILURE_TEXT}: unreadable ({error})")
    if reply.error is not UNSET:
        return Answer(reply.id, reply.error.code, f"{FAILURE_TEXT}: {reply.error.msg}")
    if reply.code is not UNSET and reply.msg is not UNSET:
        return Answer(reply.id, reply.code, f"{FAILURE_TEXT}: {reply.msg}")
    if reply.result is not UNSET and bytes(reply.result) == b"null":
        return Answer(reply.id, None, None)
    return Answer(reply.id, None, FAILURE_TEXT)
