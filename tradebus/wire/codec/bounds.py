"""Say which numbers of exchanges, assets and instruments a message may use."""

from dataclasses import dataclass
from typing import Final

from tradebus.core.model.identifiers import AssetIndex, ExchangeIndex, InstrumentIndex
from tradebus.core.model.index import IndexedInstruments
from tradebus.wire.codec.error import ForeignIndex, IndexOutOfRange


@dataclass(frozen=True, slots=True)
class IndexBounds:
    """How many exchanges, assets and instruments there are; numbers below that are allowed.

    ``fingerprint`` names the index; where it is empty, batches of any index are taken.
    """

    exchanges: int
    assets: int
    instruments: int
    fingerprint: str = ""

    def check_fingerprint(self, found: str) -> None:
        """Refuse a batch that was made under another index; raises ForeignIndex."""
        if self.fingerprint and found != self.fingerprint:
            raise ForeignIndex(f"expected the index {self.fingerprint}, found {found!r}", "index_fingerprint")


UNBOUNDED: Final = IndexBounds(2**32, 2**32, 2**32)
"""Where no index is known: any number is allowed."""


def bounds_of(index: IndexedInstruments) -> IndexBounds:
    """Return the bounds of an index."""
    return IndexBounds(len(index.exchanges), len(index.assets), len(index.instruments), index.fingerprint())


def exchange_index(number: int, bounds: IndexBounds, path: str = "exchange") -> ExchangeIndex:
    """Return the number of an exchange; raises IndexOutOfRange."""
    if number >= bounds.exchanges:
        raise IndexOutOfRange(f"expected an exchange below {bounds.exchanges}, found {number}", path)
    return ExchangeIndex(number)


def asset_index(number: int, bounds: IndexBounds, path: str = "asset") -> AssetIndex:
    """Return the number of an asset; raises IndexOutOfRange."""
    if number >= bounds.assets:
        raise IndexOutOfRange(f"expected an asset below {bounds.assets}, found {number}", path)
    return AssetIndex(number)


def instrument_index(number: int, bounds: IndexBounds, path: str = "instrument") -> InstrumentIndex:
    """Return the number of an instrument; raises IndexOutOfRange."""
    if number >= bounds.instruments:
        raise IndexOutOfRange(f"expected an instrument below {bounds.instruments}, found {number}", path)
    return InstrumentIndex(number)
