"""Write the parts of a state that are many: assets, instruments, setups of strategies; each anew, or as it is known.

``StateTexts`` keeps what it wrote, so that hashing the same state again costs what has changed since. The text is the
same to the letter; a class that has grown a field which is not known here is written whole.
"""

from collections.abc import Sequence
from typing import Final, final

from tradebus.core.engine.audit.canonical import HASH_VERSION, canonical_text, write, written_fields
from tradebus.core.engine.audit.instrument_text import DATA_FIELDS, INSTRUMENT_FIELDS, InstrumentText
from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.state.asset import AssetState
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.engine.state.market_data import InstrumentMarketData
from tradebus.core.model.account import Balance
from tradebus.core.model.asset import ExchangeAsset
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument
from tradebus.core.model.record import Record, field_names

TOLD_BY_INDEX: Final = "="


def told(value: Record, indexed: Sequence[Record], position: int, version: int = HASH_VERSION) -> str:
    """Return the text of the asset or instrument that a state is of: a mark where the index tells it.

    The index stands before it in the text, named by its fingerprint, so a mark says as much as the definition.
    """
    if position < len(indexed) and (value is indexed[position] or value == indexed[position]):
        return TOLD_BY_INDEX
    return canonical_text(value, version)


def write_state_of(state: Record, name: str, which: str, out: list[str], version: int) -> None:
    """Write the state of an asset or instrument; ``which`` stands for the field ``name``."""
    out.append(f"{type(state).__name__}(")
    for field in written_fields(type(state), version):
        if field == name:
            out.append(which)
        else:
            write(getattr(state, field), out, version)
    out.append(")")


@final
class AssetText:
    """The text of what is owned of an asset."""

    def __init__(self) -> None:
        self._balance: Balance | None = None
        self._time_exchange_ns = 0
        self._asset = ""
        self._text = ""

    def of(self, state: AssetState, asset: str) -> str:
        """Return the text of the state as it is now; ``asset`` is that of which asset it is."""
        if (
            state.balance is not self._balance
            or state.time_exchange_ns != self._time_exchange_ns
            or asset is not self._asset
        ):
            self._balance = state.balance
            self._time_exchange_ns = state.time_exchange_ns
            self._asset = asset
            self._text = f"AssetState({asset}{canonical_text(state.balance)}i{state.time_exchange_ns};)"
        return self._text


@final
class SetupText:
    """The text of a strategy's setup."""

    def __init__(self, setup: StrategySetup) -> None:
        self._setup = setup
        self._text = canonical_text(setup)

    def of(self, setup: StrategySetup) -> str:
        """Return the text of the setup as it is now."""
        if setup is not self._setup:
            self._setup = setup
            self._text = canonical_text(setup)
        return self._text


@final
class StateTexts:
    """What was written of a state, by position."""

    def __init__(self) -> None:
        self._assets: list[AssetText] = []
        self._instruments: list[InstrumentText] = []
        self._setups: list[SetupText] = []
        self._knows_instruments: Final = (
            field_names(InstrumentState)[: len(INSTRUMENT_FIELDS)] == INSTRUMENT_FIELDS
            and field_names(InstrumentMarketData)[: len(DATA_FIELDS)] == DATA_FIELDS
        )

    def write_assets(self, states: list[AssetState], index: IndexedInstruments, out: list[str]) -> None:
        """Write what is owned of each asset."""
        texts = self._assets
        indexed: list[ExchangeAsset] = index.assets
        for i, state in enumerate(states):
            if i == len(texts):
                texts.append(AssetText())
            out.append(texts[i].of(state, told(state.asset, indexed, i)))

    def write_instruments(self, states: list[InstrumentState], index: IndexedInstruments, out: list[str]) -> None:
        """Write the state of each instrument."""
        texts = self._instruments
        indexed: list[Instrument] = index.instruments
        for i, state in enumerate(states):
            which = told(state.instrument, indexed, i)
            if not self._knows_instruments:
                write_state_of(state, "instrument", which, out, HASH_VERSION)
                continue
            if i == len(texts):
                texts.append(InstrumentText())
            out.append(texts[i].of(state, which))

    def write_setup(self, position: int, setup: StrategySetup, out: list[str]) -> None:
        """Write how the strategy at a position was set up."""
        if position == len(self._setups):
            self._setups.append(SetupText(setup))
        out.append(self._setups[position].of(setup))
