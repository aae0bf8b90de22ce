"""Ask JetStream: append to streams, look into them, make consumers. Its errors become ours here.

Plain requests with JSON, as documented for the server; the client library's own layer above them would add its
subscriptions, its pending limits and its publish that never resolves.
"""

import base64
import json
from datetime import datetime
from typing import Any, Final, final

from nats.aio.msg import Msg

from tradebus.bus.errors import (
    AppendUncertain,
    BusError,
    JournalFull,
    NoJournal,
    NoResponders,
    NotSent,
    Refused,
    UnknownOutcome,
    WrongLastSequence,
)
from tradebus.bus.header_block import parse_header_block
from tradebus.bus.interface import READ_TIMEOUT_S
from tradebus.bus.message import Headers, JournalMessage, JournalState
from tradebus.bus.nats_link import NatsLink

API_PREFIX: Final = "$JS.API"
EXPECTED_LAST_SEQUENCE: Final = "Nats-Expected-Last-Sequence"
EXPECTED_LAST_SUBJECT_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"

STREAM_NOT_FOUND: Final = 10059
MESSAGE_NOT_FOUND: Final = 10037
_WRONG_LAST_SEQUENCE: Final = frozenset({10071, 10164})
_STORE_FAILED: Final = 10077
_STORAGE_EXHAUSTED: Final = frozenset({10023, 10047, 10002})
_NANOSECONDS_PER_SECOND: Final = 1_000_000_000


@final
class JetStreamApi:
    """JetStream's API over one link."""

    def __init__(self, link: NatsLink) -> None:
        self._link: Final = link

    async def call(self, operation: str, body: object = None, timeout_s: float = READ_TIMEOUT_S) -> dict[str, Any]:
        """Call ``$JS.API.<operation>`` and return its answer. Raises NoJournal, Refused, NotSent, UnknownOutcome."""
        payload = b"" if body is None else json.dumps(body).encode()
        subject = f"{API_PREFIX}.{operation}"
        try:
            answer = await self._link.request(subject, payload, timeout_s)
        except NoResponders as error:
            raise NotSent(subject, "JetStream does not answer: not enabled, or not ready yet") from error
        return _parse_answer(operation.rpartition(".")[2], answer, None)

    async def append(
        self,
        subject: str,
        payload: bytes,
        headers: Headers | None,
        timeout_s: float,
        expected_last_sequence: int | None = None,
    ) -> int:
        """Publish into a stream and return the sequence it was stored under. Errors as in ``Bus.append``."""
        if expected_last_sequence is not None:
            headers = {**(headers or {}), EXPECTED_LAST_SEQUENCE: str(expected_last_sequence)}
        try:
            answer = await self._link.request(subject, payload, timeout_s, headers)
        except NoResponders as error:
            raise NoJournal(subject) from error
        except UnknownOutcome as error:
            raise AppendUncertain(subject, error.reason) from error
        stored = _parse_answer(subject, answer, expected_last_sequence)
        return int(stored["seq"])

    async def stream_state(self, stream: str) -> JournalState:
        """Return what a stream holds."""
        info = await self.call(f"STREAM.INFO.{stream}")
        state = info["state"]
        last = int(state["last_seq"])
        messages = int(state["messages"])
        bytes_max = int(info["config"].get("max_bytes", -1))
        return JournalState(
            stream,
            # An empty stream has first_seq 0 or the sequence after the last one, depending on its past.
            first_sequence=int(state["first_seq"]) if messages else last + 1,
            last_sequence=last,
            messages=messages,
            bytes_used=int(state["bytes"]),
            bytes_max=max(bytes_max, 0),
        )

    async def message(self, stream: str, which: dict[str, object]) -> JournalMessage | None:
        """Return one stored message with all its headers, or None.

        ``which`` is ``{"seq": n}`` or ``{"last_by_subj": subject}``.
        """
        try:
            answer = await self.call(f"STREAM.MSG.GET.{stream}", which)
        except Refused as error:
            if error.error_code == MESSAGE_NOT_FOUND:
                return None
            raise
        stored = answer["message"]
        header_text = stored.get("hdrs")
        return JournalMessage(
            stream,
            str(stored["subject"]),
            int(stored["seq"]),
            base64.b64decode(stored.get("data") or ""),
            None if not header_text else parse_header_block(base64.b64decode(header_text)),
            time_ns=_parse_time_ns(str(stored["time"])),
            pending=0,
        )


def _parse_answer(name: str, answer: Msg, expected_last_sequence: int | None) -> dict[str, Any]:
    try:
        parsed = json.loads(answer.data)
    except ValueError as error:
        raise Refused(name, 0, 0, f"expected JSON from JetStream, found {answer.data[:80]!r}") from error
    if "error" in parsed:
        raise _error(name, parsed["error"], expected_last_sequence)
    return dict(parsed)


def _error(name: str, said: dict[str, Any], expected_last_sequence: int | None) -> BusError:
    code, error_code = int(said.get("code", 0)), int(said.get("err_code", 0))
    description = str(said.get("description", ""))
    if error_code == STREAM_NOT_FOUND:
        return NoJournal(name)
    if error_code in _WRONG_LAST_SEQUENCE:
        return WrongLastSequence(name, code, error_code, description, expected=expected_last_sequence or 0)
    if error_code in _STORAGE_EXHAUSTED or (error_code == _STORE_FAILED and "maximum" in description):
        return JournalFull(name, code, error_code, description)
    return Refused(name, code, error_code, description)


def _parse_time_ns(text: str) -> int:
    """Return an RFC 3339 time with up to nine fractional digits as nanoseconds since the epoch."""
    seconds, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.fromisoformat(f"{seconds}+00:00")
    return int(whole.timestamp()) * _NANOSECONDS_PER_SECOND + int(fraction.ljust(9, "0") or 0)
