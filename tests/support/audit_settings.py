"""Settings under which the audit service follows the journal of ``tests.support.audit_run``."""

from collections.abc import Mapping
from typing import Any

from tradebus.config import Settings
from tradebus.core.model.identifiers import ExchangeId

ENGINE_ID = "demo"


def audit_settings(engine: str = ENGINE_ID, **sections: Mapping[str, Any]) -> Settings:
    """Return settings of a demo; the API and the internal server take free ports."""
    values: dict[str, Any] = {
        "mode": "demo",
        "engine": {"id": engine},
        "instruments": [
            {
                "exchange": ExchangeId.SIM_ALPHA,
                "name_exchange": "BTCUSDT",
                "underlying": {"base": "btc", "quote": "usdt"},
            }
        ],
        "execution": {ExchangeId.SIM_ALPHA: {"connector": "simulated", "balances": {"usdt": "1000", "btc": "0"}}},
        "api": {"listen": "127.0.0.1:0", "grpc_listen": "127.0.0.1:0", "reading_without_key": True},
        "audit": {"archive": False, "prune": False},
        "runtime": {"http": {"audit": "127.0.0.1:0"}},
    }
    return Settings(**{**values, **sections})
