"""What must hold for the journals whatever happened: an independent reading of every stream, message by message.

Nothing here uses the services' modules. The audit journal is folded into a replica of its own; fills are added up by
hand. It holds for an engine that goes on where it was as well as for one that begins afresh behind its old journal:
then positions count from its start record on.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Final

from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.tick import AuditTick, RequestsDecided
from tradebus.core.engine.event import (
    AccountEvent,
    EngineStarted,
    OrderReceived,
    Shutdown,
    TradeReceived,
    TradingStateUpdate,
)
from tradebus.core.market.event import MarketEvent
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import AssetIndex, ExchangeIndex, InstrumentIndex
from tradebus.core.model.number import enter_engine_context
from tradebus.core.model.order import OrderRequestOpen
from tradebus.core.model.side import Side
from tradebus.journal.verify import AccountVerifier, AuditVerifier, JournalDamaged
from tradebus.strategies.loading import load_data
from tradebus.wire.codec.account_journal import Intent, Ownership
from tradebus.wire.codec.bounds import UNBOUNDED

Key = tuple[int, int]
"""Of an account event: sequence of the tick that caused it, and its place among the events of that tick."""


class AuditOracle:
    """The audit journal: gap free and chained, every hash that of our own fold, every order sent once."""

    def __init__(self) -> None:
        self.verifier: Final = AuditVerifier()
        self.replica: Final = Replica(load_data)
        self.hashes = 0
        self.starts: Final[list[int]] = []
        """Sequences of the start records."""
        self.opened: Final[dict[str, int]] = {}
        """Client order ids, with the sequence of the tick that sent the order."""
        self.times_ns: Final[dict[int, int]] = {}
        """Engine time of the ticks that sent orders."""
        self.events: Final[dict[ExchangeIndex, dict[Key, AccountEvent]]] = defaultdict(dict)
        self.chains: Final[list[str]] = []
        self.is_shut_down = False
        """Whether the last tick is that of an ordered stop."""
        self.switches: Final[list[tuple[AuditTick, TradingStateUpdate]]] = []
        """Every switch of trading, with its tick."""
        self.market_away_ns: Final[list[tuple[int, int]]] = []
        """Wall times between which nobody could hand market data over; what is kept for later is late data."""

    @property
    def sequence(self) -> int:
        """Return the last tick's sequence."""
        return self.verifier.sequence

    def take(self, message: JournalMessage) -> None:
        """Read the next message. Raises AssertionError, JournalDamaged, and whatever the replica does."""
        enter_engine_context()
        batch = self.verifier.accept(message)
        self.chains.append(self.verifier.chain)
        for tick in batch.ticks:
            assert self.replica.apply(tick), f"tick {tick.sequence} stands in the journal twice"
            self._note(tick)
        head = batch.head
        if head.core_hash:
            own = self.replica.hash()
            found = (head.hash_version, head.core_hash, head.user_hash)
            expected = (own.version, own.core, own.user)
            assert found == expected, (
                f"tick {head.last_sequence}: hash {found} in the journal, our fold gives {expected}"
            )
            self.hashes += 1

    def _note(self, tick: AuditTick) -> None:
        event = tick.event
        self.is_shut_down = isinstance(event, Shutdown)
        if isinstance(event, MarketEvent):
            for begin_ns, end_ns in self.market_away_ns:
                assert not begin_ns < event.time_received_ns < end_ns, (
                    f"tick {tick.sequence}: market data of a time without NATS, "
                    f"{(end_ns - event.time_received_ns) / 1e9:.3f} s before it came back"
                )
        elif isinstance(event, EngineStarted):
            self.starts.append(tick.sequence)
        elif isinstance(event, AccountEvent) and (event.cause or event.ordinal):
            self.events[event.exchange].setdefault((event.cause, event.ordinal), event)
        elif isinstance(event, TradingStateUpdate):
            self.switches.append((tick, event))
        for output in tick.outputs:
            if isinstance(output, RequestsDecided):
                for request in output.opens_sent:
                    self.times_ns[tick.sequence] = tick.time_ns
                    known = self.opened.setdefault(request.key.cid, tick.sequence)
                    assert known == tick.sequence, f"order {request.key.cid} was sent by ticks {known}, {tick.sequence}"

    def check_positions(self) -> int:
        """Compare positions with the sum of unique fills since the last start; return how many fills that were."""
        begin = self.starts[-1] if self.starts else 0
        trades = [trade for fills in self._fills(begin).values() for trade in fills]
        net: dict[InstrumentIndex, Decimal] = defaultdict(Decimal)
        for trade in trades:
            net[trade.instrument] += _signed(trade)
        state = self.replica.state
        for instrument, definition in zip(state.instruments, state.index.instruments, strict=True):
            position = instrument.position
            held = Decimal(0)
            if position is not None:
                held = position.quantity_abs if position.side is Side.BUY else -position.quantity_abs
            expected = net[definition.index]
            assert held == expected, f"{definition.name}: position {held}, the fills add up to {expected}"
        return len(trades)

    def check_balances(self) -> None:
        """Compare balances with setup and fills since the last start; only when nothing is under way."""
        started = self.replica.started
        assert started is not None
        moved: dict[AssetIndex, Decimal] = defaultdict(Decimal)
        index = started.index
        for trades in self._fills(self.starts[-1]).values():
            for trade in trades:
                instrument = index.instruments[trade.instrument]
                sign = 1 if trade.side is Side.BUY else -1
                moved[instrument.base] += sign * trade.quantity
                moved[instrument.quote] -= sign * trade.price * trade.quantity + trade.fees
        for account in started.accounts:
            assert account.simulation is not None
            for asset, amount in account.simulation.balances:
                balance = self.replica.state.assets[asset].balance
                assert balance is not None
                expected = amount + moved[asset]
                assert balance.total == expected, f"asset {asset}: balance {balance.total}, expected {expected}"

    def _fills(self, begin: int) -> dict[ExchangeIndex, list[Trade]]:
        return {
            exchange: [
                event.data.trade
                for (cause, _), event in events.items()
                if cause >= begin and isinstance(event.data, TradeReceived)
            ]
            for exchange, events in self.events.items()
        }


class AccountOracle:
    """One account's journal: chained, owned, no key twice, every event of an order that a durable tick explains."""

    def __init__(self, account: str, *, is_at_venue: bool = False) -> None:
        self.account: Final = account
        self.is_at_venue: Final = is_at_venue
        self.intents: Final[dict[str, int]] = {}
        """Client order ids of the orders that were intended, with the message of the intent."""
        self.verifier: Final = AccountVerifier(UNBOUNDED)
        self.events: Final[dict[Key, AccountEvent]] = {}
        self.owners: Final[list[tuple[str, int]]] = []

    def take(self, message: JournalMessage) -> None:
        """Read the next message. Raises AssertionError and JournalDamaged."""
        for entry in self.verifier.accept(message).entries:
            record = entry.record
            if isinstance(record, Intent) and isinstance(record.request, OrderRequestOpen):
                known = self.intents.setdefault(record.request.key.cid, message.sequence)
                assert known == message.sequence, f"{self.account}: {record.request.key.cid} was intended twice"
            if isinstance(record, Ownership):
                assert not self.owners or record.owner_epoch > self.owners[-1][1], f"{self.account}: epoch went back"
                self.owners.append((record.owner, record.owner_epoch))
            elif isinstance(record, AccountEvent) and (record.cause or record.ordinal):
                key = (record.cause, record.ordinal)
                assert key not in self.events, f"{self.account}: the event {key} stands in the journal twice"
                self.events[key] = record

    def check_explained(self, audit: AuditOracle) -> None:
        """Check that a tick in the audit journal explains everything that happened."""
        for key, event in self.events.items():
            # What happens at a venue is numbered by the account's journal.
            is_caused = self.is_at_venue or key[0] <= audit.sequence
            assert is_caused, f"{self.account}: {key} was caused by a tick that the journal lacks"
            data = event.data
            cid = ""
            if isinstance(data, TradeReceived):
                cid = data.trade.cid
            elif isinstance(data, OrderReceived):
                cid = data.order.key.cid
            assert not cid or cid in audit.opened, f"{self.account}: no tick sent order {cid}"

    def check_told(self, told: dict[Key, AccountEvent]) -> None:
        """Check that the engine processed nothing that the journal does not hold."""
        for key, event in told.items():
            assert self.events.get(key) == event, (
                f"{self.account}: the engine processed {event}, which is not journaled"
            )


class Oracles:
    """Every journal of one system. What a message breaks is kept and raised by ``check``."""

    def __init__(self, accounts: dict[str, ExchangeIndex], *, are_at_venues: bool = False) -> None:
        self.audit: Final = AuditOracle()
        self.accounts: Final = {name: AccountOracle(name, is_at_venue=are_at_venues) for name in accounts}
        self._exchanges: Final = accounts
        self.broken: list[str] = []

    def take_audit(self, message: JournalMessage) -> None:
        """Read a message of the audit journal."""
        try:
            self.audit.take(message)
        except (AssertionError, JournalDamaged, ValueError) as error:
            self.broken.append(f"{message.stream}, message {message.sequence}: {error}")
            raise

    def take_account(self, account: str, message: JournalMessage) -> None:
        """Read a message of an account's journal."""
        try:
            self.accounts[account].take(message)
        except (AssertionError, JournalDamaged, ValueError) as error:
            self.broken.append(f"{message.stream}, message {message.sequence}: {error}")
            raise

    def fills(self) -> dict[str, list[Key]]:
        """Return the keys of all fills by account, of earlier runs of the engine too."""
        return {
            name: [key for key, event in account.events.items() if isinstance(event.data, TradeReceived)]
            for name, account in self.accounts.items()
        }

    def check(self, *, at_rest: bool = False) -> int:
        """Check everything read so far, the accounts read no less far than the audit journal; return the fills."""
        assert not self.broken, "; ".join(self.broken)
        for name, account in self.accounts.items():
            account.check_explained(self.audit)
            account.check_told(self.audit.events.get(self._exchanges[name], {}))
        fills = self.audit.check_positions()
        if at_rest:
            self.audit.check_balances()
        return fills


def _signed(trade: Trade) -> Decimal:
    return trade.quantity if trade.side is Side.BUY else -trade.quantity
