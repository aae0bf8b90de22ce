"""Hold everything that a simulated exchange knows at one moment, apart from the exchange itself: what a snapshot keeps.

An exchange that is given it back goes on as the one it was taken from would have.
"""

import hashlib
from decimal import Decimal
from typing import ClassVar, Final, final

from tradebus.core.engine.audit.canonical import HASH_VERSION, canonical_text
from tradebus.core.model.account import Trade
from tradebus.core.model.identifiers import AssetIndex
from tradebus.core.model.record import Record
from tradebus.core.simulation.book import TopOfBook
from tradebus.core.simulation.resting import RestingOrder
from tradebus.core.simulation.transit import Arrival, Delivery

_DIGEST_BYTES: Final = 16


@final
class SimulatedBalance(Record):
    """What a simulated account owns of one asset, and what of it is spendable."""

    FIELDS: ClassVar[tuple[str, ...]] = ("asset", "total", "free")

    def __init__(self, asset: AssetIndex, total: Decimal, free: Decimal) -> None:
        self.asset: Final = asset
        self.total: Final = total
        self.free: Final = free


@final
class SimulationState(Record):
    """The state of one simulated exchange; the numbers in it are those of the index it was taken under.

    ``books`` are in index order, ``resting`` orders as they came, ``arrivals`` and ``deliveries`` in the order in which
    they are due, ``history`` the last fills in order. ``sequence`` is the last tick folded and ``ordinal`` the last
    event told of it; ``orders`` and ``trades`` count what ids were made of.
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "books",
        "resting",
        "arrivals",
        "deliveries",
        "balances",
        "sequence",
        "ordinal",
        "orders",
        "trades",
        "history",
    )

    def __init__(
        self,
        books: tuple[TopOfBook, ...],
        resting: tuple[RestingOrder, ...],
        arrivals: tuple[Arrival, ...],
        deliveries: tuple[Delivery, ...],
        balances: tuple[SimulatedBalance, ...],
        sequence: int,
        ordinal: int,
        orders: int,
        trades: int,
        history: tuple[Trade, ...],
    ) -> None:
        self.books: Final = books
        self.resting: Final = resting
        self.arrivals: Final = arrivals
        self.deliveries: Final = deliveries
        self.balances: Final = balances
        self.sequence: Final = sequence
        self.ordinal: Final = ordinal
        self.orders: Final = orders
        self.trades: Final = trades
        self.history: Final = history


def simulation_hash(state: SimulationState, version: int = HASH_VERSION) -> str:
    """Return what proves that a state is the one that was written: BLAKE2b-128 of its canonical text, as hex."""
    return hashlib.blake2b(canonical_text(state, version).encode(), digest_size=_DIGEST_BYTES).hexdigest()
