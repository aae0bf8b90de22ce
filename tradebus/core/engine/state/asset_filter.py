"""Select assets, as the filters of commands select instruments.

Source: barter 0.12.5 ``engine/state/asset/filter.rs``.
"""

from typing import ClassVar, Final, final

from tradebus.core.model.asset import ExchangeAsset
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.model.record import Record


class AssetFilter(Record):
    """Base of the filters; what it selects comes in index order, and unknown entries match nothing."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def matches(self, asset: ExchangeAsset) -> bool:
        """Tell whether the filter selects this asset."""
        raise NotImplementedError  # pragma: no cover - every filter defines it


@final
class AllAssets(AssetFilter):
    """Select everything."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def matches(self, asset: ExchangeAsset) -> bool:
        """Select every asset."""
        return asset is not None


@final
class AssetsOfExchanges(AssetFilter):
    """Select the assets of some exchanges."""

    FIELDS: ClassVar[tuple[str, ...]] = ("exchanges",)

    def __init__(self, exchanges: tuple[ExchangeId, ...]) -> None:
        self.exchanges: Final = exchanges

    def matches(self, asset: ExchangeAsset) -> bool:
        """Select by exchange."""
        return asset.exchange in self.exchanges


ALL_ASSETS: Final = AllAssets()
