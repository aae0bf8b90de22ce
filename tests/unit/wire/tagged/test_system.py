"""The reference's system configuration, and the engine that it starts."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.identifiers import ExchangeId
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.tagged.system import system_config, system_started

CONFIG: dict[str, Any] = {
    "risk_free_return": 0.05,
    "instruments": [
        {
            "exchange": "binance_spot",
            "name_exchange": name,
            "underlying": {"base": name[:3].lower(), "quote": "usdt"},
            "quote": "underlying_quote",
            "kind": "spot",
        }
        for name in ("BTCUSDT", "ETHUSDT")
    ],
    "executions": [
        {
            "mocked_exchange": "binance_spot",
            "latency_ms": 100,
            "fees_percent": 0.05,
            "initial_state": {
                "exchange": "binance_spot",
                "balances": [
                    {
                        "asset": name,
                        "balance": {"total": amount, "free": amount},
                        "time_exchange": "2025-03-24T21:30:00Z",
                    }
                    for name, amount in (("usdt", 10_000), ("btc", "0.1"))
                ],
                "instruments": [{"instrument": "BTCUSDT", "orders": []}, {"instrument": "ETHUSDT"}],
            },
        }
    ],
}
STATE = ("executions", 0, "initial_state")


def changed(*path: str | int, to: object) -> dict[str, Any]:
    config = deepcopy(CONFIG)
    at: Any = config
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    return config


def test_a_configuration_starts_an_engine_with_trading_off() -> None:
    config = system_config(CONFIG)
    assert [found.name_internal for found in config.instruments] == ["binance_spot-btc_usdt", "binance_spot-eth_usdt"]
    started = system_started(config)
    assert started.trading is TradingState.DISABLED
    (account,) = started.accounts
    assert account.account == "binance_spot-paper"
    simulation = account.simulation
    assert simulation is not None
    assert (simulation.latency_ns, simulation.fee_maker, simulation.fee_taker) == (
        100_000_000,
        Decimal("0.05"),
        Decimal("0.05"),
    )
    assets = {started.index.assets[asset].asset.name_internal: amount for asset, amount in simulation.balances}
    assert assets == {"btc": Decimal("0.1"), "usdt": Decimal(10_000)}
    assert not simulation.is_market_only
    parity = system_started(config, "e", trading=TradingState.ENABLED, is_market_only=True)
    assert parity.trading is TradingState.ENABLED
    assert parity.accounts[0].simulation is not None
    assert parity.accounts[0].simulation.is_market_only


def test_accounts_stand_in_the_order_of_their_exchanges() -> None:
    config = deepcopy(CONFIG)
    config["instruments"].append({**config["instruments"][0], "exchange": "okx"})
    config["executions"].insert(0, {**config["executions"][0], "mocked_exchange": "okx"})
    for execution in config["executions"]:
        execution["initial_state"] = {**execution["initial_state"], "balances": []}
    started = system_started(system_config(config))
    names = [started.index.exchanges[account.exchange] for account in started.accounts]
    assert names == [ExchangeId.BINANCE_SPOT, ExchangeId.OKX]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"instruments": []}, "executions: expected a value, found none"),
    ({"executions": []}, "instruments: expected a value, found none"),
    (changed("executions", 0, "latency_ms", to=-1), r"executions\[0\].latency_ms: expected 0 or more, found -1"),
    (changed("executions", 0, "mocked_exchange", to="mars"), r"executions\[0\].mocked_exchange: expected an exchange"),
    (changed(*STATE, "balances", 0, "asset", to=1), "expected a text, found 1"),
    (changed(*STATE, "instruments", 0, "orders", to=[{}]), r"instruments\[0\].orders: expected no orders"),
    (changed("instruments", 1, "kind", to="swap"), r"instruments\[1\].kind: expected one of"),
]


@pytest.mark.parametrize(("config", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_place(config: dict[str, Any], message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        system_config(config)


CONTRADICTIONS: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda c: c["executions"].append(c["executions"][0]), "expected one account on binance_spot, found two"),
    (lambda c: c["executions"][0].update(mocked_exchange="okx"), "Okx is not one of"),
    (lambda c: c["executions"][0]["initial_state"]["balances"][0].update(asset="sol"), "has no asset 'sol'"),
    (
        lambda c: c["executions"][0]["initial_state"]["balances"][0]["balance"].update(free=1),
        "expected all of 10000 usdt to be free, found 1",
    ),
]


@pytest.mark.parametrize(("change", "message"), CONTRADICTIONS)
def test_an_engine_is_not_started_with_what_contradicts_itself(
    change: Callable[[dict[str, Any]], object], message: str
) -> None:
    config = deepcopy(CONFIG)
    change(config)
    with pytest.raises(DecodeError, match=message):
        system_started(system_config(config))
