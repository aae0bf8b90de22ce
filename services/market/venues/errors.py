"""Name what can go wrong between a venue and us, one class per cause.

A `FrameError` concerns one frame: it is counted, reported and kept, and the connection goes on. A `ConnectivityError`
ends a connection and is tried again, with backoff. A `VenueRefusal` says that trying the same again is pointless until
somebody changes something.
"""

from __future__ import annotations

from typing import ClassVar, Final

from tradebus.core.model.identifiers import ExchangeId

EXCERPT_LENGTH_MAX: Final = 200


def excerpt(payload: bytes) -> str:
    """Return the beginning of a payload as printable text, for messages: at most 200 bytes, odd ones escaped."""
    shown = payload[:EXCERPT_LENGTH_MAX].decode("utf-8", errors="backslashreplace")
    printable = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in shown)
    rest = len(payload) - EXCERPT_LENGTH_MAX
    return printable if rest <= 0 else f"{printable}... ({rest} bytes more)"


class FrameError(Exception):
    """A frame that gives no event and should have; the connection is not affected.

    ``payload`` is the whole frame, for the dead-letter stream; the message holds an excerpt of it.
    """

    KIND: ClassVar[str] = "frame"

    def __init__(self, exchange: ExchangeId, reason: str, payload: bytes) -> None:
        super().__init__(f"{exchange.value}: {reason}; frame: {excerpt(payload)}")
        self.exchange = exchange
        self.reason = reason
        self.payload = payload


class MalformedFrame(FrameError):
    """A frame that is not JSON, or whose fields are not what its kind promises."""

    KIND: ClassVar[str] = "malformed"


class UnidentifiableFrame(FrameError):
    """Well-formed data of something that was not subscribed; ``subscription_id`` is ``<channel>|<market>``."""

    KIND: ClassVar[str] = "unidentifiable"

    def __init__(self, exchange: ExchangeId, subscription_id: str, payload: bytes) -> None:
        super().__init__(exchange, f"no subscription {subscription_id!r}", payload)
        self.subscription_id = subscription_id


class ErrorReply(FrameError):
    """The venue says that something we sent was wrong; ``code`` is its own, None where it gives none."""

    KIND: ClassVar[str] = "error_reply"

    def __init__(self, exchange: ExchangeId, code: int | None, text: str, payload: bytes) -> None:
        super().__init__(exchange, f"error reply, code {code}: {text}", payload)
        self.code = code
        self.text = text


class VenueConnectionError(Exception):
    """A connection that could not be made, or that ended. ``exchange`` and ``url`` say which."""

    def __init__(self, exchange: ExchangeId, url: str, reason: str) -> None:
        super().__init__(f"{exchange.value} ({url}): {reason}")
        self.exchange = exchange
        self.url = url
        self.reason = reason


class ConnectivityError(VenueConnectionError):
    """The network or the venue failed us: worth trying again."""


class ConnectFailed(ConnectivityError):
    """No websocket: name not resolved, port closed, handshake refused, or not in time."""


class SubscribeTimeout(ConnectivityError):
    """The venue did not acknowledge every subscription before the deadline."""


class LinkClosed(ConnectivityError):
    """The connection ended; ``close_code`` is the close frame's, None where there was no close frame."""

    def __init__(self, exchange: ExchangeId, url: str, reason: str, close_code: int | None = None) -> None:
        super().__init__(exchange, url, reason)
        self.close_code = close_code


class LinkSilent(ConnectivityError):
    """Nothing came for longer than the watchdog allows: a half-open connection, or a feed that stopped."""


class TooManyEarlyFrames(ConnectivityError):
    """More data came before the acknowledgement than is kept: the venue is talking, but not to us."""


class VenueRefusal(VenueConnectionError):
    """The venue understood and refused: the same request will be refused again."""


class SubscribeRefused(VenueRefusal):
    """The venue answered a subscription with an error; ``code`` is its own, None where it gives none."""

    def __init__(self, exchange: ExchangeId, url: str, code: int | None, text: str) -> None:
        super().__init__(exchange, url, f"subscription refused, code {code}: {text}")
        self.code = code
        self.text = text


class UnsupportedSubscription(ValueError):
    """A subscription that this venue's connector does not offer; nothing was sent."""

    def __init__(self, exchange: ExchangeId, item: str) -> None:
        super().__init__(f"{exchange.display} does not support: {item}")
        self.exchange = exchange
        self.item = item
