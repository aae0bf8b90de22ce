"""Files, environment and flags become one configuration, and each value knows where it came from."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tradebus.config import ConfigError, Flags, Loaded, Mode, load, load_settings
from tradebus.core.model.identifiers import ExchangeId

Write = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]


def loaded(path: Path, *settings: str, mode: str | None = None, **environ: str) -> Loaded:
    return load(Flags(path, mode, [], list(settings)), environ)


def problems(path: Path | None, *settings: str, mode: str | None = None, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(Flags(path, mode, [], list(settings)), environ)
    return [str(problem) for problem in caught.value.problems]


def test_layers_override_from_defaults_to_flags(write: Write) -> None:
    path = write()
    assert loaded(path).settings.execution[ExchangeId.SIM_ALPHA].latency_ms == 100
    assert loaded(write(add="latency_ms = 1")).settings.execution[ExchangeId.SIM_ALPHA].latency_ms == 1
    write(name="conf.d/10-latency.toml", text="[execution.sim_alpha]\nlatency_ms = 2")
    assert loaded(path).settings.execution[ExchangeId.SIM_ALPHA].latency_ms == 2
    write(name="conf.d/20-latency.toml", text="[execution.sim_alpha]\nlatency_ms = 3")
    assert loaded(path).settings.execution[ExchangeId.SIM_ALPHA].latency_ms == 3
    environ = {"TRADEBUS__EXECUTION__SIM_ALPHA__LATENCY_MS": "4"}
    assert loaded(path, **environ).settings.execution[ExchangeId.SIM_ALPHA].latency_ms == 4
    with_flag = loaded(path, "execution.sim_alpha.latency_ms=5", **environ)
    assert with_flag.settings.execution[ExchangeId.SIM_ALPHA].latency_ms == 5


def test_a_higher_table_adds_to_a_lower_one_and_a_list_replaces_it(write: Write) -> None:
    path = write()
    write(name="conf.d/add.toml", text='[execution.sim_alpha.balances]\nusdt = "5"')
    assert loaded(path).settings.execution[ExchangeId.SIM_ALPHA].balances == {"usdt": Decimal(5), "btc": Decimal(0)}
    write(
        name="conf.d/other.toml",
        text="""
        [[engine.strategies]]
        id = "other"
        class = "mine:Other"
        """,
    )
    assert [item.id for item in loaded(path).settings.engine.strategies] == ["other"]


def test_the_overlay_of_the_mode_is_laid_over_the_file(write: Write) -> None:
    path = write()
    write(
        name="tradebus.paper.toml",
        text="""
        [[instruments]]
        exchange = "binance_spot"
        name_exchange = "BTCUSDT"
        underlying = { base = "btc", quote = "usdt" }
        [execution.binance_spot]
        connector = "simulated"
        balances = { usdt = "1", btc = "1" }
        """,
    )
    assert loaded(path).settings.exchanges == [ExchangeId.SIM_ALPHA]
    for paper in (loaded(path, TRADEBUS_MODE="paper"), loaded(path, mode="paper"), loaded(path, "mode=paper")):
        assert paper.settings.mode is Mode.PAPER
        assert paper.settings.exchanges == [ExchangeId.BINANCE_SPOT]
        assert [each.name for each in paper.files] == ["tradebus.toml", "tradebus.paper.toml"]


def test_every_value_knows_where_it_came_from(write: Write) -> None:
    path = write()
    extra = write(name="conf.d/extra.toml", text="[engine]\ntrading_at_start = true")
    result = loaded(path, "api.listen=127.0.0.1:9", TRADEBUS__ENGINE__ID="abc")
    origins = {item.path: item.where for item in result.origins}
    assert origins["mode"] == str(path)
    assert origins["instruments[0].underlying.base"] == str(path)
    assert origins["engine.trading_at_start"] == str(extra)
    assert origins["engine.id"] == "TRADEBUS__ENGINE__ID"
    assert origins["api.listen"] == "flag --set"
    assert origins["nats.url"] == "default"


def test_toml_numbers_become_decimals_without_a_float_in_between(write: Write) -> None:
    long = "0.12345678901234567890123"
    path = write(('usdt = "1000"', f"usdt = {long}"), add=f"fees_percent = {long}")
    execution = loaded(path).settings.execution[ExchangeId.SIM_ALPHA]
    assert execution.balances["usdt"] == Decimal(long)
    assert execution.fees_percent == Decimal(long)
    assert execution.fee_fraction_taker == Decimal(long) / 100
    assert execution.fee_fraction_maker == execution.fee_fraction_taker


def test_environment_reaches_into_lists_and_parameters(write: Write) -> None:
    path = write()
    result = loaded(
        path,
        TRADEBUS__ENGINE__STRATEGIES__0__PARAMS__FAST="7",
        TRADEBUS__ENGINE__STRATEGIES__0__PARAMS__EDGE="0.10",
        TRADEBUS__ENGINE__STRATEGIES__0__PARAMS__NAME="plain words",
        TRADEBUS__ENGINE__STRATEGIES__0__INSTRUMENTS='["sim_alpha-btc_usdt"]',
        TRADEBUS__EXECUTION__SIM_ALPHA__BALANCES='{usdt = "7", btc = 1}',
    )
    strategy = result.settings.engine.strategies[0]
    assert strategy.params == {"fast": 7, "edge": Decimal("0.10"), "name": "plain words"}
    assert strategy.instruments == ["sim_alpha-btc_usdt"]
    assert result.settings.execution[ExchangeId.SIM_ALPHA].balances == {"usdt": Decimal(7), "btc": Decimal(1)}


def test_empty_variables_count_as_unset(write: Write) -> None:
    settings = loaded(write(), TRADEBUS_MODE="", TRADEBUS_RECORDING=" ", TRADEBUS__ENGINE__ID="").settings
    assert settings.mode is Mode.DEMO
    assert settings.engine_id == "demo"


def test_variables_of_compose_and_make_are_not_ours(write: Write) -> None:
    loaded(write(), TRADEBUS_VERSION="1", TRADEBUS_CORE="compiled", TRADEBUS_EXPECT_COMPILED="1", TRADEBUS_API_PORT="1")


def test_recordings_come_from_the_short_variable_and_folders_are_opened(write: Write, tmp_path: Path) -> None:
    overlay = """
        [[instruments]]
        exchange = "binance_spot"
        name_exchange = "BTCUSDT"
        underlying = { base = "btc", quote = "usdt" }
        [execution.binance_spot]
        connector = "simulated"
        balances = { usdt = "1", btc = "1" }
    """
    write(name="tradebus.replay.toml", text=overlay)
    folder = tmp_path / "day"
    folder.mkdir()
    for name in ("b.gz", "a.gz"):
        (folder / name).touch()
    single = tmp_path / "c.gz"
    single.touch()
    settings = loaded(write(), TRADEBUS_MODE="replay", TRADEBUS_RECORDING=f"{single}:{folder}").settings
    assert settings.recording_files() == [single, folder / "a.gz", folder / "b.gz"]
    assert settings.source(ExchangeId.BINANCE_SPOT) == "recording"
    missing = str(tmp_path / "none.gz")
    (problem,) = problems(write(), TRADEBUS_MODE="replay", TRADEBUS_RECORDING=missing)
    assert problem.startswith("TRADEBUS_RECORDING: recording[0]: expected a file or a folder of recordings")
    assert f"found nothing at '{missing[:40]}" in problem, "a long path is cut short"


@pytest.mark.parametrize("name", ["tradebus.toml", "examples/paper.toml"])
def test_the_configurations_that_ship_are_valid(name: str) -> None:
    load(Flags(ROOT / "config" / name), {})


@pytest.mark.parametrize("mode", ["demo", "paper", "replay"])
def test_the_demo_s_file_serves_every_mode_but_live(mode: str, tmp_path: Path) -> None:
    environ = {"TRADEBUS_RECORDING": str(tmp_path)} if mode == "replay" else {}
    assert load(Flags(ROOT / "config/tradebus.toml", mode), environ).settings.mode == mode


def test_the_live_example_is_refused_even_with_both_switches() -> None:
    found = problems(ROOT / "config/examples/live.toml", TRADEBUS_ALLOW_LIVE="yes")
    assert found
    assert all("live.toml: execution.binance_spot.connector: expected `simulated`, all that" in text for text in found)


def test_settings_are_loaded_from_a_command_line(write: Write) -> None:
    settings = load_settings(["-c", str(write()), "--set", "engine.id=other"], {})
    assert settings.engine_id == "other"


def test_a_wrong_flag_ends_with_the_usual_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_settings(["--no-such-flag"], {})
    assert caught.value.code == 2
    assert "--no-such-flag" in capsys.readouterr().err


def test_no_configuration_file_is_said_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert problems(None) == [
        (
            "configuration: expected a configuration file at config/tradebus.toml, found no such file. "
            "Name one with TRADEBUS_CONFIG or --config."
        )
    ]
    assert problems(None, TRADEBUS_CONFIG="nowhere.toml") == [
        "TRADEBUS_CONFIG: expected a configuration file at nowhere.toml, found no such file"
    ]
