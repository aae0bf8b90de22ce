"""Settings of small systems, as the market service sees them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tradebus.config import Settings
from tradebus.core.model.identifiers import ExchangeId


def market_settings(
    mode: str,
    exchanges: Iterable[ExchangeId],
    *,
    bases: Iterable[str] = ("btc", "eth"),
    market: Mapping[ExchangeId, Mapping[str, Any]] | None = None,
    recording: Iterable[Path] = (),
    **sections: Mapping[str, Any],
) -> Settings:
    """Return settings with the bases against usdt on each exchange; ``market`` are its feeds' tables."""
    exchanges, bases = list(exchanges), list(bases)
    values: dict[str, Any] = {
        "mode": mode,
        "recording": list(recording),
        "instruments": [
            {
                "exchange": exchange,
                "name_exchange": f"{base.upper()}USDT",
                "underlying": {"base": base.upper(), "quote": "USDT"},
            }
            for exchange in exchanges
            for base in bases
        ],
        "execution": {
            exchange: {"connector": "simulated", "balances": {"usdt": "1000", **dict.fromkeys(bases, "0")}}
            for exchange in exchanges
        },
        "market": dict(market or {}),
        **sections,
    }
    return Settings(**values)
