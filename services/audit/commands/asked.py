"""What somebody asks for, and who that is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.audit.api.views.values import time_text
from tradebus.core.engine.command import Command, CommandAction
from tradebus.core.engine.event import Shutdown, TradingStateUpdate

DIGEST_BYTES: Final = 16

Ask = CommandAction | TradingStateUpdate | Shutdown
"""What the engine is asked: an action, or one of the events that stand for themselves."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who commands: the key's name and id, where from, and over which protocol."""

    name: str
    key_id: str
    address: str
    protocol: str

    def origin(self, time_ns: int) -> str:
        """Return what the journal says of a command sent at ``time_ns`` (since the epoch): who, whence, when."""
        return f"{self.name} (key {self.key_id}) from {self.address} over {self.protocol} at {time_text(time_ns)}"

    def command_id(self, idempotency_key: str) -> str:
        """Return the command's id: of this key of this caller, and of nobody else's."""
        scoped = f"{self.key_id}\0{idempotency_key}".encode()
        return hashlib.blake2b(scoped, digest_size=DIGEST_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """One command: its kind (``open_orders``), what the engine is asked in order, and how long it may wait.

    Most ask one thing; an ordered stop asks several. ``digest`` is of everything that was said, so that two commands
    under one key can be told apart.
    """

    kind: str
    asks: tuple[Ask, ...]
    expires_ns: int
    digest: str


def digest_of(kind: str, said: Mapping[str, Any]) -> str:
    """Return the digest of what was said, whatever the order of its fields."""
    text = json.dumps([kind, said], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def event_of(ask: Ask, command_id: str, origin: str) -> Command | TradingStateUpdate | Shutdown:
    """Return the event that travels to the engine."""
    if isinstance(ask, TradingStateUpdate):
        return TradingStateUpdate(ask.state, origin)
    if isinstance(ask, Shutdown):
        return ask
    return Command(command_id, origin, ask)
