"""Name a state, and a run, by a hash: what proves that replica and engine agree.

Two roots: the core state, and what the strategies remember, because a process without the users' classes can check
the first only. A digest is the same hash over the ticks of a run, in order, without what names the process: run,
code, mode and epochs.
"""

from hashlib import blake2b
from typing import ClassVar, Final, final

from tradebus.core.engine.audit.canonical import ADDED_IN, HASH_VERSION, canonical_text, write
from tradebus.core.engine.audit.market_text import market_tick_text
from tradebus.core.engine.audit.plain import check_plain
from tradebus.core.engine.audit.state_texts import StateTexts, told, write_state_of
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.resumed import CodeChanged, start_record
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.user_data import GLOBAL_DATA, instrument_data_name
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.identifiers import InstrumentIndex
from tradebus.core.model.record import Record

DIGEST_BYTES: Final = 16
COMMANDS_SINCE: Final = ADDED_IN["EngineState"]["commands"]


@final
class StateHash(Record):
    """The two roots, hex of BLAKE2b-128; ``user`` is empty where a strategy's class is not available."""

    FIELDS: ClassVar[tuple[str, ...]] = ("version", "core", "user")

    def __init__(self, version: int, core: str, user: str) -> None:
        self.version: Final = version
        self.core: Final = core
        self.user: Final = user

    def equals(self, other: "StateHash") -> bool:
        """Tell whether both roots were verified and are the same."""
        return self.version == other.version and self.core == other.core and self.user == other.user and self.user != ""


def _hex(text: str) -> str:
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def core_text(state: EngineState, version: int = HASH_VERSION, texts: StateTexts | None = None) -> str:
    """Return the canonical text of everything but what strategies remember.

    With ``texts`` of the same state, written before in the present version, only what has changed is written anew.
    """
    out: list[str] = []
    write(state.index, out, version)
    write(state.trading, out, version)
    write(state.connectivity, out, version)
    out.append("[")
    if texts is None:
        for i, asset in enumerate(state.assets):
            write_state_of(asset, "asset", told(asset.asset, state.index.assets, i, version), out, version)
    else:
        texts.write_assets(state.assets, state.index, out)
    out.append("][")
    if texts is None:
        for i, instrument in enumerate(state.instruments):
            which = told(instrument.instrument, state.index.instruments, i, version)
            write_state_of(instrument, "instrument", which, out, version)
    else:
        texts.write_instruments(state.instruments, state.index, out)
    out.append("]")
    for i, strategy in enumerate(state.strategies):
        if texts is None:
            write(strategy.setup, out, version)
        else:
            texts.write_setup(i, strategy.setup, out)
        write(strategy.failure, out, version)
        write(strategy.is_halted, out, version)
    write(state.cursors, out, version)
    write(state.timers, out, version)
    write(state.risk, out, version)
    write(state.global_data, out, version)
    write(state.numbering, out, version)
    if version >= COMMANDS_SINCE:
        write(state.commands, out, version)
    return "".join(out)


def user_text(state: EngineState, version: int = HASH_VERSION) -> str | None:
    """Return the canonical text of what strategies remember and users keep.

    None where that is not known here, and where it cannot be written: ``engine.data_faults`` says why.
    """
    out: list[str] = []
    try:
        for strategy in state.strategies:
            plain = strategy.plain()
            if plain is None:
                return None
            _write_plain(strategy.setup.id, plain, out, version)
        if not _write_user_data(state, out, version):
            return None
    except Exception:  # noqa: BLE001 - user code may keep anything and raise anything
        return None
    return "".join(out)


def _write_user_data(state: EngineState, out: list[str], version: int) -> bool:
    """Write the user-defined data; tell whether all of it is known here."""
    user = state.global_data
    if user is not None:
        plain = user.plain()
        if plain is None:
            return False
        _write_plain(GLOBAL_DATA, plain, out, version)
    for i, instrument in enumerate(state.instruments):
        own = instrument.user_data
        if own is not None:
            plain = own.plain()
            if plain is None:
                return False
            write(own.price, out, version)
            _write_plain(instrument_data_name(InstrumentIndex(i)), plain, out, version)
    return True


def _write_plain(name: str, plain: dict[str, object], out: list[str], version: int) -> None:
    """Write what user-defined data keeps; raises PlainError naming the data and the value that has no place in it."""
    check_plain(plain, name)
    write(name, out, version)
    write(plain, out, version)


def hash_state(state: EngineState, version: int = HASH_VERSION, texts: StateTexts | None = None) -> StateHash:
    """Return the hash of a state as a version computes it; every leaf of it counts."""
    user = user_text(state, version)
    return StateHash(version, _hex(core_text(state, version, texts)), "" if user is None else _hex(user))


@final
class StateHasher:
    """Hashes a state again and again, at the cost of what has changed since; gives what ``hash_state`` gives."""

    def __init__(self) -> None:
        self._texts: Final = StateTexts()

    def hash(self, state: EngineState) -> StateHash:
        """Return the hash of a state as it is now; any state will do, the one that was hashed last is cheapest."""
        return hash_state(state, HASH_VERSION, self._texts)

    def core_text(self, state: EngineState) -> str:
        """Return the text that is hashed."""
        return core_text(state, HASH_VERSION, self._texts)


@final
class RunDigest:
    """Hash the ticks of a run as they pass."""

    def __init__(self) -> None:
        self._digest = blake2b(digest_size=DIGEST_BYTES)
        self._count = 0

    @property
    def count(self) -> int:
        """Return how many ticks were added."""
        return self._count

    def add(self, tick: AuditTick) -> None:
        """Add the next tick."""
        self._digest.update(digest_text(tick).encode())
        self._count += 1

    def hexdigest(self) -> str:
        """Return the digest of the ticks so far."""
        return self._digest.hexdigest()


def digest_text(tick: AuditTick) -> str:
    """Return the canonical text of a tick, less what names the process that made it."""
    event = tick.event
    if isinstance(event, MarketEvent):
        return market_tick_text(tick, event) or canonical_text(tick)
    out: list[str] = []
    if isinstance(event, CodeChanged):
        out.append("code(")
        write(tick.sequence, out)
        write(tick.time_ns, out)
        write(event.state_differs, out)
        write(tick.outputs, out)
        out.append(")")
        return "".join(out)
    started = start_record(event)
    if started is None:
        return canonical_text(tick)
    out.append("started(" if event is started else "resumed(")
    write(tick.sequence, out)
    write(tick.time_ns, out)
    write(started.engine_id, out)
    write(started.index, out)
    write(started.accounts, out)
    write(started.strategies, out)
    write(started.trading, out)
    write(started.risk, out)
    write(started.global_data, out)
    write(started.instrument_data, out)
    write(tick.outputs, out)
    out.append(")")
    return "".join(out)
