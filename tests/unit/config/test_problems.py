"""Whatever is wrong is said all at once, with where it stands, what was expected and what was found."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tradebus.config import (
    ConfigError,
    EngineSettings,
    ExecutionSettings,
    Flags,
    Mode,
    NatsSettings,
    Settings,
    load,
)
from tradebus.core.model.identifiers import ExchangeId

Write = Callable[..., Path]


def problems(path: Path, *settings: str, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(Flags(path, None, [], list(settings)), environ)
    return [str(problem).removeprefix(f"{path}: ") for problem in caught.value.problems]


def test_every_problem_is_reported_at_once_with_file_and_key_path(write: Write) -> None:
    path = write(
        ('id = "ema"', 'id = "EMA"'),
        ('"sim_alpha"', '"sim_alfa"'),
        ('connector = "simulated"', 'connector = "ccxt"\nlatency_ms = -1\ncolour = "red"'),
        add='[api]\nlisten = "8000"\n[nats]\nurl = "localhost"',
    )
    extra = write(name="conf.d/extra.toml", text="[engin]\nid = 1")
    found = problems(path, "engine.hash_every=often", TRADEBUS__RUNTIME__LOG_LEVEL="loud")
    assert sorted(found) == sorted(
        [
            (
                "engine.strategies[0].id: expected 1 to 32 lower-case letters, digits and _, beginning with a letter, "
                "found 'EMA'"
            ),
            (
                "instruments[0].exchange: expected an exchange id, as in `binance_spot`, found 'sim_alfa'. "
                "Did you mean `sim_alpha`?"
            ),
            "execution.sim_alpha.latency_ms: expected greater than or equal to 0, found -1",
            (
                "execution.sim_alpha.colour: expected a known key: `account`, `balances`, `connector`, "
                "`fees_maker_percent`, `fees_percent` or `latency_ms`, found `colour`"
            ),
            "execution.sim_alpha.connector: expected `simulated`, all that this version has, found `ccxt`",
            "api.listen: expected host:port, as in 127.0.0.1:8000, found '8000'",
            "nats.url: expected nats://host:port without user and password, found 'localhost'",
            (
                f"{extra}: engin: expected a known key: `api`, `audit`, `engine`, `execution`, `instruments`, "
                "`market`, `mode`, `nats`, `recording`, `risk_free_return` or `runtime`, "
                "found `engin`. Did you mean `engine`?"
            ),
            "flag --set: engine.hash_every: expected `batch` or a table, found 'often'",
            (
                "TRADEBUS__RUNTIME__LOG_LEVEL: runtime.log_level: expected `debug`, `info`, `warning` or `error`, "
                "found 'loud'"
            ),
        ]
    )


def test_unknown_keys_are_refused_with_a_suggestion_at_every_depth(write: Write) -> None:
    path = write(add="latency = 5\n[api]\nreading_without_keys = true\n[market.sim_alpha.generator]\nsed = 1")
    found = problems(path)
    assert len(found) == 3
    assert found[0].startswith("execution.sim_alpha.latency: ")
    assert found[0].endswith("Did you mean `latency_ms`?")
    assert found[1].startswith("market.sim_alpha.generator.sed: ")
    assert found[1].endswith("Did you mean `seed`?")
    assert found[2].startswith("api.reading_without_keys: ")
    assert found[2].endswith("Did you mean `reading_without_key`?")


def test_unknown_variables_with_our_prefix_are_refused(write: Write) -> None:
    found = problems(write(), TRADEBUS__ENGNE__ID="x", TRADEBUS_MOED="paper", TRADEBUS__="x", TRADEBUS__A____B="1")
    assert any(
        text.startswith("TRADEBUS__ENGNE__ID: engne: ") and text.endswith("Did you mean `engine`?") for text in found
    )
    assert any(text.startswith("TRADEBUS_MOED: ") and text.endswith("Did you mean `TRADEBUS_MODE`?") for text in found)
    assert any(text.startswith("TRADEBUS__: expected TRADEBUS__SECTION__KEY") for text in found)
    assert any(text.startswith("TRADEBUS__A____B: expected TRADEBUS__SECTION__KEY") for text in found)


def test_a_file_that_is_no_toml_is_named_with_the_line(write: Write) -> None:
    bad = write(text="mode = demo")
    (found,) = problems(bad)
    assert found.startswith("expected TOML, found Invalid value (at line 1, column 8)")
    bad.write_bytes(b"\xff\xfe")
    assert problems(bad)[0].startswith("expected a readable UTF-8 file")


def test_positions_beyond_a_list_and_below_a_value_are_refused(write: Write) -> None:
    assert problems(write(), TRADEBUS__INSTRUMENTS__1__KIND="spot") == [
        "TRADEBUS__INSTRUMENTS__1__KIND: instruments.1: expected a position from 0 to 0, found 1"
    ]
    assert problems(write(), "instruments.0.kind.x.y=1")[0].startswith("flag --set: instruments[0].kind")


def test_text_that_begins_like_a_list_and_is_none_is_refused(write: Write) -> None:
    assert problems(write(), TRADEBUS__ENGINE__RISK="[oops") == [
        "TRADEBUS__ENGINE__RISK: expected a list or table in JSON or TOML, found '[oops'"
    ]


@pytest.mark.parametrize("value", ["true", '"nan"', '"inf"', '"1_000"', '"1,5"', '""', '"1e999"', "[1]", "{}"])
def test_what_is_no_decimal_is_refused(write: Write, value: str) -> None:
    (found,) = problems(write(('usdt = "1000"', f"usdt = {value}")))
    assert found.startswith('execution.sim_alpha.balances.usdt: expected a decimal number, as in "0.05", found ')


def test_a_program_s_float_is_no_decimal() -> None:
    with pytest.raises(ValueError, match="a decimal number"):
        ExecutionSettings(connector="simulated", balances={"usdt": 0.1})  # type: ignore[dict-item]


@pytest.mark.parametrize("engine_id", ["", "1a", "Abc", "a-b", "abcdefghijklm"])
def test_engine_ids_that_no_client_order_id_could_carry_are_refused(engine_id: str) -> None:
    with pytest.raises(ValueError, match=r"id\n.*should match"):
        EngineSettings(id=engine_id)


def test_every_traded_exchange_needs_an_account_with_a_balance_of_each_asset(write: Write) -> None:
    path = write(
        ("[execution.sim_alpha]", "[execution.sim_beta]"),
        add="""
        [[instruments]]
        exchange = "sim_beta"
        name_exchange = "ETHUSDT"
        underlying = { base = "ETH", quote = "usdt" }
        """,
    )
    assert problems(path) == [
        "execution.sim_alpha: expected a table `[execution.sim_alpha]` for instruments[0], found none",
        "execution.sim_beta.balances.eth: expected a balance, may be 0, as instruments[1] trades it, found none",
        "execution.sim_beta.balances.btc: expected an asset of an instrument on this exchange, found 'btc'",
    ]


def test_a_misspelt_asset_among_the_balances_is_suggested(write: Write) -> None:
    found = problems(write(("usdt = ", "usd = ")))
    assert found[1].endswith("found 'usd'. Did you mean `usdt`?")


def test_what_this_version_cannot_do_is_refused_not_ignored(write: Write) -> None:
    path = write(
        (
            "[engine]",
            (
                '[engine]\nrisk = ["max_order_notional", "max_order_notionl", "max_order_notional"]\n'
                "[engine.risk_params]\nrate = { orders_max = 1 }"
            ),
        ),
        (
            "underlying = ",
            'kind = { perpetual = { contract_size = "1", settlement_asset = "usdt" } }\nunderlying = ',
        ),
    )
    assert problems(path) == [
        (
            "engine.risk[1]: expected a risk check: `max_order_notional`, `max_order_quantity`, `price_band`, "
            "`max_open_orders`, `max_position`, `max_exposure`, `order_rate` or `self_cross`, "
            "or a class as package.module:Class, found 'max_order_notionl'. Did you mean `max_order_notional`?"
        ),
        "engine.risk[2]: expected each risk check once, found 'max_order_notional'",
        "engine.risk_params.rate: expected limits of a check that `engine.risk` names, found 'rate'",
        "instruments[0].kind: expected `spot`, all that this version trades, found `perpetual`",
    ]


def test_instruments_must_differ_in_name_and_agree_on_assets(write: Write) -> None:
    path = write(
        add="""
        [[instruments]]
        exchange = "sim_alpha"
        name_exchange = "BTC-USDT"
        underlying = { base = "btc", quote = "USDT" }
        """
    )
    found = problems(path)
    assert found[0].startswith("instruments[1].name_internal: expected a name of its own, found 'sim_alpha-btc_usdt'")
    assert found[1].startswith("instruments: expected one spelling per asset and exchange")
    assert "'USDT' and 'usdt'" in found[1]


def test_spot_priced_in_its_base_makes_no_sense(write: Write) -> None:
    (found,) = problems(write(("underlying = ", 'quote = "underlying_base"\nunderlying = ')))
    assert found.startswith("instruments[0]: expected an instrument that makes sense")


def test_strategies_name_instruments_that_exist(write: Write) -> None:
    found = problems(write(("class = ", 'instruments = ["sim_alpha-btc_usd"]\nclass = ')))
    assert found == [
        (
            "engine.strategies[0].instruments[0]: expected the name of a configured instrument, "
            "found 'sim_alpha-btc_usd'. Did you mean `sim_alpha-btc_usdt`?"
        )
    ]


def test_two_strategies_cannot_share_an_id(write: Write) -> None:
    path = write(("[[instruments]]", '[[engine.strategies]]\nid = "ema"\nclass = "a:B"\n[[instruments]]'))
    assert problems(path) == ["engine: expected strategies with different ids, found ema"]


def test_a_single_strategy_has_a_short_form(write: Write) -> None:
    strategy = '[[engine.strategies]]\nid = "ema"\nclass = "tradebus.strategies.ema_cross:EmaCross"'
    short = 'strategy = "mine.flow:HighLow"\n[engine.strategy_params]\nfast = 20'
    path = write((f"[engine]\n{strategy}", f"[engine]\n{short}"))
    (found,) = load(Flags(path), {}).settings.engine.strategies
    assert (found.id, found.class_path, found.params) == ("high_low", "mine.flow:HighLow", {"fast": 20})
    both = problems(write((f"[engine]\n{strategy}", f'[engine]\nstrategy = "a:B"\n{strategy}')))
    assert both[0].startswith("engine: expected either `strategy` or `[[engine.strategies]]`, not both")
    assert problems(write((f"[engine]\n{strategy}", '[engine]\nstrategy = "no colon"'))) == [
        "engine.strategy: expected a class as package.module:Class, found 'no colon'"
    ]


def test_a_mode_takes_its_own_kind_of_data_only(write: Write) -> None:
    live = "[market.sim_alpha]\nsource = 'live'"
    assert problems(write(add=live)) == ["market.sim_alpha.source: expected `generator` in mode `demo`, found `live`"]
    assert problems(write(('mode = "demo"', 'mode = "paper"'))) == [
        (
            "instruments[0].exchange: expected an exchange with a live feed for mode `paper`: `binance_spot`, "
            "found `sim_alpha`"
        )
    ]
    assert problems(write(('mode = "demo"', 'mode = "replay"'))) == [
        "recording: expected at least one recording (TRADEBUS_RECORDING) in mode `replay`, found none",
        (
            "instruments[0].exchange: expected an exchange whose recordings can be replayed for mode `replay`: "
            "`binance_spot`, found `sim_alpha`"
        ),
    ]
    assert problems(write(), TRADEBUS_RECORDING="/x")[0].startswith(
        "TRADEBUS_RECORDING: recording: expected no recording in mode `demo`"
    )


def test_live_needs_its_switch_in_the_environment_and_nowhere_else(write: Write) -> None:
    live = problems(write(('mode = "demo"', 'mode = "live"\nallow_live = true')))
    assert (
        live[0]
        == "allow_live: expected this switch in the environment variable TRADEBUS_ALLOW_LIVE only, found it in a file"
    )
    assert any("TRADEBUS_ALLOW_LIVE=yes beside mode `live`, found no such permission" in text for text in live)
    assert any(text.startswith("nats.embedded: ") for text in live)
    assert any(text.startswith("nats.users_dir: expected the folder of the users' keys") for text in live)
    for text in problems(write(), "allow_live=true", TRADEBUS__ALLOW_LIVE="yes", TRADEBUS_ALLOW_LIVE="perhaps"):
        assert "allow_live: expected" in text


def test_addresses_and_accounts_are_not_shared(write: Write) -> None:
    path = write(
        add="""
        account = "same"
        [execution.sim_beta]
        connector = "simulated"
        account = "same"
        [runtime.http]
        market = "127.0.0.1:8000"
        engine = "127.0.0.1:0"
        audit = "127.0.0.1:0"
        """
    )
    assert problems(path) == [
        "execution.sim_beta.account: expected an account of its own, found `same`, which `sim_alpha` has",
        "runtime.http.market: expected an address of its own, found 127.0.0.1:8000, which `api.listen` has",
    ]


def test_the_embedded_server_listens_on_loopback(write: Write) -> None:
    assert problems(write(), "nats.url=nats://10.0.0.1:4222") == [
        "flag --set: nats.url: expected a loopback address for the embedded server, found 'nats://10.0.0.1:4222'"
    ]
    load(Flags(write(), settings=["nats.url=nats://10.0.0.1:4222", "nats.embedded=false"]), {})


def test_settings_made_by_a_program_are_checked_the_same_way(write: Write) -> None:
    settings = load(Flags(write()), {}).settings
    with pytest.raises(ConfigError) as caught:
        Settings(mode=Mode.PAPER, instruments=settings.instruments, execution={}, nats=NatsSettings(embedded=False))
    assert [problem.where for problem in caught.value.problems] == ["settings", "settings"]
    balances = {"usdt": Decimal(1), "btc": Decimal(1)}
    execution = {ExchangeId.SIM_ALPHA: ExecutionSettings(connector="simulated", balances=balances)}
    assert Settings(instruments=settings.instruments, execution=execution).engine_id == "demo"


def test_a_problem_found_later_names_the_same_place(write: Write) -> None:
    path = write()
    settings = load(Flags(path), {"TRADEBUS__ENGINE__ID": "abc"}).settings
    later = settings.problem(("engine", "strategies", 0, "params"), "a fast average below the slow one", "20 and 10")
    assert str(later) == (
        f"{path}: engine.strategies[0].params: expected a fast average below the slow one, found 20 and 10"
    )
    assert settings.problem(("engine", "id"), "x", "y").where == "TRADEBUS__ENGINE__ID"
