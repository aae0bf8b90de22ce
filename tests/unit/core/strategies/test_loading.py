"""Strategies are made from their setup, with errors that say what is wrong."""

import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.builders import setup_of, spot_definition, steps, usual_index
from tradebus.core.engine.event import DataSetup
from tradebus.core.model.identifiers import ExchangeId, StrategyId
from tradebus.core.model.index import index_instruments
from tradebus.strategies.ema_cross import EmaCross, EmaCrossData
from tradebus.strategies.loading import (
    StrategyNotFound,
    UserDataNotFound,
    load_data,
    load_strategy,
    load_user_data,
    make_user_data,
)
from tradebus.strategies.parameters import LOT_DEFAULT, ParameterError, Parameters, quantity_for

NAME = StrategyId("mine")
EMA = "tradebus.strategies.ema_cross:EmaCross"
QUOTER = "tradebus.strategies.quoter:Quoter"


def test_a_strategy_gets_its_name_and_parameters() -> None:
    strategy = load_strategy(setup_of(NAME, EMA, fast="3", slow="7"), usual_index())
    assert isinstance(strategy, EmaCross)
    assert strategy.id == NAME
    data = strategy.initial_data()
    assert data.to_plain()["weight_fast"] == Decimal("0.5")
    assert load_data(setup_of(NAME, EMA, fast="3", slow="7"), usual_index()) == data


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "expected 'package.module:Class', found ''"),
        ("tradebus.strategies.ema_cross", "expected 'package.module:Class'"),
        ("tradebus.strategies.ema_cross.EmaCross", "expected 'package.module:Class'"),
        (":EmaCross", "expected 'package.module:Class'"),
        ("tradebus.strategies.ema_cross:", "expected 'package.module:Class'"),
        ("no_such_package:Thing", "no module 'no_such_package'"),
        ("tradebus.strategies.nothing:Thing", "no module 'tradebus.strategies.nothing'"),
        ("tradebus.strategies.ema_cross:Nothing", "no strategy class 'Nothing'"),
        ("tradebus.strategies.ema_cross:EmaCrossData", "no strategy class 'EmaCrossData'"),
        ("tradebus.strategies.ema_cross:AVERAGE_STEP", "no strategy class 'AVERAGE_STEP'"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(path: str, text: str) -> None:
    with pytest.raises(StrategyNotFound, match=text) as raised:
        load_strategy(setup_of(NAME, path), usual_index())
    assert "mine" in str(raised.value)
    assert load_data(setup_of(NAME, path), usual_index()) is None


def test_a_users_own_package_is_found_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_strategy.py").write_text(
        "from tradebus.core.strategy.interface import Strategy\n"
        "class Theirs(Strategy):\n"
        "    def __init__(self, strategy, params, index):\n"
        "        self.given = (strategy, params, len(index.instruments))\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    strategy = load_strategy(setup_of(NAME, "their_strategy:Theirs", a="1"), usual_index())
    assert getattr(strategy, "given", None) == ("mine", {"a": "1"}, 3)
    monkeypatch.delitem(sys.modules, "their_strategy")


@pytest.mark.parametrize(
    ("path", "params", "text"),
    [
        (EMA, {"fast": "0"}, "fast: expected a whole number above 0, found '0'"),
        (EMA, {"fast": "-1"}, "fast: expected a whole number above 0"),
        (EMA, {"fast": "1.5"}, "fast: expected a whole number above 0"),
        (EMA, {"fast": "٣"}, "fast: expected a whole number above 0"),  # an Arabic digit
        (EMA, {"fast": ""}, "fast: expected a whole number above 0"),
        (EMA, {"fast": "60"}, "expected fast below slow, found 60 and 60"),
        (EMA, {"notional": "0"}, "notional: expected a number above 0, found '0'"),
        (EMA, {"notional": "-5"}, "notional: expected a number above 0"),
        (EMA, {"notional": "NaN"}, "notional: expected a decimal number"),
        (EMA, {"notional": "1,000"}, "notional: expected a decimal number"),
        (EMA, {"instruments": "sim_alpha-btc_usdt, nothing"}, r"found \['nothing'\]"),
        (EMA, {"slwo": "5"}, r"unknown parameters \['slwo'\]"),
        (QUOTER, {"requote_bps": "x"}, "requote_bps: expected a decimal number"),
        (QUOTER, {"notional_max": "0"}, "notional_max: expected a number above 0"),
        (QUOTER, {"fast": "5"}, r"unknown parameters \['fast'\]"),
    ],
)
def test_a_wrong_parameter_names_the_strategy_and_itself(path: str, params: dict[str, str], text: str) -> None:
    with pytest.raises(ParameterError, match=text) as raised:
        load_strategy(setup_of(NAME, path, **params), usual_index())
    assert str(raised.value).startswith("strategy mine: ")


def test_instruments_are_chosen_by_name_in_any_case_and_all_by_default() -> None:
    index = usual_index()
    assert Parameters(NAME, {}).instruments(index) == {0, 1, 2}
    chosen = Parameters(NAME, {"instruments": " Sim_Beta-BTC_usdt ,sim_alpha-eth_usdt,"})
    assert chosen.instruments(index) == {1, 2}


def test_a_text_parameter_has_a_default() -> None:
    read = Parameters(NAME, {"a": "b"})
    assert (read.text("a", "x"), read.text("c", "x")) == ("b", "x")
    read.refuse_rest()


@pytest.mark.parametrize(
    ("lot", "price", "quantity"),
    [("0.1", "30", "33.3"), ("1", "30", "33"), ("0", "30", "33.33333"), ("500", "30", "0")],
)
def test_a_quantity_is_rounded_down_to_the_lot(lot: str, price: str, quantity: str) -> None:
    index = index_instruments([spot_definition(ExchangeId.SIM_ALPHA, spec=steps(lot=lot))])
    assert quantity_for(index.instruments[0], Decimal(1000), Decimal(price)) == Decimal(quantity)
    plain = index_instruments([spot_definition()]).instruments[0]
    assert quantity_for(plain, Decimal(1000), Decimal(30)) % LOT_DEFAULT == 0


def test_data_of_ready_made_strategies_is_plain() -> None:
    index = usual_index()
    data = EmaCrossData(index, 2, 3)
    again = EmaCrossData.__new__(EmaCrossData)
    again.from_plain(data.to_plain())
    assert again == data


def test_user_defined_data_gets_parameters_index_and_instrument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_data.py").write_text(
        "from tradebus.core.engine.state.user_data import GlobalData, InstrumentData\n"
        "class All(GlobalData):\n"
        "    def __init__(self, params, index):\n"
        "        self.given = [params, len(index.instruments)]\n"
        "class One(InstrumentData):\n"
        "    def __init__(self, params, index, instrument):\n"
        "        self.given = [params, len(index.instruments), instrument.name]\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    index = usual_index()
    of_all = load_user_data(DataSetup("their_data:All", (("a", "1"),)), index, None)
    of_one = load_user_data(DataSetup("their_data:One", ()), index, index.instruments[1])
    assert of_all is not None
    assert of_all.to_plain() == {"given": [{"a": "1"}, 3]}
    assert of_one is not None
    assert of_one.to_plain() == {"given": [{}, 3, index.instruments[1].name]}
    for path in ("their_data:All", "their_data:Nothing", "no_such_data:One", "their_data"):
        assert load_user_data(DataSetup(path, ()), index, index.instruments[0]) is None
    with pytest.raises(UserDataNotFound, match="instrument data: their_data has no InstrumentData class 'All'"):
        make_user_data(DataSetup("their_data:All", ()), index, index.instruments[0])
    monkeypatch.delitem(sys.modules, "their_data")
