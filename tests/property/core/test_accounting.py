"""Profits agree with a second calculation, in exact fractions and from cash alone, whatever is filled and paid.

The second one keeps no positions. An instrument's whole profit, open and realised, is what came in less what went out
plus what is held at its mark; for an inverse contract value runs the other way. Rounding to 29 digits is all that may
differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.property.examples import examples
from tests.support.builders import (
    ALPHA,
    account_event,
    derivative,
    engine_started,
    fill,
    setup_of,
    simulated_account,
    spot_definition,
)
from tests.support.scenario import Followed, Scripted, follow
from tradebus.core.engine.audit.tick import PositionExit
from tradebus.core.engine.event import FundingReceived, TradeReceived
from tradebus.core.engine.state.instrument import InstrumentState
from tradebus.core.market.event import MarketEvent, PublicTrade
from tradebus.core.model.identifiers import STRATEGY_UNKNOWN
from tradebus.core.model.index import index_instruments
from tradebus.core.model.instrument import InstrumentKind, QuoteKind
from tradebus.core.model.side import Side

STRATEGIES = ("a", "b", "nobody")
ASSETS = ("bnb", "btc", "usd", "usdc", "usdt")
SIZES = {"spot": "1", "small": "0.01", "inverse": "100", "quanto": "0.5", "option": "0.1", "premium": "1", "price": "1"}
PAYS = {
    "spot": "usdt",
    "small": "usdt",
    "inverse": "btc",
    "quanto": "usdc",
    "option": "usdt",
    "premium": "btc",
    "price": "usdt",
}
DEFINITIONS = {
    "spot": spot_definition(base="btc", quote="usdt"),
    "small": derivative(size=SIZES["small"], name="small"),
    "inverse": derivative(InstrumentKind.FUTURE, quote="usd", settlement="btc", size=SIZES["inverse"], name="inverse"),
    "quanto": derivative(settlement="usdc", size=SIZES["quanto"], name="quanto"),
    "option": derivative(InstrumentKind.OPTION, settlement="btc", size=SIZES["option"], name="option"),
    "premium": derivative(
        InstrumentKind.OPTION, settlement="btc", quote_kind=QuoteKind.UNDERLYING_BASE, name="premium"
    ),
    "price": spot_definition(base="bnb", quote="usdt"),
}
INDEX = index_instruments(DEFINITIONS.values())
EXCHANGE = INDEX.exchanges[0]
NAMES = {
    name: INDEX.find_instrument_index(EXCHANGE, definition.name_internal) for name, definition in DEFINITIONS.items()
}
NUMBERS = {name: INDEX.find_asset_index(EXCHANGE, name) for name in ASSETS}
OWN = {
    "spot": ("btc", "usdt"),
    "small": ("btc", "usdt"),
    "inverse": ("btc", "usd"),
    "quanto": ("btc", "usdt"),
    "price": ("bnb", "usdt"),
}
"""Base and quote of the instruments whose price is that of the base in quote."""

prices = st.integers(1, 10**6).map(lambda cents: Decimal(cents) / 100)
lots = st.integers(1, 2_000).map(lambda tenths: Decimal(tenths) / 10)
fees = st.integers(-300, 1_000).map(lambda cents: Decimal(cents) / 1_000)
instruments = st.sampled_from(list(NAMES))
assets = st.sampled_from(ASSETS)


@dataclass(frozen=True, slots=True)
class Bought:
    """A fill; without an asset its fees are in that of the profit."""

    instrument: str
    side: Side
    price: Decimal
    quantity: Decimal
    fees: Decimal
    asset: str | None
    strategy: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A funding payment."""

    instrument: str
    amount: Decimal
    asset: str


@dataclass(frozen=True, slots=True)
class Traded:
    """A public trade."""

    instrument: str
    price: Decimal


bought = st.builds(
    Bought,
    instruments,
    st.sampled_from(list(Side)),
    prices,
    lots,
    fees,
    st.none() | assets,
    st.sampled_from(STRATEGIES),
)
paid = st.builds(Paid, instruments, fees, assets)
traded = st.builds(Traded, instruments, prices)
histories = st.lists(st.one_of(bought, bought, paid, traded), min_size=1, max_size=40)


@dataclass(slots=True)
class Account:
    """What one strategy, or all together, did with an instrument: cash and what is held."""

    cash: Fraction = Fraction(0)
    held: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)
    funding: Fraction = Fraction(0)
    fills: int = 0


@dataclass(slots=True)
class Ledger:
    """The second calculation."""

    marks: dict[str, Fraction] = field(default_factory=dict)
    last: dict[str, Fraction] = field(default_factory=dict)
    net: dict[str, Account] = field(default_factory=lambda: {name: Account() for name in NAMES})
    own: dict[tuple[str, str], Account] = field(default_factory=dict)
    apart: dict[tuple[str, str], Fraction] = field(default_factory=dict)

    def value(self, name: str, quantity: Fraction, price: Fraction) -> Fraction:
        """Return what a quantity costs; an inverse contract is sold base, bought back."""
        size = Fraction(SIZES[name])
        return -size * quantity / price if name == "inverse" else size * quantity * price

    def mark(self, name: str) -> Fraction | None:
        if name in self.marks:
            return self.marks[name]
        return self.last.get(name) if self.net[name].held else None

    def converted(self, name: str, price: Fraction | None, amount: Fraction, asset: str) -> Fraction | None:
        wanted = PAYS[name]
        if asset == wanted or not amount:
            return amount
        candidates = [(OWN[name], price)] if name in OWN else []
        candidates += [(OWN[other], self.marks.get(other)) for other in ("spot", "price")]
        for pair, at in candidates:
            if at is not None and pair == (asset, wanted):
                return amount * at
            if at is not None and pair == (wanted, asset):
                return amount / at
        return None

    def accounts(self, name: str, strategy: str) -> tuple[Account, Account]:
        known = strategy if strategy in {"a", "b"} else STRATEGY_UNKNOWN
        return self.net[name], self.own.setdefault((name, known), Account())

    def take(self, event: Bought | Paid | Traded) -> None:
        name = event.instrument
        if isinstance(event, Traded):
            self.marks[name] = Fraction(event.price)
        elif isinstance(event, Bought):
            price, quantity = Fraction(event.price), Fraction(event.quantity)
            signed = quantity if event.side is Side.BUY else -quantity
            cost = self._converted_or_apart(name, price, -Fraction(event.fees), event.asset or PAYS[name])
            for account in self.accounts(name, event.strategy):
                account.cash += cost - self.value(name, signed, price)
                account.held += signed
                account.fees -= cost
                account.fills += 1
            self.last[name] = price
        else:
            amount = self._converted_or_apart(name, self.mark(name), Fraction(event.amount), event.asset)
            self.net[name].funding += amount
            self.net[name].cash += amount
            self._share(name, amount)

    def _share(self, name: str, amount: Fraction) -> None:
        held = self.net[name].held
        if not held:
            self.accounts(name, "nobody")[1].funding += amount
            self.accounts(name, "nobody")[1].cash += amount
            return
        for (instrument, _), account in self.own.items():
            if instrument == name:
                account.funding += amount * account.held / held
                account.cash += amount * account.held / held

    def _converted_or_apart(self, name: str, price: Fraction | None, amount: Fraction, asset: str) -> Fraction:
        found = self.converted(name, price, amount, asset)
        if found is None:
            self.apart[(name, asset)] = self.apart.get((name, asset), Fraction(0)) + amount
        return found or Fraction(0)

    def profit(self, name: str, account: Account) -> Fraction:
        mark = self.mark(name)
        return account.cash + (self.value(name, account.held, mark) if mark is not None else 0)


def run_of() -> Followed:
    strategies = [Scripted(strategy_id="a"), Scripted(strategy_id="b")]
    setups = [setup_of(strategy.id) for strategy in strategies]
    return follow(*strategies, started=engine_started(setups, index=INDEX, accounts=[simulated_account(balances=())]))


def feed(run: Followed, event: Bought | Paid | Traded, number: int) -> None:
    instrument = NAMES[event.instrument]
    if isinstance(event, Traded):
        told = PublicTrade(str(number), event.price, Decimal(1), Side.BUY)
        run.process(MarketEvent(number, number, ALPHA, instrument, 0, told))
    elif isinstance(event, Bought):
        asset = None if event.asset is None else NUMBERS[event.asset]
        trade = fill(
            str(number),
            event.side,
            event.price,
            event.quantity,
            event.fees,
            instrument=instrument,
            strategy=event.strategy,
            time_ns=number,
            fees_asset=asset,
        )
        run.process(account_event(TradeReceived(trade)))
    else:
        funding = FundingReceived(instrument, event.amount, NUMBERS[event.asset], number, str(number))
        run.process(account_event(funding))


def close(found: Decimal, expected: Fraction, scale: Fraction) -> bool:
    return abs(Fraction(found) - expected) <= Fraction(1, 10**20) * (1 + abs(scale))


def check(state: InstrumentState, ledger: Ledger, name: str) -> None:
    net = ledger.net[name]
    scale = abs(net.cash) + 10**9
    assert INDEX.assets[state.pnl_asset].asset.name_internal == PAYS[name]
    assert Fraction(state.quantity_net()) == net.held
    assert close(state.pnl_realised() + state.pnl_unrealised_gross(), ledger.profit(name, net), scale)
    assert close(state.funding.amount, net.funding, scale)
    paid_fees = state.exits.fees
    if state.position is not None:
        paid_fees += state.position.fees_enter + state.position.fees_exit
        gross = state.pnl_unrealised_gross() - state.exit_fees_approximate()
        assert state.pnl_unrealised() == gross
    assert close(paid_fees, net.fees, scale)
    found = {INDEX.assets[each.asset].asset.name_internal: Fraction(each.amount) for each in state.apart}
    assert found == {asset: amount for (of, asset), amount in ledger.apart.items() if of == name}
    assert set(state.strategies) == {strategy for of, strategy in ledger.own if of == name}
    for strategy, position in state.strategies.items():
        own = ledger.own[(name, strategy)]
        assert Fraction(position.quantity_net) == own.held
        assert position.trade_count == own.fills
        assert close(position.fees, own.fees, scale)
        assert close(position.funding, own.funding, scale)
        whole = position.pnl_realised + state.strategy_pnl_unrealised(strategy)
        if state.price_mark() is None:
            assert state.strategy_pnl_unrealised(strategy) == 0
        else:
            assert close(whole, ledger.profit(name, own), scale)
    if state.price_mark() is None:
        return  # strategies that hold against each other in a market without a price: what they hold has no value yet
    # What an account made is what its strategies made.
    each = sum((p.pnl_realised + state.strategy_pnl_unrealised(s) for s, p in state.strategies.items()), Decimal(0))
    assert close(each, Fraction(state.pnl_realised() + state.pnl_unrealised_gross()), scale)


@examples(100)
@given(histories)
def test_profits_agree_with_cash_and_what_is_held(history: Sequence[Bought | Paid | Traded]) -> None:
    run, ledger = run_of(), Ledger()
    for number, event in enumerate(history, 1):
        feed(run, event, number)
        ledger.take(event)
        check(run.engine.state.instruments[NAMES[event.instrument]], ledger, event.instrument)
    for name, instrument in NAMES.items():
        check(run.engine.state.instruments[instrument], ledger, name)


@examples(60)
@given(histories)
def test_closed_positions_hold_all_that_is_realised(history: Sequence[Bought | Paid | Traded]) -> None:
    run = run_of()
    made: dict[int, Decimal] = {}
    for number, event in enumerate(history, 1):
        state = run.engine.state.instruments[NAMES[event.instrument]]
        before, is_flat = state.pnl_realised(), state.position is None
        feed(run, event, number)
        if isinstance(event, Paid) and is_flat:
            gained = state.pnl_realised() - before
            made[state.instrument.index] = made.get(state.instrument.index, Decimal(0)) + gained
        for output in run.ticks[-1].outputs:
            if isinstance(output, PositionExit):
                exited = output.exited
                made[exited.instrument] = made.get(exited.instrument, Decimal(0)) + exited.pnl_realised
    for i, state in enumerate(run.engine.state.instruments):
        assert close(state.exits.pnl_realised, Fraction(made.get(i, Decimal(0))), Fraction(10**9))
