"""What the children are really given: chosen ports, absolute paths, no second copy of the environment."""

import textwrap
from pathlib import Path

import pytest

from services.runtime.ports import check_free
from services.supervisor import effective
from tradebus.config import Flags, HttpSettings, Settings, load

CONFIG = """
    [[instruments]]
    exchange = "sim_alpha"
    name_exchange = "BTCUSDT"
    underlying = { base = "btc", quote = "usdt" }
    [execution.sim_alpha]
    connector = "simulated"
    balances = { usdt = "1000", btc = "0" }
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "tradebus.toml"
    path.write_text(textwrap.dedent(CONFIG))
    return load(Flags(path), {}).settings


def ports(settings: Settings) -> set[int]:
    http = settings.runtime.http
    return {getattr(http, name).port for name in HttpSettings.model_fields}


def test_internal_addresses_are_free_ones_unless_configured(settings: Settings, tmp_path: Path) -> None:
    settled = effective.settle(settings, tmp_path / "data", any_ports=False)
    assert len(ports(settled)) == 4
    assert not ports(settled) & ports(settings)
    assert settled.api == settings.api
    assert settled.nats.url == settings.nats.url
    configured = settings.model_copy(
        update={"runtime": settings.runtime.model_copy(update={"http": settled.runtime.http})}
    )
    assert effective.settle(configured, tmp_path, any_ports=False).runtime.http == settled.runtime.http


def test_with_any_ports_nothing_configured_is_taken(settings: Settings, tmp_path: Path) -> None:
    settled = effective.settle(settings, tmp_path, any_ports=True)
    assert settled.api.listen.port not in {0, settings.api.listen.port}
    assert settled.nats.address.port == 0
    assert check_free(effective.listening(settled)) == []


def test_paths_do_not_depend_on_where_a_child_runs(settings: Settings, tmp_path: Path) -> None:
    settled = effective.settle(settings, tmp_path / "data", any_ports=False)
    assert settled.runtime.data_dir == tmp_path / "data"
    assert settled.nats.store_dir == tmp_path / "data/nats"
    assert Path(settled.engine.strategies_dir).is_absolute()


def test_the_file_of_a_run_reads_back_as_what_was_written(settings: Settings, tmp_path: Path) -> None:
    settled = effective.settle(settings, tmp_path / "data", any_ports=True)
    settled = effective.with_nats_url(settled, "nats://127.0.0.1:4999")
    path = tmp_path / "data/run/tradebus.toml"
    effective.write(settled, path)
    assert load(Flags(path), {}).settings == settled


def test_children_get_the_file_instead_of_our_variables(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRADEBUS_MODE", "paper")
    monkeypatch.setenv("TRADEBUS__API__LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("TRADEBUS_CORE", "compiled")
    monkeypatch.setenv("HOME", "/home/somebody")
    given = effective.environment(settings, tmp_path / "x.toml", {"TRADEBUS__ENGINE__ID": "abc"})
    assert {name: value for name, value in given.items() if name.startswith("TRADEBUS_")} == {
        "TRADEBUS_CONFIG": str(tmp_path / "x.toml"),
        "TRADEBUS_CORE": "compiled",
        "TRADEBUS__ENGINE__ID": "abc",
    }
    assert given["HOME"] == "/home/somebody"
    live = settings.model_copy(update={"allow_live": True})
    assert effective.environment(live, tmp_path, {})["TRADEBUS_ALLOW_LIVE"] == "yes"


def test_a_service_whose_port_the_broker_took_gets_another(settings: Settings, tmp_path: Path) -> None:
    settled = effective.settle(settings, tmp_path, any_ports=True)
    http, api = settled.runtime.http, settled.api
    found = effective.with_nats_url(
        settled, f"nats://127.0.0.1:{http.audit.port}", f"http://127.0.0.1:{api.listen.port}"
    )
    assert found.runtime.http.audit.port not in {http.audit.port, api.listen.port}
    assert found.api.listen.port not in {http.audit.port, api.listen.port}
    assert (found.runtime.http.engine, found.api.grpc_listen) == (http.engine, api.grpc_listen)
