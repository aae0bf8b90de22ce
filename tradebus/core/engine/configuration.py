"""Change parameters of strategies and risk checks while the engine runs: they are state, so it is an event."""

from typing import ClassVar, Final, final

from tradebus.core.engine.event import StrategySetup
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.setup import RiskCheckSetup


@final
class ConfigChanged(EngineEvent):
    """Strategies and risk checks got new parameters; ``origin`` says who changed them.

    The setups replace those of the same id. What is set up stays: ids and classes are those the engine started with.
    ``command_id`` and ``position`` are those of the command that asked for it, empty and 0 where none did.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("origin", "strategies", "risk", "command_id", "position")

    def __init__(
        self,
        origin: str,
        strategies: tuple[StrategySetup, ...],
        risk: tuple[RiskCheckSetup, ...],
        command_id: str = "",
        position: int = 0,
    ) -> None:
        self.origin: Final = origin
        self.strategies: Final = strategies
        self.risk: Final = risk
        self.command_id: Final = command_id
        self.position: Final = position
