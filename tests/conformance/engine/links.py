"""Run the vectors of links, trading state, balances and filters."""

from decimal import Decimal
from typing import Any

from tests.conformance.engine import reading, world
from tests.conformance.engine.outcome import Check
from tests.conformance.engine.vectors import Case
from tests.support.builders import balance_told, public_trade
from tests.support.scenario import Scripted
from tradebus.core.engine.apply import apply_event
from tradebus.core.engine.audit.tick import Origin, RequestsDecided
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.event import (
    AccountEvent,
    AccountReconnecting,
    BalanceReceived,
    StrategySetup,
    TradingStateUpdate,
)
from tradebus.core.engine.event_base import EngineEvent
from tradebus.core.engine.state.engine_state import EngineState
from tradebus.core.engine.state.link import AccountLink, Health
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.account import AssetBalance, Balance
from tradebus.core.model.identifiers import AssetIndex, ExchangeIndex, InstrumentIndex
from tradebus.core.risk.interface import RiskManager

HEALTHY = Health.HEALTHY.name.lower()
RECONNECTING = Health.RECONNECTING.name.lower()


def global_health(links: dict[str, Any], data_only: frozenset[str] = frozenset()) -> str:
    """Return the health that follows from links as the vectors write them; a data-only exchange has no account."""
    for name, link in links.items():
        if link["market_data"] != HEALTHY or (name not in data_only and link["account"] != HEALTHY):
            return RECONNECTING
    return HEALTHY


def check_links(
    check: Check,
    what: str,
    state: EngineState,
    exchanges: list[str],
    expected: dict[str, Any],
    data_only: frozenset[str],
    true_links: dict[str, Any],
) -> None:
    """Compare each exchange's links, and the global health, which by rule follows from them."""
    links = expected["exchanges"]
    for i, name in enumerate(exchanges):
        found = state.connectivity[i]
        for link, ours in (("market_data", found.market_data), ("account", found.account)):
            # A global health that began wrong keeps the reference from looking at the links.
            where = f"{what}.{name}.{link}"
            check.equal_or("derived-health", where, ours.name.lower(), links[name][link], true_links[name][link])
    ours_global = state.global_health.name.lower()
    wanted = expected["global_health"]
    # With accounts everywhere the reference's rule and ours agree, unless the vector began with a contradiction.
    rule = "derived-health" if global_health(links) != wanted else "data-only-exchange"
    check.equal_or(rule, f"{what}.global_health", ours_global, wanted, global_health(true_links, data_only))


def apply_to_links(links: dict[str, Any], event: str, exchange: str) -> None:
    """Let an event move the links, as the vectors write them."""
    link = "account" if event.startswith("account") else "market_data"
    links[exchange][link] = RECONNECTING if event.endswith("reconnecting") else HEALTHY


def data_only_exchanges(case: dict[str, Any]) -> frozenset[str]:
    """Return the exchanges of a script that has market events of them and never anything of an account."""
    with_account = {step["exchange"] for step in case["steps"] if step["event"].startswith("account")}
    with_market = {step["exchange"] for step in case["steps"] if step["event"] == "market_event"}
    connected = {name for name, link in case["initial"]["exchanges"].items() if link["account"] == HEALTHY}
    return frozenset(with_market - with_account - connected)


def run_connectivity(case: Case, check: Check) -> None:
    """Let links come and go."""
    exchanges: list[str] = case.data["exchanges"]
    data_only = data_only_exchanges(case.data)
    instruments = [{"index": i, "exchange": i} for i in range(len(exchanges))]
    assets = [{"index": 0, "exchange": exchanges[0], "name": "a"}]
    state = world.state_of(world.index_of(exchanges, instruments, assets))
    initial = case.data["initial"]
    for i, name in enumerate(exchanges):
        links = state.connectivity[i]
        links.market_data = Health[initial["exchanges"][name]["market_data"].upper()]
        links.account = Health[initial["exchanges"][name]["account"].upper()]
        links.link = AccountLink.NOT_CONFIGURED if name in data_only else AccountLink.HEALTHY
    true_links = {name: dict(link) for name, link in initial["exchanges"].items()}
    check_links(check, "initial", state, exchanges, initial, data_only, true_links)
    for i, step in enumerate(case.data["steps"]):
        exchange = ExchangeIndex(exchanges.index(step["exchange"]))
        events: dict[str, EngineEvent] = {
            "market_event": MarketEvent(1, 1, exchange, InstrumentIndex(exchange), 0, public_trade().data),
            "account_event": AccountEvent(
                exchange,
                0,
                0,
                BalanceReceived(AssetBalance(AssetIndex(0), Balance(Decimal(1), Decimal(1)), 1)),
            ),
            "market_reconnecting": MarketReconnecting(exchange, ""),
            "account_reconnecting": AccountReconnecting(exchange, ""),
        }
        apply_event(state, events[step["event"]])
        apply_to_links(true_links, step["event"], step["exchange"])
        check_links(check, f"steps[{i}]", state, exchanges, step["expected"], data_only, true_links)


def run_trading_state(case: Case, check: Check) -> None:
    """Switch trading, and see whether the hook for switching off is called."""
    expected = case.data["expected"]
    before = TradingState[case.data["initial"].upper()]
    strategy = Scripted()
    started = world.start_record(world.index_of(["a"], []), [StrategySetup(strategy.id, "", ())], before)
    engine = Engine(started, [strategy], RiskManager())
    check.equal("prev", engine.state.trading.name.lower(), expected["prev"])
    tick = engine.process(TradingStateUpdate(TradingState[case.data["update"].upper()], "operator"), 0)
    for name in ("state", "current"):
        check.equal(name, engine.state.trading.name.lower(), expected[name])
    called = [output for output in tick.outputs if isinstance(output, RequestsDecided)]
    check.equal("hook", all(output.origin is Origin.TRADING_DISABLED for output in called), True)
    check.equal("transitioned_to_disabled", bool(called), expected["transitioned_to_disabled"])


def _balance(written: dict[str, Any]) -> AssetBalance:
    balance = Balance(Decimal(written["total"]), Decimal(written["free"]))
    return AssetBalance(AssetIndex(0), balance, reading.time_ns(written["time"]))


def run_asset_state_update(case: Case, check: Check) -> None:
    """Store a balance unless it is stale."""
    state = world.state_of(world.index_of(["a"], [{"index": 0}]))
    if case.data["initial"] is not None:
        apply_event(state, balance_told(_balance(case.data["initial"])))
    before = state.assets[0].balance, state.assets[0].time_exchange_ns
    update = _balance(case.data["snapshot"])
    applied = state.assets[0].update_from_balance(update)
    check.equal("applied", applied, case.data["applied"])
    expected = case.data["expected"]
    found = state.assets[0]
    if expected is None:
        check.equal("balance", found.balance, None)
        return
    wanted = _balance(expected)
    check.equal("balance", found.balance, wanted.balance)
    check.equal("time", found.time_exchange_ns, wanted.time_exchange_ns)
    if not applied:
        check.equal("untouched", (found.balance, found.time_exchange_ns), before)


def run_instrument_filter(case: Case, check: Check) -> None:
    """Select instruments."""
    instruments = case.data["instruments"]
    exchanges = [str(i) for i in range(1 + max((item["exchange"] for item in instruments), default=0))]
    state = world.state_of(world.index_of(exchanges, instruments))
    selected = [found.instrument.index for found in state.matching(reading.instrument_filter(case.data["filter"]))]
    check.equal("indices", selected, case.data["expected_indices"])


RUNNERS = {
    ("engine/connectivity.json", "scripts"): run_connectivity,
    ("engine/trading_state.json", "update"): run_trading_state,
    ("engine/balances.json", "asset_state_update"): run_asset_state_update,
    ("engine/filters.json", "instrument_filter"): run_instrument_filter,
}
