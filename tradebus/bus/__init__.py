"""The bus: messages, requests, journals and buckets between services."""

from tradebus.bus.batching import MicroBatcher
from tradebus.bus.errors import BusError
from tradebus.bus.events import BusEvent, Listener
from tradebus.bus.interface import Bucket, Bus, JournalReader, Subscription
from tradebus.bus.message import Entry, Headers, JournalMessage, JournalState, Message, Request

__all__ = [
    "Bucket",
    "Bus",
    "BusError",
    "BusEvent",
    "Entry",
    "Headers",
    "JournalMessage",
    "JournalReader",
    "JournalState",
    "Listener",
    "Message",
    "MicroBatcher",
    "Request",
    "Subscription",
]
