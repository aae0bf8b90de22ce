"""Understand and answer the control messages of Binance's streams, without any I/O.

A client sends SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY or GET_PROPERTY as JSON text; each is answered
by exactly one reply that carries the request's id. Malformed requests get an error reply with the venue's codes:
0 unknown property, 1 wrong value type, 2 invalid request, 3 invalid JSON.

Source: Binance spot API documentation, "Live Subscribing/Unsubscribing to streams" and "Error Messages".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import msgspec

STREAMS_PER_CONNECTION_MAX: Final = 1024

_METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_ID_LENGTH_MAX: Final = 36

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
RequestId: TypeAlias = int | str | None


class RequestError(Exception):
    """A control message that the venue refuses, with its code and the text that it sends back."""

    def __init__(self, code: int, message: str, request_id: RequestId = None) -> None:
        super().__init__(f"code {code}: {message}")
        self.code = code
        self.message = message
        self.request_id = request_id

    def reply(self, *, flat: bool = False) -> bytes:
        """Return the error reply; ``flat`` gives the form of older deployments, without the ``error`` member."""
        error: dict[str, Json] = {"code": self.code, "msg": self.message}
        if flat:
            return msgspec.json.encode({**error, "id": self.request_id})
        return msgspec.json.encode({"error": error, "id": self.request_id})


@dataclass(slots=True)
class StreamSet:
    """What one connection listens to, in the order of subscription, and whether its frames carry the envelope."""

    combined: bool = False
    streams: dict[str, None] = field(default_factory=dict)

    def answer(self, raw: bytes | str) -> bytes:
        """Apply one control message and return the reply to it.

        Raises RequestError, and changes nothing, when the venue would refuse the message.
        """
        try:
            message: Json = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RequestError(3, f"Invalid JSON: {error}") from error
        if not isinstance(message, dict):
            raise RequestError(2, "Invalid request: expected an object")
        request_id = _request_id(message)
        result = self._apply(message, request_id)
        return msgspec.json.encode({"result": result, "id": request_id})

    def _apply(self, message: dict[str, Json], request_id: RequestId) -> Json:
        if "method" not in message:
            raise RequestError(2, "Invalid request: missing field `method`", request_id)
        method = message["method"]
        if method == "LIST_SUBSCRIPTIONS":
            return list(self.streams)
        params = message.get("params")
        if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            names = _stream_names(params, request_id)
            if method == "SUBSCRIBE":
                self._subscribe(names, request_id)
            else:
                for name in names:
                    self.streams.pop(name, None)
            return None
        if method == "GET_PROPERTY":
            _check_property(params, 1, request_id)
            return self.combined
        if method == "SET_PROPERTY":
            self.combined = _check_property(params, 2, request_id)
            return None
        expected = ", ".join(f"`{name}`" for name in _METHODS)
        raise RequestError(2, f"Invalid request: unknown variant `{method}`, expected one of {expected}", request_id)

    def _subscribe(self, names: list[str], request_id: RequestId) -> None:
        wanted = {**self.streams, **dict.fromkeys(names)}
        if len(wanted) > STREAMS_PER_CONNECTION_MAX:
            raise RequestError(
                2, f"Invalid request: {len(wanted)} streams, at most {STREAMS_PER_CONNECTION_MAX}", request_id
            )
        self.streams = wanted


def _request_id(message: dict[str, Json]) -> RequestId:
    request_id = message.get("id")
    if request_id is None or (isinstance(request_id, int) and not isinstance(request_id, bool)):
        return request_id
    if isinstance(request_id, str) and len(request_id) <= _ID_LENGTH_MAX and request_id.isalnum():
        return request_id
    raise RequestError(2, "Invalid request: request ID must be an unsigned integer")


def _stream_names(params: Json, request_id: RequestId) -> list[str]:
    if not isinstance(params, list):
        raise RequestError(2, "Invalid request: missing field `params`", request_id)
    names: list[str] = []
    for name in params:
        if not isinstance(name, str):
            raise RequestError(2, "Invalid request: stream name must be a string", request_id)
        names.append(name)
    return names


def _check_property(params: Json, count: int, request_id: RequestId) -> bool:
    if not isinstance(params, list) or not params or not isinstance(params[0], str):
        raise RequestError(2, "Invalid request: property name must be a string", request_id)
    if len(params) > count:
        raise RequestError(2, "Invalid request: too many parameters", request_id)
    if params[0] != "combined":
        raise RequestError(0, "Unknown property", request_id)
    if count == 1:
        return False
    if len(params) < count or not isinstance(params[1], bool):
        raise RequestError(1, "Invalid value type: expected Boolean", request_id)
    return params[1]
