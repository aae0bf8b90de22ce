"""A Binance spot venue on loopback for tests: websocket streams, REST, and every way a connection can break."""

from tests.support.venue_server.control import RequestError, StreamSet
from tests.support.venue_server.flow import GeneratedFlow, StreamFrame
from tests.support.venue_server.frames import (
    book_ticker_frame,
    depth_snapshot,
    depth_update_frame,
    in_envelope,
    stream_name,
    trade_frame,
)
from tests.support.venue_server.playback import play, recorded, unpaced
from tests.support.venue_server.recording import Recording, RecordingError, TimedFrame
from tests.support.venue_server.server import VenueServer
from tests.support.venue_server.session import AckMode, Behaviour, Session

__all__ = [
    "AckMode",
    "Behaviour",
    "GeneratedFlow",
    "Recording",
    "RecordingError",
    "RequestError",
    "Session",
    "StreamFrame",
    "StreamSet",
    "TimedFrame",
    "VenueServer",
    "book_ticker_frame",
    "depth_snapshot",
    "depth_update_frame",
    "in_envelope",
    "play",
    "recorded",
    "stream_name",
    "trade_frame",
    "unpaced",
]
