"""Remember when each exchange was last heard of, and how often its links were lost."""

from typing import final

from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent, AccountReconnecting, EngineStarted, OwnerChanged
from tradebus.core.engine.resumed import EngineResumed
from tradebus.core.market.event import MarketGap, MarketReconnecting


@final
class LinkHistory:
    """One link of an exchange: feed or account. Times are engine time in nanoseconds, 0 for never."""

    __slots__ = ("messages", "reconnect_reason", "reconnect_sequence", "reconnects", "time_last_ns")

    def __init__(self) -> None:
        self.messages = 0
        self.time_last_ns = 0
        self.reconnects = 0
        self.reconnect_sequence: int | None = None
        self.reconnect_reason = ""

    def heard(self, time_ns: int, count: int = 1) -> None:
        """Note messages, the last of them at an engine time."""
        self.messages += count
        self.time_last_ns = time_ns

    def lost(self, tick: AuditTick, reason: str) -> None:
        """Note that the link was lost."""
        self.reconnects += 1
        self.reconnect_sequence = tick.sequence
        self.reconnect_reason = reason


@final
class ExchangeHistory:
    """Both links of an exchange, what its feed lost on the way to the engine, and who owns its account."""

    __slots__ = ("account", "events_missing", "gaps", "market_data", "owner", "owner_epoch")

    def __init__(self) -> None:
        self.market_data = LinkHistory()
        self.account = LinkHistory()
        self.gaps = 0
        self.events_missing = 0
        self.owner = ""
        self.owner_epoch = 0


@final
class Links:
    """The history of every exchange's links, by exchange index."""

    def __init__(self) -> None:
        self.exchanges: list[ExchangeHistory] = []

    def begin(self, exchanges: int) -> None:
        """Begin with nothing known of so many exchanges."""
        self.exchanges = [ExchangeHistory() for _ in range(exchanges)]

    def take(self, tick: AuditTick) -> None:
        """Take in a tick of any other event than a market event, for which ``heard`` is all there is to do."""
        event = tick.event
        if isinstance(event, AccountEvent):
            history = self.exchanges[event.exchange]
            history.account.heard(tick.time_ns)
            if isinstance(event.data, OwnerChanged):
                history.owner = event.data.owner
                history.owner_epoch = event.data.owner_epoch
        elif isinstance(event, MarketReconnecting):
            self.exchanges[event.exchange].market_data.lost(tick, event.reason)
        elif isinstance(event, MarketGap):
            history = self.exchanges[event.exchange]
            history.gaps += 1
            history.events_missing += event.last_missing - event.first_missing + 1
        elif isinstance(event, AccountReconnecting):
            self.exchanges[event.exchange].account.lost(tick, event.reason)
        elif isinstance(event, EngineStarted):
            self.begin(len(event.index.exchanges))
        elif isinstance(event, EngineResumed):
            missing = len(event.started.index.exchanges) - len(self.exchanges)
            self.exchanges += [ExchangeHistory() for _ in range(missing)]
