"""What the market service counts for Prometheus."""

from typing import Final, final

from prometheus_client import CollectorRegistry, Counter


@final
class MarketMetrics:
    """The market service's own metrics; labelled by exchange (``replay`` for a replay's merged feed)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.items: Final = Counter(
            "tradebus_market_items", "Events and reconnections published", ["exchange"], registry=registry
        )
        self.batches: Final = Counter("tradebus_market_batches", "Batches published", ["exchange"], registry=registry)
        self.dropped: Final = Counter(
            "tradebus_market_items_dropped", "Items that the bus did not take", ["exchange"], registry=registry
        )
        self.resent: Final = Counter(
            "tradebus_market_items_resent", "Items of a replay sent again on request", ["exchange"], registry=registry
        )
        self.reconnections: Final = Counter(
            "tradebus_market_reconnections", "Losses of a feed", ["exchange"], registry=registry
        )
        self.frame_errors: Final = Counter(
            "tradebus_market_frame_errors",
            "Frames that could not be translated",
            ["exchange", "kind"],
            registry=registry,
        )
