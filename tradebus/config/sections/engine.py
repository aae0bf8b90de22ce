"""`[engine]`: which strategies run, under which limits, and how often the state is hashed."""

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from tradebus.config.sections.base import Section
from tradebus.config.values import ClassPath, EngineId, Parameters, StrategyName


class StrategySettings(Section):
    """`[[engine.strategies]]`: one running strategy."""

    id: StrategyName
    """Name that its orders and data carry; unique within the engine."""
    class_path: ClassPath = Field(alias="class")
    """The class as `package.module:Class`, from the library or from the folder of users' strategies."""
    instruments: list[str] | None = None
    """Internal names of the instruments it may trade (`binance_spot-btc_usdt`); all when left out."""
    params: Parameters = Field(default_factory=dict)
    """Handed to the strategy; what is allowed here is the strategy's to say."""


class UserDataSettings(Section):
    """`[engine.global_data]`, `[engine.instrument_data]`: data that the user defines."""

    class_path: ClassPath = Field(alias="class")
    """The class as `package.module:Class`, from the folder of users' strategies."""
    params: Parameters = Field(default_factory=dict)
    """Handed to the class; what is allowed here is its own to say."""


class HashCadence(Section):
    """How often the state hash is computed: whichever limit is reached first, and at snapshots."""

    ticks: Annotated[int, Field(ge=1)] = 10_000
    """After this many audit ticks."""
    seconds: Annotated[int, Field(ge=1)] = 1
    """After this many seconds."""


class HealthLimits(Section):
    """`[engine.health]`: when the engine switches trading off by itself, and when it starts halted."""

    acknowledgement_ms: Annotated[int, Field(ge=50, le=600_000)] = 1_000
    """Trading goes off when something waits for the journal and nothing was acknowledged for so long."""
    ping_ms: Annotated[int, Field(ge=300, le=600_000)] = 3_000
    """Trading goes off when NATS has answered no pings, or was not connected, for so long."""
    recovered_ms: Annotated[int, Field(ge=0, le=600_000)] = 1_000
    """Trading comes back, where it went off for one of these, when all has been well for so long."""
    crashes_max: Annotated[int, Field(ge=1, le=1_000_000)] = 3
    """So many crashes within `crash_window_s` and the next start is halted until an operator enables trading."""
    crash_window_s: Annotated[int, Field(ge=1, le=86_400)] = 300


class SnapshotSettings(Section):
    """`[engine.snapshot]`: how often the engine's state goes to its disk, so that recovery has little to replay."""

    seconds: Annotated[int, Field(ge=1, le=86_400)] = 30
    """After this many seconds,"""
    ticks: Annotated[int, Field(ge=1)] = 1_000_000
    """or this many audit ticks, whichever is first; and at an ordered stop."""
    kept: Annotated[int, Field(ge=1, le=1_000)] = 3
    """How many are kept. One that is damaged leaves the one before it."""


def _with_single_strategy(schema: dict[str, Any]) -> None:
    """Add the form with a single strategy to the schema; the model itself only knows the list."""
    schema["properties"] |= {
        "strategy": {"type": "string", "description": "The class of the only strategy, as `package.module:Class`."},
        "strategy_params": {"type": "object", "description": "Handed to the only strategy."},
    }


class EngineSettings(Section):
    """`[engine]`: the trading engine."""

    model_config = ConfigDict(json_schema_extra=_with_single_strategy)

    OTHER_KEYS: ClassVar[tuple[str, ...]] = ("strategy", "strategy_params")
    """What the file may say instead of `strategies`."""

    id: EngineId | None = None
    """Names the journal and heads client order ids; the mode's name when left out."""
    trading_at_start: bool = False
    """Whether a fresh journal begins with trading enabled; otherwise an operator enables it."""
    strategies: list[StrategySettings] = Field(default_factory=list)
    """What runs. A single strategy may be given as `strategy` and `strategy_params` instead."""
    strategies_dir: str = "strategies"
    """Folder of users' strategies, put on the import path of engine and audit alike."""
    global_data: UserDataSettings | None = None
    """Data of the whole engine that the user defines; none when left out."""
    instrument_data: UserDataSettings | None = None
    """Data of each instrument that the user defines; none when left out."""
    risk: list[str] = Field(default_factory=list)
    """The risk checks that every open request must pass, in order: by name, or a class as `package.module:Class`."""
    risk_params: dict[str, Parameters] = Field(default_factory=dict)
    """Limits by name of the check; what is allowed in them is the check's to say."""
    health: HealthLimits = HealthLimits()
    snapshot: SnapshotSettings = SnapshotSettings()
    """How often the state goes to disk."""
    hash_every: Literal["batch"] | HashCadence = HashCadence()
    """`"batch"`, or a table of `ticks` and `seconds`."""

    @model_validator(mode="before")
    @classmethod
    def _single_strategy(cls, data: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """Turn `strategy` and `strategy_params` into a list of one."""
        if not isinstance(data, dict) or not ({"strategy", "strategy_params"} & data.keys()):
            return data
        rest = {key: value for key, value in data.items() if key not in {"strategy", "strategy_params"}}
        if rest.get("strategies"):
            raise PydanticCustomError("one_form", "either `strategy` or `[[engine.strategies]]`, not both")
        path = data.get("strategy")
        if not isinstance(path, str):
            raise PydanticCustomError("one_form", "`strategy` as package.module:Class beside `strategy_params`")
        rest["strategies"] = [{"id": _name_of(path), "class": path, "params": data.get("strategy_params", {})}]
        return rest

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        ids = [strategy.id for strategy in self.strategies]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise PydanticCustomError("unique_ids", "strategies with different ids", {"found": ", ".join(twice)})
        return self


def _name_of(class_path: str) -> str:
    """Return the class's name as snake case: `pkg.ema_cross:EmaCross` gives `ema_cross`."""
    name = re.sub(r"\W", "", class_path.rpartition(":")[2], flags=re.ASCII)
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().lstrip("_0123456789")
    return snake[:32] or "strategy"
