"""User-defined data is configured by its class, like a strategy, and tried before anything starts."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.engine.started import engine_started
from tradebus.config import ConfigError, Flags, load
from tradebus.config.settings import Settings
from tradebus.config.strategies import make_strategies
from tradebus.core.engine.event import DataSetup

Write = Callable[..., Path]

MODULE = """
from tradebus.core.engine.state.user_data import GlobalData, InstrumentData


class Totals(GlobalData):
    def __init__(self, params, index):
        self.since = int(params.get("since", "0"))


class PerStrategy(InstrumentData):
    def __init__(self, params, index, instrument):
        self.name = instrument.name


class Fussy(InstrumentData):
    def __init__(self, params, index, instrument):
        raise KeyError("since")
"""

BOTH = """
    [engine.global_data]
    class = "user_data_of_a_test:Totals"
    params = { since = 5 }
    [engine.instrument_data]
    class = "user_data_of_a_test:PerStrategy"
"""


@pytest.fixture(autouse=True)
def _their_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "user_data_of_a_test.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("user_data_of_a_test", None)


def settings_of(path: Path, *changes: str) -> Settings:
    return load(Flags(path, None, [], list(changes)), {}).settings


def test_data_is_part_of_the_start_record(write: Write) -> None:
    settings = settings_of(write(add=BOTH))
    started = engine_started(settings, "run")
    assert started.global_data == DataSetup("user_data_of_a_test:Totals", (("since", "5"),))
    assert started.instrument_data == DataSetup("user_data_of_a_test:PerStrategy", ())
    assert len(make_strategies(settings)) == 1


def test_without_it_there_is_none(write: Write) -> None:
    started = engine_started(settings_of(write()), "run")
    assert (started.global_data, started.instrument_data) == (None, None)


@pytest.mark.parametrize(
    ("key", "path", "words"),
    [
        ("global_data", "user_data_of_a_test:PerStrategy", "has no GlobalData class 'PerStrategy'"),
        ("instrument_data", "user_data_of_a_test:Totals", "has no InstrumentData class 'Totals'"),
        ("global_data", "user_data_nowhere:Totals", "no module 'user_data_nowhere'"),
        ("instrument_data", "user_data_of_a_test:Fussy", "KeyError"),
    ],
)
def test_data_that_cannot_be_made_is_a_problem_of_the_configuration(
    write: Write, key: str, path: str, words: str
) -> None:
    settings = settings_of(write(add=BOTH), f"engine.{key}.class={path}")
    with pytest.raises(ConfigError) as caught:
        make_strategies(settings)
    (problem,) = caught.value.problems
    assert f"engine.{key}: expected data that can be made" in str(problem)
    assert words in str(problem)


def test_parameters_that_a_class_refuses_are_a_problem(write: Write) -> None:
    settings = settings_of(write(add=BOTH), "engine.global_data.params.since=soon")
    with pytest.raises(ConfigError, match="invalid literal"):
        make_strategies(settings)
