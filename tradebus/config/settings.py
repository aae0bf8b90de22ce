"""The whole configuration, checked across its sections."""

from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tradebus.config import cross, definitions
from tradebus.config.keypath import KeyPath
from tradebus.config.layers import Sources
from tradebus.config.parts import Parts
from tradebus.config.problem import ConfigError, Finding, Problem
from tradebus.config.sections.engine import EngineSettings
from tradebus.config.sections.instruments import InstrumentSettings
from tradebus.config.sections.modes import Mode
from tradebus.config.sections.surface import ApiSettings, AuditSettings, NatsSettings, RuntimeSettings
from tradebus.config.sections.venues import ExecutionSettings, MarketSettings, SourceName
from tradebus.config.values import DecimalNumber
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments


class Settings(BaseSettings):
    """The configuration of one Tradebus system, the same for all its services.

    Built by `load_settings` from files, environment and flags, or by a program from values. Either way it is
    complete and consistent, or a `ConfigError` (a `pydantic.ValidationError` for a program's wrong types) is raised.
    """

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        title="Tradebus configuration",
    )

    mode: Mode = Mode.DEMO
    """`demo`, `replay`, `paper` or `live`; live also needs TRADEBUS_ALLOW_LIVE=yes."""
    risk_free_return: DecimalNumber = Decimal("0.05")
    """Return without risk per year, as a fraction, for the statistics."""
    recording: list[Path] = Field(default_factory=list)
    """Replay: files or folders of recordings."""
    allow_live: bool = False
    """The second switch of live trading; only the environment variable TRADEBUS_ALLOW_LIVE sets it."""
    engine: EngineSettings = EngineSettings()
    instruments: list[InstrumentSettings]
    """Everything that can be traded."""
    execution: dict[ExchangeId, ExecutionSettings] = Field(default_factory=dict)
    """One table per exchange that has instruments."""
    market: dict[ExchangeId, MarketSettings] = Field(default_factory=dict)
    """Feeds that need other than the mode's usual."""
    api: ApiSettings = ApiSettings()
    audit: AuditSettings = AuditSettings()
    nats: NatsSettings = NatsSettings()
    runtime: RuntimeSettings = RuntimeSettings()

    _sources: Sources = PrivateAttr(default_factory=Sources)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone.

        `tradebus.config.load` merges files, environment and flags itself: it must know which of them each value
        came from, and must refuse environment variables that no setting reads; the stock sources do neither.
        """
        return (init_settings,)

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        findings = cross.check(Parts.of(self))
        if findings:
            raise ConfigError([finding.at("settings") for finding in findings])
        return self

    @property
    def engine_id(self) -> str:
        """The engine's id: the mode's name unless configured."""
        return self.engine.id or self.mode.value

    @property
    def journal_id(self) -> str:
        """What the engine's subjects and streams are called: its id, in a replay followed by the run's name."""
        return f"{self.engine_id}-{self.runtime.run}" if self.runtime.run else self.engine_id

    @property
    def exchanges(self) -> list[ExchangeId]:
        """The exchanges that have instruments, in index order."""
        return self.indexed_instruments().exchanges

    def account(self, exchange: ExchangeId) -> str:
        """Return the account that orders for `exchange` go to: as configured, else `<exchange>[-paper]`."""
        return cross.account_name(exchange, self.execution[exchange])

    def source(self, exchange: ExchangeId) -> SourceName:
        """Return where the market data of `exchange` come from."""
        return cross.source_of(self.mode, self.market.get(exchange))

    def market_of(self, exchange: ExchangeId) -> MarketSettings:
        """Return the feed's settings, defaults where the file says nothing."""
        return self.market.get(exchange, MarketSettings())

    def indexed_instruments(self) -> IndexedInstruments:
        """Return the numbering of exchanges, assets and instruments that every service of this system uses."""
        return definitions.indexed(self.instruments)

    def recording_files(self) -> list[Path]:
        """Return the recordings, folders replaced by the files in them in name order."""
        files: list[Path] = []
        for path in self.recording:
            files += sorted(item for item in path.iterdir() if item.is_file()) if path.is_dir() else [path]
        return files

    def nats_store_dir(self) -> Path:
        """Return the folder of the embedded server's streams."""
        return self.nats.store_dir or self.runtime.data_dir / "nats"

    def nats_users_dir(self) -> Path | None:
        """Return the folder of the users' keys for tools beside the services: where `make up` puts it, unless named."""
        usual = self.runtime.data_dir / "access" / "nats"
        return self.nats.users_dir or (usual if usual.is_dir() else None)

    def api_keys_file(self) -> Path:
        """Return the file of the API keys."""
        return self.api.keys_file or self.runtime.data_dir / "access" / "keys.json"

    def came_from(self, sources: Sources) -> None:
        """Note where the values came from; told once, by who loaded them."""
        self._sources = sources

    def problem(self, path: KeyPath, expected: str, found: str, hint: str = "") -> Problem:
        """Return a problem with the setting at `path`, for those who find one only when they use it.

        It names the file, variable or flag that the setting came from, as every other problem does.
        """
        return Finding(path, expected, found, hint).at(self._sources.where(path))

    def as_data(self) -> dict[str, Any]:
        """Return the settings as plain data in the shape of the file, defaults included, `allow_live` left out."""
        return self.model_dump(mode="python", exclude={"allow_live"}, exclude_none=True)
