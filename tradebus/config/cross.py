"""Checks that need more than one section, and what this version cannot do."""

from collections.abc import Iterable, Iterator
from itertools import chain

from tradebus.config import available, definitions
from tradebus.config.keypath import KeyPath
from tradebus.config.parts import Parts
from tradebus.config.problem import Finding, did_you_mean, one_of, shown
from tradebus.config.sections.instruments import InstrumentSettings
from tradebus.config.sections.modes import Mode
from tradebus.config.sections.venues import ExecutionSettings, MarketSettings, SourceName
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import AssetIndexError

_MODE_SOURCE: dict[Mode, SourceName] = {
    Mode.DEMO: "generator",
    Mode.REPLAY: "recording",
    Mode.PAPER: "live",
    Mode.LIVE: "live",
}
_SOURCE_EXCHANGES: dict[SourceName, tuple[ExchangeId, ...]] = {
    "generator": available.GENERATED,
    "recording": available.RECORDED_FEEDS,
    "live": available.LIVE_FEEDS,
}
_SOURCE_WORDS: dict[SourceName, str] = {
    "generator": "an exchange whose market can be generated",
    "recording": "an exchange whose recordings can be replayed",
    "live": "an exchange with a live feed",
}


def source_of(mode: Mode, market: MarketSettings | None) -> SourceName:
    """Return where an exchange's data come from: as configured, else as the mode has it."""
    return _MODE_SOURCE[mode] if market is None or market.source is None else market.source


def account_name(exchange: ExchangeId, execution: ExecutionSettings) -> str:
    """Return the account's name: as configured, else `<exchange>-paper` if simulated, else the exchange's."""
    suffix = "-paper" if execution.connector == "simulated" else ""
    return execution.account or f"{exchange.value}{suffix}"


def check(parts: Parts) -> list[Finding]:
    """Return every disagreement between sections, in the order of the file."""
    return list(
        chain(
            _mode(parts),
            _strategies(parts),
            _risk(parts),
            _instruments(parts),
            _execution(parts),
            _market(parts),
            _nats(parts),
            _addresses(parts),
        )
    )


def _mode(parts: Parts) -> Iterator[Finding]:
    if parts.mode is Mode.LIVE and not parts.allow_live:
        yield Finding(
            ("allow_live",),
            "the environment variable TRADEBUS_ALLOW_LIVE=yes beside mode `live`",
            "no such permission",
            "Live trading needs both switches.",
        )
    if parts.mode is not None and parts.mode is not Mode.REPLAY and parts.runtime is not None and parts.runtime.run:
        yield Finding(("runtime", "run"), "no run in other modes than `replay`", shown(parts.runtime.run))
    if parts.recording is None or parts.mode is None:
        return
    if parts.mode is Mode.REPLAY and not parts.recording:
        yield Finding(("recording",), "at least one recording (TRADEBUS_RECORDING) in mode `replay`", "none")
    if parts.mode is not Mode.REPLAY and parts.recording:
        yield Finding(("recording",), f"no recording in mode `{parts.mode}`", f"{len(parts.recording)}")
    if parts.mode is Mode.REPLAY:
        for index, path in enumerate(parts.recording):
            if not path.exists():
                found = f"nothing at {shown(str(path))}"
                yield Finding(("recording", index), "a file or a folder of recordings", found)


def _strategies(parts: Parts) -> Iterator[Finding]:
    known = [instrument.name for _, instrument in parts.instruments]
    for index, strategy in parts.strategies if parts.complete else ():
        for position, name in enumerate(strategy.instruments or ()):
            if name not in known:
                path: KeyPath = ("engine", "strategies", index, "instruments", position)
                yield Finding(path, "the name of a configured instrument", shown(name), did_you_mean(name, known))


def _risk(parts: Parts) -> Iterator[Finding]:
    for index, name in enumerate(parts.risk):
        if name in parts.risk[:index]:
            yield Finding(("engine", "risk", index), "each risk check once", shown(name))
        if name not in available.RISK_CHECKS and ":" not in name:
            hint = did_you_mean(name, available.RISK_CHECKS)
            expected = f"a risk check: {one_of(available.RISK_CHECKS)}, or a class as package.module:Class"
            yield Finding(("engine", "risk", index), expected, shown(name), hint)
    for name in parts.risk_params:
        if name not in parts.risk:
            expected = "limits of a check that `engine.risk` names"
            yield Finding(("engine", "risk_params", name), expected, shown(name), did_you_mean(name, parts.risk))


def _instruments(parts: Parts) -> Iterator[Finding]:
    if parts.complete and not parts.instruments:
        yield Finding(("instruments",), "at least one instrument", "none")
    first: dict[str, int] = {}
    for index, instrument in parts.instruments:
        path: KeyPath = ("instruments", index)
        if instrument.name in first:
            yield Finding(
                (*path, "name_internal"),
                "a name of its own",
                f"{shown(instrument.name)}, which is also instruments[{first[instrument.name]}]",
            )
        first.setdefault(instrument.name, index)
        if instrument.kind != "spot":
            expected = f"{one_of(available.KINDS)}, all that this version trades"
            yield Finding((*path, "kind"), expected, f"`{instrument.kind.name}`")
        try:
            definitions.definition(instrument)
        except ValueError as error:
            yield Finding(path, "an instrument that makes sense", str(error))
    try:
        definitions.indexed(instrument for _, instrument in parts.instruments if _is_definable(instrument))
    except AssetIndexError as error:
        yield Finding(("instruments",), "one spelling per asset and exchange", str(error))


def _is_definable(instrument: InstrumentSettings) -> bool:
    try:
        definitions.definition(instrument)
    except ValueError:
        return False
    return True


def _traded(parts: Parts) -> dict[ExchangeId, dict[str, int]]:
    """Return, by exchange, the assets that its instruments need and the first instrument needing each."""
    traded: dict[ExchangeId, dict[str, int]] = {}
    for index, instrument in parts.instruments:
        for asset in instrument.assets:
            traded.setdefault(instrument.exchange, {}).setdefault(asset, index)
    return traded


def _execution(parts: Parts) -> Iterator[Finding]:
    traded = _traded(parts)
    for exchange, assets in traded.items():
        if exchange not in parts.execution:
            expected = f"a table `[execution.{exchange.value}]` for instruments[{min(assets.values())}]"
            yield Finding(("execution", exchange.value), expected, "none")
    accounts: dict[str, ExchangeId] = {}
    for exchange, execution in parts.execution.items():
        if execution is None:
            continue
        path: KeyPath = ("execution", exchange.value)
        yield from _connector(parts, path, execution)
        name = account_name(exchange, execution)
        if name in accounts:
            yield Finding((*path, "account"), "an account of its own", f"`{name}`, which `{accounts[name].value}` has")
        accounts.setdefault(name, exchange)
        if execution.connector == "simulated" and exchange in traded:
            yield from _balances(path, execution, traded[exchange], complete=parts.complete)


def _connector(parts: Parts, path: KeyPath, execution: ExecutionSettings) -> Iterator[Finding]:
    if execution.connector not in available.CONNECTORS:
        expected = f"{one_of(available.CONNECTORS)}, all that this version has"
        yield Finding((*path, "connector"), expected, f"`{execution.connector}`")
    elif parts.mode is Mode.LIVE:
        expected = "a connector to venue accounts in mode `live`, which this version does not have"
        yield Finding((*path, "connector"), expected, f"`{execution.connector}`", "Mode `paper` runs with it.")


def _balances(
    path: KeyPath, execution: ExecutionSettings, assets: dict[str, int], *, complete: bool
) -> Iterator[Finding]:
    for asset, index in assets.items():
        if asset not in execution.balances:
            yield Finding((*path, "balances", asset), f"a balance, may be 0, as instruments[{index}] trades it", "none")
    for asset in execution.balances if complete else ():
        if asset not in assets:
            hint = did_you_mean(asset, list(assets))
            yield Finding((*path, "balances", asset), "an asset of an instrument on this exchange", shown(asset), hint)


def _market(parts: Parts) -> Iterator[Finding]:
    if parts.mode is None:
        return
    usual = _MODE_SOURCE[parts.mode]
    first: dict[ExchangeId, int] = {}
    for index, instrument in parts.instruments:
        first.setdefault(instrument.exchange, index)
    for exchange, index in first.items():
        market = parts.market.get(exchange)
        if exchange in parts.market and market is None:
            continue
        source = source_of(parts.mode, market)
        if source != usual:
            path: KeyPath = ("market", exchange.value, "source")
            yield Finding(path, f"`{usual}` in mode `{parts.mode}`", f"`{source}`")
        elif exchange not in _SOURCE_EXCHANGES[source]:
            known = [item.value for item in _SOURCE_EXCHANGES[source]]
            expected = f"{_SOURCE_WORDS[source]} for mode `{parts.mode}`: {one_of(known)}"
            yield Finding(("instruments", index, "exchange"), expected, f"`{exchange.value}`")


def _nats(parts: Parts) -> Iterator[Finding]:
    if parts.nats is None:
        return
    if parts.mode is Mode.LIVE:
        if not parts.nats.sync_always:
            expected = "`true` in mode `live`: what was acknowledged must survive a power cut"
            yield Finding(("nats", "sync_always"), expected, "false")
        if parts.nats.monitoring_url is None:
            expected = "the server's monitoring address in mode `live`, by which `sync_interval: always` is checked"
            yield Finding(("nats", "monitoring_url"), expected, "none")
        if parts.nats.users_dir is None:
            expected = "the folder of the users' keys in mode `live`: each service connects as its own user"
            yield Finding(("nats", "users_dir"), expected, "none", "`python -m services.runtime.users` makes it.")
    if not parts.nats.embedded:
        return
    if not parts.nats.address.is_loopback:
        yield Finding(("nats", "url"), "a loopback address for the embedded server", shown(parts.nats.url))
    if parts.mode is Mode.LIVE:
        yield Finding(("nats", "embedded"), "an official server of its own (`embedded = false`) in mode `live`", "true")


def _addresses(parts: Parts) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for path, address in _listening(parts):
        port = address.rpartition(":")[2]
        if port == "0":
            continue
        name = ".".join(str(part) for part in path)
        if address in taken:
            yield Finding(path, "an address of its own", f"{address}, which `{taken[address]}` has")
        taken.setdefault(address, name)


def _listening(parts: Parts) -> Iterable[tuple[KeyPath, str]]:
    if parts.nats is not None and parts.nats.embedded:
        yield ("nats", "url"), str(parts.nats.address)
    if parts.api is not None:
        yield ("api", "listen"), str(parts.api.listen)
        if parts.api.grpc_listen is not None:
            yield ("api", "grpc_listen"), str(parts.api.grpc_listen)
    if parts.runtime is not None:
        for service in type(parts.runtime.http).model_fields:
            yield ("runtime", "http", service), str(getattr(parts.runtime.http, service))
