"""Describe assets: what a balance is held in.

Source: barter 0.12.5, barter-instrument ``asset``.
"""

from collections.abc import Mapping
from typing import ClassVar, Final, final

from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.record import Record

NO_ALIASES: Final[Mapping[str, str]] = {}


@final
class Asset(Record):
    """An asset as we name it (lower case, ``btc``) and as the venue does (verbatim, ``XBT``)."""

    FIELDS: ClassVar[tuple[str, ...]] = ("name_internal", "name_exchange")

    def __init__(self, name_internal: str, name_exchange: str) -> None:
        self.name_internal: Final = name_internal.lower()
        self.name_exchange: Final = name_exchange


@final
class ExchangeAsset(Record):
    """An asset on one exchange: the same coin on two exchanges is two assets."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchange", "asset")

    def __init__(self, exchange: ExchangeId, asset: Asset) -> None:
        self.exchange: Final = exchange
        self.asset: Final = asset


def asset_from_name(name: str, aliases: Mapping[str, str] = NO_ALIASES) -> Asset:
    """Return the asset that a venue calls ``name``; its internal name is the lower-cased text, or its alias.

    ``aliases`` are internal names by venue's name in lower case: ``{"xbt": "btc"}``.
    """
    lower = name.lower()
    return Asset(aliases.get(lower, lower), name)
