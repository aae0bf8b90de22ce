"""`/v1/assets`: what we own."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from services.audit.api.documents import PAST_READ_PROBLEMS, UNKNOWN_NAME
from services.audit.api.envelope import Envelope
from services.audit.api.find import asset_index
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import TimedRead
from services.audit.api.views.accounts import AssetStateView

router = APIRouter(prefix="/v1/assets", tags=["assets"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS)

All = Envelope[list[AssetStateView]]
One = Envelope[AssetStateView]


@router.get("", operation_id="listAssets", summary="Every asset with its balance", response_model=All)
async def list_assets(read: TimedRead) -> Response:
    """Return the balances of all accounts, as the venues told them last."""
    now = read.now()
    return now.answer_list(All, lambda: [AssetStateView.of(asset, now.names) for asset in now.state.assets])


@router.get(
    "/{exchange}/{asset}",
    operation_id="getAsset",
    summary="One asset on one exchange",
    response_model=One,
    responses=UNKNOWN_NAME,
)
async def get_asset(
    read: TimedRead,
    exchange: Annotated[str, Path(description="The exchange's id.")],
    asset: Annotated[str, Path(description="The asset's internal name.")],
) -> Response:
    """Return the balance of one asset; `sim_alpha/usdt` for instance."""
    now = read.now()
    index = asset_index(now.names, exchange, asset)
    return now.answer(One, lambda: AssetStateView.of(now.state.assets[index], now.names))
