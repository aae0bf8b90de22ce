"""The configuration in parts, so that what is right can be checked while something else is wrong."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from tradebus.config.sections.engine import EngineSettings, StrategySettings
from tradebus.config.sections.instruments import InstrumentSettings
from tradebus.config.sections.modes import Mode
from tradebus.config.sections.surface import ApiSettings, NatsSettings, RuntimeSettings
from tradebus.config.sections.venues import ExecutionSettings, MarketSettings
from tradebus.core.model.identifiers import ExchangeId

if TYPE_CHECKING:
    from tradebus.config.settings import Settings

T = TypeVar("T")
S = TypeVar("S", bound=BaseModel)


@dataclass(slots=True)
class Parts:
    """What is known of a configuration. Whatever is invalid in itself is `None` or missing here.

    `instruments` and `strategies` hold (position in the list, value); `complete` says that nothing was left out
    of `instruments`, so that a name which is not among them is really unknown.
    """

    mode: Mode | None = None
    allow_live: bool = False
    recording: list[Path] | None = None
    instruments: list[tuple[int, InstrumentSettings]] = field(default_factory=list)
    complete: bool = True
    strategies: list[tuple[int, StrategySettings]] = field(default_factory=list)
    risk: list[str] = field(default_factory=list)
    risk_params: list[str] = field(default_factory=list)
    execution: dict[ExchangeId, ExecutionSettings | None] = field(default_factory=dict)
    market: dict[ExchangeId, MarketSettings | None] = field(default_factory=dict)
    api: ApiSettings | None = None
    nats: NatsSettings | None = None
    runtime: RuntimeSettings | None = None

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """Return the parts of settings that are valid section by section."""
        return cls(
            mode=settings.mode,
            allow_live=settings.allow_live,
            recording=settings.recording,
            instruments=list(enumerate(settings.instruments)),
            strategies=list(enumerate(settings.engine.strategies)),
            risk=settings.engine.risk,
            risk_params=list(settings.engine.risk_params),
            execution=dict(settings.execution),
            market=dict(settings.market),
            api=settings.api,
            nats=settings.nats,
            runtime=settings.runtime,
        )

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any]) -> Self:
        """Return what is valid in raw values; the rest is for the field-by-field check to report."""
        engine = raw.get("engine", {})
        engine = engine if isinstance(engine, dict) else {}
        instruments = _items(raw.get("instruments"), InstrumentSettings)
        risk_params = engine.get("risk_params", {})
        return cls(
            mode=_valid(Mode, raw.get("mode", Mode.DEMO)),
            allow_live=bool(_valid(bool, raw.get("allow_live", False))),
            recording=_valid(list[Path], raw.get("recording", [])),
            instruments=[(index, item) for index, item in instruments if item is not None],
            complete=bool(instruments) and all(item is not None for _, item in instruments),
            strategies=_strategies(engine),
            risk=_valid(list[str], engine.get("risk", [])) or [],
            risk_params=list(risk_params) if isinstance(risk_params, dict) else [],
            execution=_tables(raw.get("execution"), ExecutionSettings),
            market=_tables(raw.get("market"), MarketSettings),
            api=_valid(ApiSettings, raw.get("api", {})),
            nats=_valid(NatsSettings, raw.get("nats", {})),
            runtime=_valid(RuntimeSettings, raw.get("runtime", {})),
        )


def _valid(kind: type[T], value: object) -> T | None:
    """Return what is valid in `value`: all of it, else what remains without its wrong leaves, else None."""
    adapter = TypeAdapter(kind)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        rest = deepcopy(value)
        if not all(_remove(rest, item["loc"]) for item in error.errors(include_url=False)):
            return None
    try:
        return adapter.validate_python(rest)
    except ValidationError:
        return None


def _remove(tree: object, location: tuple[str | int, ...]) -> bool:
    """Remove the leaf that pydantic complained about; tell whether there was one in a table to remove it from."""
    for part in location:
        if not isinstance(tree, dict) or part not in tree:
            return False
        if not isinstance(tree[part], dict):
            del tree[part]
            return True
        tree = tree[part]
    return False


def _items(value: object, kind: type[S]) -> list[tuple[int, S | None]]:
    return [(index, _valid(kind, item)) for index, item in enumerate(value)] if isinstance(value, list) else []


def _tables(value: object, kind: type[S]) -> dict[ExchangeId, S | None]:
    tables: dict[ExchangeId, S | None] = {}
    for key, item in value.items() if isinstance(value, dict) else ():
        exchange = _valid(ExchangeId, key)
        if exchange is not None:
            tables[exchange] = _valid(kind, item)
    return tables


def _strategies(engine: dict[str, Any]) -> list[tuple[int, StrategySettings]]:
    """Return the valid strategies, also of the form with a single one."""
    single = _valid(EngineSettings, {key: engine[key] for key in ("strategy", "strategy_params") if key in engine})
    found = _items(engine.get("strategies"), StrategySettings)
    if single is not None and not found:
        return list(enumerate(single.strategies))
    return [(index, item) for index, item in found if item is not None]
