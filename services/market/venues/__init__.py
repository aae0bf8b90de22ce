"""Connectors to venues: raw frames become market events, connections are kept alive."""

from services.market.venues.connection import ConnectionSettings, ConnectionStatus
from services.market.venues.feed import VenueFeed
from services.market.venues.interface import FeedSink, Subscription, SubscriptionKind, Translator, Venue
from services.market.venues.registry import exchanges_supported, find_venue, venue_of_recording
from services.market.venues.sequences import InstrumentSequences
from services.market.venues.tally import FrameTally

__all__ = [
    "ConnectionSettings",
    "ConnectionStatus",
    "FeedSink",
    "FrameTally",
    "InstrumentSequences",
    "Subscription",
    "SubscriptionKind",
    "Translator",
    "Venue",
    "VenueFeed",
    "exchanges_supported",
    "find_venue",
    "venue_of_recording",
]
