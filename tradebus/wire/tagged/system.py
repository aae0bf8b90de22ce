"""The reference's system configuration: what is traded, and the simulated accounts.

``{"instruments": [...], "executions": [{"mocked_exchange": ..., "latency_ms": ..., "fees_percent": ...,
"initial_state": {...}}]}``. Keys besides these are ignored, as there. ``fees_percent`` is a fraction in spite of its
name (0.05 is 5 %). Read the JSON with ``parse_float=Decimal`` to keep numbers as they are written.

Source: barter 0.12.5 ``system/config.rs``.
"""

from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.engine.event import AccountSetup, EngineStarted, SimulationSetup, StrategySetup
from tradebus.core.engine.state.trading import TradingState
from tradebus.core.model.account import Balance
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.index import IndexedInstruments, NotIndexedError, index_instruments
from tradebus.core.model.instrument import InstrumentDefinition
from tradebus.core.model.record import Record
from tradebus.wire.codec.error import Inconsistent
from tradebus.wire.tagged.instrument import definition, exchange_id
from tradebus.wire.tagged.parts import NS_PER_MS, Json, every, inner, items, member, members, number, text, whole


@final
class MockedAccount(Record):
    """A simulated account; ``fee`` is a fraction of the value, ``balances`` are by the venue's name of the asset."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "latency_ms", "fee", "balances")

    def __init__(
        self, exchange: ExchangeId, latency_ms: int, fee: Decimal, balances: tuple[tuple[str, Balance], ...]
    ) -> None:
        self.exchange: Final = exchange
        self.latency_ms: Final = latency_ms
        self.fee: Final = fee
        self.balances: Final = balances


@final
class SystemConfig(Record):
    """What a system trades, and its simulated accounts."""

    FIELDS: ClassVar[tuple[str, ...]] = ("instruments", "accounts")

    def __init__(self, instruments: tuple[InstrumentDefinition, ...], accounts: tuple[MockedAccount, ...]) -> None:
        self.instruments: Final = instruments
        self.accounts: Final = accounts


def system_config(value: Json) -> SystemConfig:
    """Read a system configuration. Raises DecodeError with the place of what is wrong."""
    written = members(value)
    return SystemConfig(
        tuple(every(written, "instruments", definition)), tuple(every(written, "executions", _mocked_account))
    )


def _mocked_account(value: Json) -> MockedAccount:
    written = members(value)
    latency_ms = member(written, "latency_ms", whole)
    if latency_ms < 0:
        raise Inconsistent(f"expected 0 or more, found {latency_ms}", "latency_ms")
    balances = inner(written, "initial_state", "balances", items)
    member(written, "initial_state", _no_orders)
    return MockedAccount(
        member(written, "mocked_exchange", exchange_id),
        latency_ms,
        member(written, "fees_percent", number),
        tuple([_balance(balance) for balance in balances]),
    )


def _balance(value: Json) -> tuple[str, Balance]:
    written = members(value)
    total = inner(written, "balance", "total", number)
    free = inner(written, "balance", "free", number)
    name = member(written, "asset", text)
    return name, Balance(total, free)


def _no_orders(value: Json) -> None:
    """Refuse orders of an initial state: nothing would ever fill them."""
    for i, item in enumerate(every(members(value), "instruments", members)):
        orders = item.get("orders")
        if orders:
            raise Inconsistent("expected no orders: they would neither fill nor end", f"instruments[{i}].orders")


def system_started(
    config: SystemConfig,
    engine_id: str = "backtest",
    strategies: tuple[StrategySetup, ...] = (),
    trading: TradingState = TradingState.DISABLED,
    *,
    is_market_only: bool = False,
) -> EngineStarted:
    """Return the start record of an engine with this configuration; trading is off unless told otherwise.

    ``is_market_only`` makes its accounts fill as the reference's do (see ``SimulationSetup``). Raises Inconsistent for
    an account or balance that no instrument knows, for one that is not all free, and for two accounts on one exchange.
    """
    index = index_instruments(config.instruments)
    accounts: dict[ExchangeId, AccountSetup] = {}
    for mocked in config.accounts:
        if mocked.exchange in accounts:
            raise Inconsistent(f"expected one account on {mocked.exchange.value}, found two", "executions")
        accounts[mocked.exchange] = _account(index, mocked, is_market_only)
    ordered = tuple(accounts[exchange] for exchange in index.exchanges if exchange in accounts)
    return EngineStarted(engine_id, "backtest", "", "", index, ordered, strategies, trading)


def _account(index: IndexedInstruments, mocked: MockedAccount, is_market_only: bool) -> AccountSetup:
    try:
        exchange = index.find_exchange_index(mocked.exchange)
        amounts = [(index.find_asset_index(mocked.exchange, name), held.total) for name, held in mocked.balances]
    except NotIndexedError as error:
        raise Inconsistent(str(error), "executions") from None
    for name, held in mocked.balances:
        if held.free != held.total:
            raise Inconsistent(f"expected all of {held.total} {name} to be free, found {held.free}", "executions")
    simulation = SimulationSetup(
        mocked.latency_ms * NS_PER_MS, mocked.fee, mocked.fee, tuple(sorted(amounts)), is_market_only
    )
    return AccountSetup(exchange, f"{mocked.exchange.value}-paper", simulation)
