"""The configuration that all services and the command line share."""

from tradebus.config.exits import ExitCode
from tradebus.config.flags import Flags
from tradebus.config.load import Loaded, Origin, load, load_settings
from tradebus.config.problem import ConfigError, Problem
from tradebus.config.schema import json_schema
from tradebus.config.sections.engine import EngineSettings, HashCadence, StrategySettings
from tradebus.config.sections.instruments import InstrumentSettings
from tradebus.config.sections.modes import Mode
from tradebus.config.sections.surface import ApiSettings, HttpSettings, NatsSettings, RuntimeSettings, StreamSizes
from tradebus.config.sections.venues import ExecutionSettings, GeneratorSettings, MarketSettings
from tradebus.config.settings import Settings
from tradebus.config.values import Address

__all__ = [
    "Address",
    "ApiSettings",
    "ConfigError",
    "EngineSettings",
    "ExecutionSettings",
    "ExitCode",
    "Flags",
    "GeneratorSettings",
    "HashCadence",
    "HttpSettings",
    "InstrumentSettings",
    "Loaded",
    "MarketSettings",
    "Mode",
    "NatsSettings",
    "Origin",
    "Problem",
    "RuntimeSettings",
    "Settings",
    "StrategySettings",
    "StreamSizes",
    "json_schema",
    "load",
    "load_settings",
]
