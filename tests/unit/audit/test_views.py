"""Views show every field of the core objects they are of, with names for indices, and can be read back."""

import importlib
import json
import pkgutil
from collections.abc import Iterable, Iterator
from typing import TypeVar

import pytest
from pydantic import AliasPath

import services.audit.api.views as views_package
import tradebus.core
from services.audit.api.views.base import View
from services.audit.api.views.commands import ByExchangesView
from services.audit.api.views.state import EngineStateView
from services.audit.api.views.ticks import AuditTickView
from services.audit.api.views.values import Names
from services.audit.fold import Fold
from tests.support.audit_api import new_fold
from tests.support.audit_run import EngineRun, messages_of
from tests.support.builders import ALPHA
from tests.support.leaves import changed_leaves
from tradebus.core.engine.command import ByExchanges
from tradebus.core.engine.event import DataSetup, StrategySetup
from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.model.asset import Asset, ExchangeAsset
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.order import OrderKey
from tradebus.core.model.record import Record, field_names

K = TypeVar("K")

NOT_SHOWN = {
    "AllAssets": "asked by user code, never part of a state or a tick",
    "AssetsOfExchanges": "asked by user code, never part of a state or a tick",
    "BookSide": "shown as a list of levels in its book",
    "CheckedRequests": "a step between decision and tick; what came of it stands in the tick",
    "MarketDataContract": "names what a feed is asked for; in no state and no tick",
    "MarketDataInstrument": "the same",
    "Subscription": "the same",
    "StateHash": "shown by /status and by the verification of each envelope",
}
PACKAGES = ("tradebus.core.engine.", "tradebus.core.market.", "tradebus.core.model.")
"""Where states and ticks are made of; simulation, backtest and statistics have results of their own."""

FLATTENED: dict[tuple[str, str], type[Record]] = {
    ("AssetState", "asset"): ExchangeAsset,
    ("ExchangeAsset", "asset"): Asset,
    ("InstrumentState", "instrument"): Instrument,
    ("Order", "key"): OrderKey,
    ("OrderRequestAmend", "key"): OrderKey,
    ("OrderRequestCancel", "key"): OrderKey,
    ("OrderRequestOpen", "key"): OrderKey,
    ("RiskCheckState", "setup"): RiskCheckSetup,
    ("GlobalDataState", "setup"): DataSetup,
    ("InstrumentDataState", "setup"): DataSetup,
    ("StrategyState", "setup"): StrategySetup,
}
"""Parts whose fields a view shows beside its own; every one of them must be there."""


def import_all(package: str, path: Iterable[str]) -> None:
    for module in pkgutil.walk_packages(path, f"{package}."):
        importlib.import_module(module.name)


def subclasses(kind: type[K]) -> Iterator[type[K]]:
    for child in type.__subclasses__(kind):
        yield child
        yield from subclasses(child)


def core_records() -> dict[str, type[Record]]:
    """Return every class that states and ticks can be made of, by name."""
    import_all("tradebus.core", tradebus.core.__path__)
    found = [kind for kind in subclasses(Record) if kind.__module__.startswith(PACKAGES)]
    bases = {base for kind in found for base in kind.__bases__}
    return {kind.__name__: kind for kind in found if kind not in bases}


def view_classes() -> list[type[View]]:
    import_all("services.audit.api.views", views_package.__path__)
    return [kind for kind in subclasses(View) if kind.SHOWS is not None and "SHOWS" in vars(kind)]


def paths_of(view: type[View]) -> list[tuple[str, ...]]:
    """Return where each field of a view reads from."""
    paths: list[tuple[str, ...]] = []
    for name, field in view.model_fields.items():
        alias = field.validation_alias
        if isinstance(alias, AliasPath):
            paths.append(tuple(str(part) for part in alias.path))
        else:
            paths.append((alias if isinstance(alias, str) else name,))
    return paths


def missing(kind: type[Record], paths: list[tuple[str, ...]], under: Iterable[str]) -> list[str]:
    """Return the fields of a class that none of the paths reaches."""
    lost: list[str] = []
    for name in field_names(kind):
        below = [path[1:] for path in paths if path[0] == name]
        if name in under or () in below:
            continue
        part = FLATTENED.get((kind.__name__, name))
        if not below or part is None:
            lost.append(name)
        else:
            lost += [f"{name}.{each}" for each in missing(part, below, ())]
    return lost


def test_every_record_of_the_core_has_a_view_or_a_reason() -> None:
    shown = {kind.SHOWS.__name__ for kind in view_classes() if kind.SHOWS is not None}
    expected = set(core_records()) - set(NOT_SHOWN)
    assert shown == expected
    assert set(NOT_SHOWN) <= set(core_records())


@pytest.mark.parametrize("view", view_classes(), ids=lambda view: view.__name__)
def test_every_field_is_in_the_view(view: type[View]) -> None:
    assert view.SHOWS is not None
    assert missing(view.SHOWS, paths_of(view), view.UNDER) == []
    for name, shown_as in view.UNDER.items():
        assert name in field_names(view.SHOWS)
        assert shown_as in view.model_fields


def test_the_check_of_fields_sees_a_forgotten_one() -> None:
    class Forgetful(View):
        SHOWS = OrderKey

        exchange: int
        cid: str

    assert missing(OrderKey, paths_of(Forgetful), ()) == ["instrument", "strategy"]


@pytest.fixture
def trading(trading_run: EngineRun) -> Fold:
    fold = new_fold()
    for message in messages_of(trading_run.batches()):
        fold.take(message)
    return fold


def test_every_leaf_of_the_state_shows(trading: Fold) -> None:
    state = trading.state
    names = Names(state.index)
    assert any(instrument.orders for instrument in state.instruments)
    assert any(instrument.position for instrument in state.instruments)
    shown = EngineStateView.of_state(state, names).model_dump_json()
    seen = 0
    for path, changed in changed_leaves(state):
        assert isinstance(changed, EngineState)
        assert EngineStateView.of_state(changed, names).model_dump_json() != shown, path
        seen += 1
    assert seen > 180


def test_every_leaf_of_a_tick_shows(trading_run: EngineRun) -> None:
    names = Names(trading_run.engine.state.index)
    kinds: dict[tuple[str, ...], int] = {}
    for tick in trading_run.ticks[1:]:
        kind = (type(tick.event).__name__, type(getattr(tick.event, "data", None)).__name__, str(len(tick.outputs)))
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > 2:
            continue
        shown = AuditTickView.of(tick, names).model_dump_json()
        for path, changed in changed_leaves(tick):
            assert AuditTickView.of(changed, names).model_dump_json() != shown, (kind, path)
    assert len(kinds) >= 6


def test_what_strategies_remember_is_shown_as_plain_values(trading: Fold) -> None:
    names = Names(trading.state.index)
    view = EngineStateView.of_state(trading.state, names)
    ema = next(strategy for strategy in view.strategies if strategy.id == "ema")
    assert ema.data is not None
    assert ema.params == {"fast": "3", "instruments": "sim_alpha-btc_usdt", "slow": "8"}
    data = trading.state.strategies[0].data
    assert data is not None
    data.apply_patch("seen", [1, 2, 3])
    data.apply_patch("note", {"b": b"\x01\xff", "huge": 2**60, "pair": (None, True)})
    again = EngineStateView.of_state(trading.state, names)
    shown = next(strategy for strategy in again.strategies if strategy.id == "ema").data
    assert shown is not None
    assert shown["seen"] == [1, 2, 3]
    assert shown["note"] == {"b": "01ff", "huge": "1152921504606846976", "pair": [None, True]}


def test_state_can_be_read_back_from_its_json(trading: Fold) -> None:
    names = Names(trading.state.index)
    view = EngineStateView.of_state(trading.state, names)
    assert EngineStateView.of(json.loads(view.model_dump_json()), names) == view


def test_names_stand_for_indices(trading: Fold) -> None:
    names = Names(trading.state.index)
    view = EngineStateView.of_state(trading.state, names)
    assert [instrument.name for instrument in view.instruments] == [
        "sim_alpha-btc_usdt",
        "sim_alpha-eth_usdt",
        "sim_beta-btc_usdt",
    ]
    assert {(asset.exchange, asset.name) for asset in view.assets} == {
        ("sim_alpha", "btc"),
        ("sim_alpha", "eth"),
        ("sim_alpha", "usdt"),
        ("sim_beta", "btc"),
        ("sim_beta", "usdt"),
    }
    orders = [order for instrument in view.instruments for order in instrument.orders]
    assert orders
    assert {order.exchange for order in orders} <= {"sim_alpha", "sim_beta"}


def test_view_of_an_indexed_object_without_names_says_what_is_missing() -> None:
    with pytest.raises(TypeError, match="views of indexed objects need their names"):
        ByExchangesView.model_validate(ByExchanges((ALPHA,)))
