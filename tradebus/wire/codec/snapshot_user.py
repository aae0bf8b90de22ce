"""User-defined data in a snapshot: ``GlobalDataState`` and ``InstrumentDataState`` of ``snapshot.proto``.

What it keeps travels as plain values, and is kept as such where its class is not available.
"""

from tradebus.core.engine.audit.canonical import canonical_text
from tradebus.core.engine.event import DataSetup
from tradebus.core.engine.state.user_data import (
    GLOBAL_DATA,
    INSTRUMENT_DATA,
    GlobalData,
    GlobalDataState,
    InstrumentData,
    InstrumentDataState,
    KeptGlobalData,
    KeptInstrumentData,
    UserData,
)
from tradebus.core.engine.state.user_setup import UserDataFactory
from tradebus.core.model.index import IndexedInstruments
from tradebus.core.model.instrument import Instrument
from tradebus.wire.codec.bounds import UNBOUNDED, IndexBounds
from tradebus.wire.codec.engine import data_setup_from_pb, data_setup_to_pb
from tradebus.wire.codec.error import DataNotRestored, EncodeError
from tradebus.wire.codec.number import computed_from_text, computed_to_text
from tradebus.wire.codec.parts import child, named
from tradebus.wire.codec.plain import plain_dict_from_pb, plain_dict_to_pb
from tradebus.wire.pb.v1 import plain_pb2
from tradebus.wire.pb.v1 import snapshot_pb2 as pb


def global_data_state_to_pb(state: GlobalDataState, into: pb.GlobalDataState) -> None:
    """Fill a message with the global data; what it keeps is left out where it is not known here."""
    data_setup_to_pb(state.setup, into.setup)
    _plain_to_pb(GLOBAL_DATA, state.plain(), into.data)
    into.failure = state.failure
    into.is_halted = state.is_halted


def global_data_state_from_pb(
    message: pb.GlobalDataState, index: IndexedInstruments, make: UserDataFactory, bounds: IndexBounds = UNBOUNDED
) -> GlobalDataState:
    """Return the global data; raises DecodeError, DataNotRestored for a class that does not take back what it kept."""
    setup = child(message, "setup", message.setup, data_setup_from_pb, bounds)
    data: GlobalData | None = None
    if message.HasField("data"):
        plain = named("data", message.data, plain_dict_from_pb, bounds)
        made = _restored(GLOBAL_DATA, GlobalData, plain, make, (setup, index, None))
        data = made if isinstance(made, GlobalData) else KeptGlobalData(plain)
    return GlobalDataState(setup, data, message.failure, message.is_halted)


def instrument_data_state_to_pb(state: InstrumentDataState, into: pb.InstrumentDataState) -> None:
    """Fill a message with the data of an instrument; what it keeps is left out where it is not known here."""
    data_setup_to_pb(state.setup, into.setup)
    _plain_to_pb(INSTRUMENT_DATA, state.plain(), into.data)
    if state.price is not None:
        into.price = computed_to_text(state.price)
    into.failure = state.failure
    into.is_halted = state.is_halted


def instrument_data_state_from_pb(
    message: pb.InstrumentDataState,
    index: IndexedInstruments,
    instrument: Instrument,
    make: UserDataFactory,
    bounds: IndexBounds = UNBOUNDED,
) -> InstrumentDataState:
    """Return the data of an instrument; raises as ``global_data_state_from_pb``."""
    setup = child(message, "setup", message.setup, data_setup_from_pb, bounds)
    data: InstrumentData | None = None
    if message.HasField("data"):
        plain = named("data", message.data, plain_dict_from_pb, bounds)
        made = _restored(INSTRUMENT_DATA, InstrumentData, plain, make, (setup, index, instrument))
        data = made if isinstance(made, InstrumentData) else KeptInstrumentData(plain)
    price = computed_from_text(message.price, "price") if message.HasField("price") else None
    return InstrumentDataState(setup, data, price, message.failure, message.is_halted)


def _plain_to_pb(name: str, plain: dict[str, object] | None, into: plain_pb2.PlainDict) -> None:
    if plain is None:
        return
    try:
        plain_dict_to_pb(plain, into)
    except EncodeError as error:
        raise EncodeError(f"what the {name} keeps: {error}") from None


def _of_kind(kind: type[UserData], data: UserData | None) -> UserData | None:
    if data is not None and not isinstance(data, kind):
        raise TypeError(f"expected a {kind.__name__}, found {type(data).__name__}")
    return data


def _restored(
    name: str,
    kind: type[UserData],
    plain: dict[str, object],
    make: UserDataFactory,
    asked: tuple[DataSetup, IndexedInstruments, Instrument | None],
) -> UserData | None:
    try:
        data = _of_kind(kind, make(*asked))
        if data is None:
            return None
        data.from_plain(plain)
        is_same = canonical_text(data.to_plain()) == canonical_text(plain)
    except Exception as error:
        # User code may raise anything.
        raise DataNotRestored(f"{name}: taking back its data raised {type(error).__name__}: {error}", "data") from error
    if not is_same:
        raise DataNotRestored(f"{name}: {type(data).__name__} does not keep what it was given", "data")
    return data
