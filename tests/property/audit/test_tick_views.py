"""Any tick can be shown as JSON, read back from it, and hides none of its leaves."""

import json

from hypothesis import given, settings

from services.audit.api.views.ticks import AuditTickView
from services.audit.api.views.values import Names
from tests.property.examples import scaled
from tests.support.leaves import changed_leaves
from tests.support.values import ASSETS, EXCHANGES, INSTRUMENTS, audit_ticks
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.event import EngineStarted
from tradebus.core.model.asset import Asset, ExchangeAsset
from tradebus.core.model.identifiers import AssetIndex, ExchangeId, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument, spot
from tradebus.core.model.number import enter_engine_context

LEAVES_MAX = 60


def index_of_everything() -> IndexedInstruments:
    """Return an index that has as many exchanges, assets and instruments as generated ticks may name."""
    exchanges = list(ExchangeId)[:EXCHANGES]
    assets = [ExchangeAsset(exchanges[i % EXCHANGES], Asset(f"asset{i}", f"ASSET{i}")) for i in range(ASSETS)]
    instruments = [
        Instrument(
            InstrumentIndex(i),
            ExchangeIndex(0),
            AssetIndex(i),
            AssetIndex(i + 1),
            None,
            spot(exchanges[0], f"PAIR{i}", assets[i].asset, assets[i + 1].asset),
        )
        for i in range(INSTRUMENTS)
    ]
    return IndexedInstruments(exchanges, assets, instruments)


USUAL = Names(index_of_everything())


def names_for(tick: AuditTick) -> Names:
    """Return the names that a tick uses: a start brings its own numbering."""
    return Names(tick.event.index) if isinstance(tick.event, EngineStarted) else USUAL


@given(audit_ticks)
@settings(max_examples=scaled(100), deadline=None)
def test_any_tick_is_shown_and_read_back(tick: AuditTick) -> None:
    enter_engine_context()
    names = names_for(tick)
    view = AuditTickView.of(tick, names)
    text = view.model_dump_json()
    assert AuditTickView.of(json.loads(text), names) == view
    for path, changed in zip(range(LEAVES_MAX), changed_leaves(tick), strict=False):
        other = AuditTickView.of(changed[1], names).model_dump_json()
        assert other != text, (path, changed[0])
