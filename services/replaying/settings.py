"""Make the settings of a replay from its recordings alone: what is in them is traded, by the strategies that ship."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from services.market.recording.discover import discover_instruments, split_symbol
from tradebus.config import Mode, Settings

STRATEGIES: Final[list[dict[str, Any]]] = [
    {"id": "ema", "class": "tradebus.strategies.ema_cross:EmaCross", "params": {}},
    {"id": "quoter", "class": "tradebus.strategies.quoter:Quoter", "params": {}},
]
BASE_BALANCE: Final = "1000"
QUOTE_BALANCE: Final = "1000000"
LATENCY_MS: Final = 20
FEES_PERCENT: Final = "0.05"
FEES_MAKER_PERCENT: Final = "0.02"


class NothingRecorded(ValueError):
    """Recordings in which no instrument could be recognised."""


def replay_settings(files: Sequence[Path], run: str, hash_every_batch: bool) -> Settings:
    """Return settings for a replay of ``files``; raises NothingRecorded, LookupError or OSError."""
    found = discover_instruments(files)
    instruments: list[dict[str, Any]] = []
    balances: dict[str, dict[str, str]] = {}
    for exchange, symbol in found:
        parts = split_symbol(symbol)
        if parts is None:
            continue
        base, quote = parts
        instruments.append(
            {
                "exchange": exchange.value,
                "name_exchange": symbol,
                "underlying": {"base": base, "quote": quote},
                "kind": "spot",
            }
        )
        held = balances.setdefault(exchange.value, {})
        held.setdefault(base.lower(), BASE_BALANCE)
        held[quote.lower()] = QUOTE_BALANCE
    if not instruments:
        raise NothingRecorded(f"no instrument recognised in {', '.join(str(file) for file in files)}")
    execution = {
        exchange: {
            "connector": "simulated",
            "latency_ms": LATENCY_MS,
            "fees_percent": FEES_PERCENT,
            "fees_maker_percent": FEES_MAKER_PERCENT,
            "balances": held,
        }
        for exchange, held in balances.items()
    }
    return Settings.model_validate(
        {
            "mode": Mode.REPLAY,
            "recording": [str(file) for file in files],
            "engine": {
                "trading_at_start": True,
                "strategies": STRATEGIES,
                **({"hash_every": "batch"} if hash_every_batch else {}),
            },
            "instruments": instruments,
            "execution": execution,
            "runtime": {"run": run},
        }
    )
