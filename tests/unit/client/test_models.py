"""The models are those of the API: generated from its description, and every example of an answer goes through them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from services.audit.api.documents import EXAMPLES
from tests.support.client_models import TARGET, described, generated
from tradebus.client import models, reads
from tradebus.client.call import Call

NOW = (None, None)
CALLS: dict[str, Call[Any]] = {
    "getState": reads.state(*NOW),
    "getTrading": reads.trading(*NOW),
    "getConnectivity": reads.connectivity(*NOW),
    "listAssets": reads.assets(*NOW),
    "getAsset": reads.asset("sim_alpha", "usdt", *NOW),
    "listInstruments": reads.instruments(*NOW),
    "getInstrument": reads.instrument("sim_alpha-btc_usdt", *NOW),
    "listPositions": reads.positions(*NOW),
    "listExitedPositions": reads.exited_positions(),
    "listOrders": reads.orders(),
    "getOrder": reads.order("c", *NOW),
    "listTrades": reads.trades(),
    "listAudit": reads.audit(0, None, None),
    "getAuditTick": reads.audit_tick(0),
    "getCommand": reads.command("c"),
    "getStatistics": reads.statistics(None, *NOW),
    "getInstrumentStatistics": reads.instrument_statistics("i", None, *NOW),
    "getAssetStatistics": reads.asset_statistics("a", None, *NOW),
    "listEquity": reads.equity(*NOW),
    "getOrderWhy": reads.why("c"),
    "listOrderEvents": reads.order_events("c"),
    "getAuditBounds": reads.audit_bounds(),
    "listAuditGaps": reads.audit_gaps(),
    "getStateDiff": reads.state_diff(1, 2),
    "getVersion": reads.version(),
}


async def test_models_are_fresh() -> None:
    again = generated(await described())
    assert TARGET.read_text(encoding="utf-8") == again, "stale: python -m tests.support.client_models"


def said(value: Any) -> Any:
    """Return JSON with the numbers that are text as numbers, so that 1.0 and 1 are equal."""
    if isinstance(value, dict):
        return {name: said(each) for name, each in value.items()}
    if isinstance(value, list):
        return [said(each) for each in value]
    return value


@pytest.mark.parametrize("operation", CALLS)
def test_answers_go_through_their_models_whole(operation: str) -> None:
    content = (EXAMPLES / f"{operation}.json").read_bytes()
    answer = CALLS[operation].read(200, {"content-type": "application/json"}, content)
    assert isinstance(answer, BaseModel)
    assert json.loads(answer.model_dump_json(by_alias=True)) == json.loads(content)


def test_numbers_are_exact_and_times_keep_their_nanoseconds() -> None:
    content = Path(EXAMPLES / "listTrades.json").read_bytes()
    (fill, *_) = reads.trades().read(200, {}, content).data
    assert isinstance(fill, models.FillView)
    assert isinstance(fill.price, Decimal)
    assert len(fill.time_engine) == len("2026-11-22T06:10:00.123456789Z")
