"""A replay's settings come from the recordings, or from a configuration with the recordings put in."""

from pathlib import Path

import pytest

from services.replay import _settings
from services.replaying.settings import BASE_BALANCE, QUOTE_BALANCE, NothingRecorded, replay_settings
from tests.support.recordings import START_NS, line, recording, trade
from tests.support.replaying import moving_recording
from tradebus.config import Mode
from tradebus.config.sections.engine import HashCadence
from tradebus.core.model.identifiers import ExchangeId


def two_symbols(folder: Path) -> list[Path]:
    return [
        recording(folder / f"binance-spot-{symbol.lower()}.gz", [line(START_NS, trade(symbol, 1))])
        for symbol in ("BTCUSDT", "ETHBTC")
    ]


def test_what_is_recorded_is_traded_with_balances_of_both_sides(tmp_path: Path) -> None:
    settings = replay_settings(two_symbols(tmp_path), "run", hash_every_batch=False)
    assert (settings.mode, settings.journal_id) == (Mode.REPLAY, "replay-run")
    index = settings.indexed_instruments()
    assert [instrument.name for instrument in index.instruments] == ["binance_spot-btc_usdt", "binance_spot-eth_btc"]
    balances = settings.execution[ExchangeId.BINANCE_SPOT].balances
    assert {name: str(amount) for name, amount in balances.items()} == {
        "btc": QUOTE_BALANCE,
        "usdt": QUOTE_BALANCE,
        "eth": BASE_BALANCE,
    }
    assert settings.engine.trading_at_start
    assert [strategy.id for strategy in settings.engine.strategies] == ["ema", "quoter"]
    assert isinstance(settings.engine.hash_every, HashCadence)


def test_every_batch_is_hashed_when_asked_for(tmp_path: Path) -> None:
    assert replay_settings(two_symbols(tmp_path), "run", hash_every_batch=True).engine.hash_every == "batch"


def test_a_recording_of_nothing_is_refused(tmp_path: Path) -> None:
    empty = recording(tmp_path / "binance-spot-none.txt", [])
    with pytest.raises(NothingRecorded, match=r"no instrument recognised in .*binance-spot-none\.txt"):
        replay_settings([empty], "run", hash_every_batch=False)


def test_a_configuration_keeps_its_own_settings_but_for_the_recordings(tmp_path: Path) -> None:
    file = moving_recording(tmp_path, 10)
    config = tmp_path / "own.toml"
    config.write_text(
        f"""
mode = "replay"
recording = ["{file}"]
[engine]
trading_at_start = false
[[instruments]]
exchange = "binance_spot"
name_exchange = "BTCUSDT"
underlying = {{ base = "btc", quote = "usdt" }}
[execution.binance_spot]
connector = "simulated"
balances = {{ usdt = "5", btc = "0" }}
"""
    )
    plain = _settings([file], config, "r1", hash_every_batch=False)
    hashed = _settings([file], config, "r2", hash_every_batch=True)
    assert plain.recording == [file.resolve()]
    assert (plain.journal_id, hashed.journal_id) == ("replay-r1", "replay-r2")
    assert not plain.engine.trading_at_start
    assert isinstance(plain.engine.hash_every, HashCadence)
    assert hashed.engine.hash_every == "batch"


def test_missing_recordings_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such recording: .*a\.gz, .*b\.gz"):
        _settings([tmp_path / "a.gz", tmp_path / "b.gz"], None, "run", hash_every_batch=False)
