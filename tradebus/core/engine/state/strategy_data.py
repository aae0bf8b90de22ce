"""Let strategies remember: their data is part of the state, changes only here, and every replica has it too.

A strategy's decisions read the state and change nothing; what it must remember goes into a ``StrategyData``, whose
``process`` sees every market and account event, in the engine and in every replica alike.
"""

from typing import TYPE_CHECKING, ClassVar, NoReturn, final

from mypy_extensions import mypyc_attr

from tradebus.core.engine.audit.plain import check_plain, copy_plain
from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.model.number import context_is_intact, restore_engine_context
from tradebus.core.model.record import Record

if TYPE_CHECKING:
    from tradebus.core.engine.state.engine_state import EngineState


@mypyc_attr(allow_interpreted_subclasses=True)
class StrategyData:
    """Base of what a strategy remembers; the base remembers nothing.

    Subclass it in ordinary Python and keep plain values in attributes: None, bool, int, Decimal, str, bytes, and
    lists, tuples and string-keyed dicts of these. ``process`` must depend on its arguments and attributes alone.
    """

    def process(self, state: "EngineState", event: EngineEvent) -> None:
        """Take in a market or account event that the state has already taken in."""

    def apply_patch(self, key: str, value: object) -> None:
        """Take in what a decision of the strategy changed; the base sets the attribute ``key``."""
        setattr(self, key, value)

    def configure(self, params: dict[str, str]) -> None:
        """Take in that the strategy's parameters changed; the base takes nothing in."""

    def to_plain(self) -> dict[str, object]:
        """Return all that is remembered as plain values by name; the base returns the attributes."""
        return dict(getattr(self, "__dict__", {}))

    def from_plain(self, plain: dict[str, object]) -> None:
        """Take back what ``to_plain`` returned; the base sets the attributes."""
        for name, value in plain.items():
            setattr(self, name, value)

    def __eq__(self, other: object) -> bool:
        """Compare by class and by what is remembered."""
        if not isinstance(other, StrategyData) or type(self) is not type(other):
            return False
        return self.to_plain() == other.to_plain()

    def __hash__(self) -> int:
        """Refuse to hash what changes."""
        raise TypeError(f"unhashable type: {type(self).__name__!r}")

    def __reduce__(self) -> NoReturn:
        """Refuse copy and pickle, which would silently lose the attributes of a subclass."""
        raise TypeError(f"{type(self).__name__}: use to_plain and from_plain to copy or store strategy data")


@final
class KeptData(StrategyData):
    """What a strategy remembered, kept as plain values where its class is not available, so that nothing is lost.

    It can be hashed and stored again until the first event, patch or new parameter; from there on nobody knows what the
    class would have made of it, and ``is_current`` tells so.
    """

    def __init__(self, plain: dict[str, object]) -> None:
        self._plain = plain
        self.is_current = True

    def process(self, state: "EngineState", event: EngineEvent) -> None:  # noqa: ARG002 - what is in it is not known
        """Turn outdated."""
        self.is_current = False

    def apply_patch(self, key: str, value: object) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def configure(self, params: dict[str, str]) -> None:  # noqa: ARG002 - as above
        """Turn outdated."""
        self.is_current = False

    def to_plain(self) -> dict[str, object]:
        """Return what was kept."""
        return self._plain

    def from_plain(self, plain: dict[str, object]) -> None:
        """Keep something else."""
        self._plain = plain
        self.is_current = True


@final
class StrategyState(Record):
    """A strategy of this engine: how it was set up, what it remembers, and why it failed, if it did (else empty).

    ``is_halted`` tells that the failure was reported in a tick; a failed strategy is not asked again.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("setup", "data", "failure", "is_halted")

    def __init__(
        self,
        setup: StrategySetup,
        data: StrategyData | None,
        failure: str,
        is_halted: bool,
    ) -> None:
        self.setup = setup
        self.data = data
        self.failure = failure
        self.is_halted = is_halted

    @property
    def has_class(self) -> bool:
        """Tell whether the strategy's class is available here, so that its data is what it remembers."""
        return self.data is not None and not isinstance(self.data, KeptData)

    def plain(self) -> dict[str, object] | None:
        """Return what is remembered as plain values by name; none where that is not known here."""
        data = self.data
        if data is None or (isinstance(data, KeptData) and not data.is_current):
            return None
        return data.to_plain()

    def process(self, state: "EngineState", event: EngineEvent) -> None:
        """Let the data take in an event; the first exception marks the strategy failed and stops it for good.

        The replica runs the same code and so fails at the same event.
        """
        data = self.data
        if data is None or self.failure or type(data) is StrategyData:
            return  # the base takes nothing in
        try:
            data.process(state, event)
        except Exception as error:  # noqa: BLE001 - user code may raise anything; it becomes state, seen in the tick
            self.failure = f"data.process raised {type(error).__name__}"
        if not context_is_intact():
            restore_engine_context()
            self.failure = self.failure or "data.process changed the decimal context"

    def apply_patch(self, key: str, value: object) -> None:
        """Let the data take in a patch, with the same policy."""
        data = self.data
        if data is None or self.failure:
            return
        try:
            check_plain(value, key)
            # A copy: what the data does with it later must not reach back into the tick, which may not be written yet.
            data.apply_patch(key, copy_plain(value))
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = f"data.apply_patch raised {type(error).__name__}"
        if not context_is_intact():
            restore_engine_context()
            self.failure = self.failure or "data.apply_patch changed the decimal context"

    def configure(self, setup: StrategySetup) -> None:
        """Take new parameters and let the data take them in, with the same policy."""
        self.setup = setup
        data = self.data
        if data is None or self.failure:
            return
        try:
            data.configure(dict(setup.params))
        except Exception as error:  # noqa: BLE001 - as above
            self.failure = f"data.configure raised {type(error).__name__}"
        if not context_is_intact():
            restore_engine_context()
            self.failure = self.failure or "data.configure changed the decimal context"
