"""What settings offer to the services."""

import json
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebus.config import (
    Address,
    ConfigError,
    Flags,
    Settings,
    json_schema,
    load,
    toml,
)
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.instrument import InstrumentKind, QuantityUnit

Write = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]


def test_instruments_are_indexed_as_the_core_numbers_them(write: Write) -> None:
    spec = """
        [instruments.spec]
        price = { tick_size = "0.01" }
        quantity = { increment = "0.001", min = "0.002" }
        notional = { min = "5" }
        [execution.sim_alpha]"""
    path = write(('base = "btc"', 'base = "BTC"'), ("[execution.sim_alpha]", spec))
    index = load(Flags(path), {}).settings.indexed_instruments()
    (instrument,) = index.instruments
    assert index.exchanges == [ExchangeId.SIM_ALPHA]
    assert instrument.name == "sim_alpha-btc_usdt"
    assert instrument.definition.base.name_exchange == "BTC"
    assert instrument.definition.contract.kind is InstrumentKind.SPOT
    spec_found = instrument.definition.spec
    assert spec_found is not None
    assert (spec_found.tick_size, spec_found.lot_size, spec_found.quantity_min, spec_found.notional_min) == (
        Decimal("0.01"),
        Decimal("0.001"),
        Decimal("0.002"),
        Decimal(5),
    )
    assert spec_found.quantity_unit is QuantityUnit.ASSET
    assert spec_found.quantity_asset == instrument.definition.base


def test_accounts_are_named_after_exchange_and_connector(write: Write) -> None:
    assert load(Flags(write()), {}).settings.account(ExchangeId.SIM_ALPHA) == "sim_alpha-paper"
    assert load(Flags(write(add='account = "mine"')), {}).settings.account(ExchangeId.SIM_ALPHA) == "mine"


def test_a_replay_s_run_is_part_of_its_journal_s_name(write: Write) -> None:
    settings = load(Flags(write()), {}).settings
    assert (settings.engine_id, settings.journal_id) == ("demo", "demo")
    with pytest.raises(ConfigError, match="no run in other modes"):
        load(Flags(write()), {"TRADEBUS__RUNTIME__RUN": "a1"})


@pytest.mark.parametrize("mode", ["demo", "paper"])
def test_effective_settings_written_as_toml_read_back_equal(mode: str, tmp_path: Path) -> None:
    settings = load(Flags(ROOT / "config/tradebus.toml", mode), {}).settings
    path = tmp_path / "effective.toml"
    path.write_text(toml.dump(settings.as_data()))
    assert load(Flags(path), {}).settings == settings


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner.filter(lambda value: value is not None), max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES, max_size=4))
def test_toml_reads_back_what_was_written(data: dict[str, object]) -> None:
    assert tomllib.loads(toml.dump(data), parse_float=Decimal) == _without_none(data)


def _without_none(value: object) -> object:
    match value:
        case dict():
            return {key: _without_none(item) for key, item in value.items() if item is not None}
        case list():
            return [_without_none(item) for item in value]
        case _:
            return value


def test_the_schema_describes_every_key_of_the_file() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == set(Settings.model_fields) - {"allow_live"}
    engine = schema["$defs"]["EngineSettings"]["properties"]
    assert {"strategies", "strategy", "strategy_params", "trading_at_start"} <= set(engine)
    assert schema["$defs"]["StrategySettings"]["properties"]["class"]["description"].startswith("The class as")
    committed = json.loads((ROOT / "config/tradebus.schema.json").read_text())
    # The wording is pydantic's and may change with it; which keys there are is ours.
    assert _keys(committed) == _keys(schema), "stale: tradebus config schema > config/tradebus.schema.json"


def _keys(schema: dict[str, Any]) -> dict[str, list[str]]:
    tables = {"": schema, **schema["$defs"]}
    return {name: sorted(table.get("properties", {})) for name, table in tables.items()}


@pytest.mark.parametrize(
    ("text", "host", "port", "url"),
    [
        ("127.0.0.1:8000", "127.0.0.1", 8000, "http://127.0.0.1:8000"),
        ("0.0.0.0:80", "0.0.0.0", 80, "http://127.0.0.1:80"),  # noqa: S104 - text, nothing listens
        ("[::1]:9", "::1", 9, "http://[::1]:9"),
        ("audit:8000", "audit", 8000, "http://audit:8000"),
    ],
)
def test_addresses_are_read_and_written(text: str, host: str, port: int, url: str) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.url, str(address)) == (host, port, url, text)


@pytest.mark.parametrize("text", ["", "8000", ":8000", "host:", "host:70000", "a b:1", "http://x:1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Address.parse(text)
