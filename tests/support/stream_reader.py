"""A hub over a fold that a test feeds by hand, and what a reader makes of what it is told."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from structlog.stdlib import BoundLogger, get_logger

from services.audit.api.context import NamesCache
from services.audit.api.stream.event import Message
from services.audit.api.stream.hub import StreamHub
from services.audit.api.stream.limits import LIMITS, StreamLimits
from services.audit.api.stream.past import PastEvents
from services.audit.api.stream.reader import Reader
from services.audit.api.stream.selection import Selection
from services.audit.fold import Fold
from services.audit.metrics import AuditMetrics
from tests.support.audit_api import new_fold
from tradebus.bus.message import JournalMessage


class HandFedHub:
    """A hub whose clock and pulse are a test's."""

    def __init__(self, limits: StreamLimits = LIMITS, past: PastEvents | None = None, fold: Fold | None = None) -> None:
        self.now_s = 0.0
        self.fold = new_fold() if fold is None else fold
        self.registry = CollectorRegistry()
        log: BoundLogger = get_logger("test")
        metrics = AuditMetrics(self.registry)
        self.hub = StreamHub(self.fold, NamesCache(), metrics, log, limits=limits, past=past, clock=lambda: self.now_s)

    def feed(self, messages: Iterable[JournalMessage]) -> None:
        for message in messages:
            self.fold.take(message)
            assert self.fold.broken is None, self.fold.broken

    def open(self, selection: Selection | None = None) -> Reader:
        """Return a reader that begins with a snapshot."""
        reader = self.hub.enter()
        self.hub.begin(reader, selection or Selection())
        return reader

    def pulse(self, seconds: float = 1.0) -> None:
        self.now_s += seconds
        self.hub.look_after(self.now_s)

    def drain(self, reader: Reader) -> list[Message]:
        """Return everything that there is for a reader, keep-alives left out."""
        messages: list[Message] = []
        while taken := [message for message in self.hub.take(reader) if message.name]:
            messages += taken
        return messages

    def count(self, name: str) -> float:
        return self.registry.get_sample_value(name) or 0.0


class Picture:
    """What a reader knows: the snapshot, and every change put into it."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.sequence = -1

    def take(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._take(message.name, json.loads(message.data))

    def _take(self, name: str, body: dict[str, Any]) -> None:
        if name == "reset":
            self.data = {}
            return
        assert body["sequence"] >= self.sequence or name == "market", (name, body["sequence"], self.sequence)
        self.sequence = max(self.sequence, body["sequence"])
        view = body["data"]
        if name == "snapshot":
            self.data = {
                "trading": view["trading"],
                "connectivity": _by(view["connectivity"]["exchanges"], "exchange"),
                "assets": _by(view["assets"], "exchange", "name"),
                "orders": _by(view["orders"], "cid"),
                "positions": _by(view["positions"], "instrument"),
                "market": _by(view["market"], "instrument"),
                "stats": _by(view["stats"], "instrument"),
                "trades": [],
                "exited": [],
                "commands": [],
            }
        elif name == "trading":
            self.data["trading"] = view
        elif name == "connectivity":
            self.data["connectivity"][view["exchange"],] = view
        elif name == "asset":
            self.data["assets"][view["exchange"], view["name"]] = view
        elif name == "order":
            self._put_order(view)
        elif name == "position":
            self._put_position(view)
        elif name in {"market", "stats"}:
            self.data[name][view["instrument"],] = view
        elif name == "trade":
            self.data["trades"].append(view)
        else:
            assert name == "command", name
            self.data["commands"].append(view)

    def _put_order(self, view: dict[str, Any]) -> None:
        active = {"open_in_flight", "open", "cancel_in_flight", "open_unknown", "cancel_unknown"}
        self.data["orders"].pop((view["cid"],), None)
        if view["status"] in active:
            self.data["orders"][view["cid"],] = view

    def _put_position(self, view: dict[str, Any]) -> None:
        self.data["positions"].pop((view["instrument"],), None)
        if view["position"] is not None:
            self.data["positions"][view["instrument"],] = view["position"]
        if view["exited"] is not None:
            self.data["exited"].append(view["exited"])


def _by(rows: list[dict[str, Any]], *names: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in names): row for row in rows}
