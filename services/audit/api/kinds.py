"""Name the kinds of events that ticks can be of, as the API spells them."""

from enum import StrEnum

from services.audit.projections import kind_name
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import AccountEvent
from tradebus.core.market.event import MarketEvent


class EventKind(StrEnum):
    """What happened: of market and account events what they carry."""

    ACCOUNT_LINK_CHANGED = "account_link_changed"
    ACCOUNT_RECONNECTING = "account_reconnecting"
    AMEND_ANSWERED = "amend_answered"
    BALANCE_RECEIVED = "balance_received"
    BOOK_L1 = "book_l1"
    BOOK_L2_SNAPSHOT = "book_l2_snapshot"
    BOOK_L2_UPDATE = "book_l2_update"
    CANCEL_ANSWERED = "cancel_answered"
    CANDLE = "candle"
    CLOCK_ADVANCED = "clock_advanced"
    CODE_CHANGED = "code_changed"
    COMMAND = "command"
    COMMAND_REJECTED = "command_rejected"
    CONFIG_CHANGED = "config_changed"
    ENGINE_RESUMED = "engine_resumed"
    ENGINE_STARTED = "engine_started"
    FEED_ENDED = "feed_ended"
    FUNDING_RECEIVED = "funding_received"
    LIQUIDATION = "liquidation"
    MARKET_GAP = "market_gap"
    MARKET_RECONNECTING = "market_reconnecting"
    ORDER_RECEIVED = "order_received"
    OWNER_CHANGED = "owner_changed"
    PUBLIC_TRADE = "public_trade"
    REQUEST_IN_DOUBT = "request_in_doubt"
    REQUEST_NEVER_RECEIVED = "request_never_received"
    SHUTDOWN = "shutdown"
    SNAPSHOT_RECEIVED = "snapshot_received"
    TIMER_FIRED = "timer_fired"
    TRADE_RECEIVED = "trade_received"
    TRADING_STATE_UPDATE = "trading_state_update"


def kind_of(tick: AuditTick) -> str:
    """Return the kind of a tick's event."""
    event = tick.event
    return kind_name(type(event.data if isinstance(event, MarketEvent | AccountEvent) else event))
