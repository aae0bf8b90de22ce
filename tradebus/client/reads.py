"""What can be read: a function per resource, giving the call. ``at`` is a sequence, ``at_time`` a time; none is now."""

from typing import Any, TypeAlias
from urllib.parse import quote

from tradebus.client import models
from tradebus.client.call import Call, T

At: TypeAlias = int | None
AtTime: TypeAlias = str | None


def state(at: At, at_time: AtTime) -> Call[models.EnvelopeEngineStateView]:
    """Ask for the whole state."""
    return _get("/v1/state", models.EnvelopeEngineStateView, at=at, at_time=at_time)


def state_diff(first: int, last: int) -> Call[models.EnvelopeStateDiffView]:
    """Ask in what the states at two sequences differ."""
    return _get("/v1/state/diff", models.EnvelopeStateDiffView, **{"from": first, "to": last})


def trading(at: At, at_time: AtTime) -> Call[models.EnvelopeTradingView]:
    """Ask whether trading is on."""
    return _get("/v1/trading", models.EnvelopeTradingView, at=at, at_time=at_time)


def connectivity(at: At, at_time: AtTime) -> Call[models.EnvelopeConnectivityView]:
    """Ask how feeds and accounts are."""
    return _get("/v1/connectivity", models.EnvelopeConnectivityView, at=at, at_time=at_time)


def assets(at: At, at_time: AtTime) -> Call[models.EnvelopeListAssetStateView]:
    """Ask for all balances."""
    return _get("/v1/assets", models.EnvelopeListAssetStateView, at=at, at_time=at_time)


def asset(exchange: str, name: str, at: At, at_time: AtTime) -> Call[models.EnvelopeAssetStateView]:
    """Ask for one balance."""
    path = f"/v1/assets/{quote(exchange, '')}/{quote(name, '')}"
    return _get(path, models.EnvelopeAssetStateView, at=at, at_time=at_time)


def instruments(at: At, at_time: AtTime) -> Call[models.EnvelopeListInstrumentStateView]:
    """Ask for all instruments."""
    return _get("/v1/instruments", models.EnvelopeListInstrumentStateView, at=at, at_time=at_time)


def instrument(name: str, at: At, at_time: AtTime) -> Call[models.EnvelopeInstrumentStateView]:
    """Ask for one instrument."""
    return _get(f"/v1/instruments/{quote(name, '')}", models.EnvelopeInstrumentStateView, at=at, at_time=at_time)


def positions(at: At, at_time: AtTime) -> Call[models.EnvelopeListOpenPositionView]:
    """Ask for the open positions."""
    return _get("/v1/positions", models.EnvelopeListOpenPositionView, at=at, at_time=at_time)


def exited_positions(**query: object) -> Call[models.PageEnvelopeExitView]:
    """Ask for a page of the closed positions."""
    return _get("/v1/positions/exited", models.PageEnvelopeExitView, **query)


def orders(**query: object) -> Call[models.PageEnvelopeOrderSummaryView]:
    """Ask for a page of orders."""
    return _get("/v1/orders", models.PageEnvelopeOrderSummaryView, **query)


def order(cid: str, at: At, at_time: AtTime) -> Call[models.EnvelopeOrderLifeView]:
    """Ask for the life of an order."""
    return _get(f"/v1/orders/{quote(cid, '')}", models.EnvelopeOrderLifeView, at=at, at_time=at_time)


def trades(**query: object) -> Call[models.PageEnvelopeFillView]:
    """Ask for a page of our fills."""
    return _get("/v1/trades", models.PageEnvelopeFillView, **query)


def why(cid: str) -> Call[models.EnvelopeWhyView]:
    """Ask why an order was sent."""
    return _get(f"/v1/orders/{quote(cid, '')}/why", models.EnvelopeWhyView)


def order_events(cid: str) -> Call[models.EnvelopeListOrderEventView]:
    """Ask for the steps of an order's life."""
    return _get(f"/v1/orders/{quote(cid, '')}/events", models.EnvelopeListOrderEventView)


def statistics(interval: str | None, at: At, at_time: AtTime) -> Call[models.EnvelopeStatisticsView]:
    """Ask for all tear sheets."""
    return _get("/v1/statistics", models.EnvelopeStatisticsView, interval=interval, at=at, at_time=at_time)


def instrument_statistics(
    instrument: str, interval: str | None, at: At, at_time: AtTime
) -> Call[models.EnvelopeInstrumentStatisticsView]:
    """Ask for the tear sheet of an instrument."""
    path = f"/v1/statistics/instruments/{quote(instrument, '')}"
    return _get(path, models.EnvelopeInstrumentStatisticsView, interval=interval, at=at, at_time=at_time)


def asset_statistics(
    asset: str, interval: str | None, at: At, at_time: AtTime
) -> Call[models.EnvelopeAssetStatisticsView]:
    """Ask for the tear sheets of an asset."""
    path = f"/v1/statistics/assets/{quote(asset, '')}"
    return _get(path, models.EnvelopeAssetStatisticsView, interval=interval, at=at, at_time=at_time)


def equity(at: At, at_time: AtTime) -> Call[models.EnvelopeListEquityView]:
    """Ask for the equity curves."""
    return _get("/v1/statistics/equity", models.EnvelopeListEquityView, at=at, at_time=at_time)


def audit_bounds() -> Call[models.EnvelopeJournalBoundsView]:
    """Ask how far the journal reaches."""
    return _get("/v1/audit/bounds", models.EnvelopeJournalBoundsView)


def audit_gaps() -> Call[models.EnvelopeListJournalGapView]:
    """Ask what of the journal is missing."""
    return _get("/v1/audit/gaps", models.EnvelopeListJournalGapView)


def audit(first: int | None, last: int | None, limit: int | None) -> Call[models.AuditEnvelope]:
    """Ask for a page of the journal."""
    return _get("/v1/audit", models.AuditEnvelope, **{"from": first, "to": last, "limit": limit})


def audit_tick(sequence: int) -> Call[models.EnvelopeAuditTickView]:
    """Ask for one tick of the journal."""
    return _get(f"/v1/audit/{sequence}", models.EnvelopeAuditTickView)


def command(command_id: str) -> Call[models.EnvelopeCommandProgressView]:
    """Ask what became of a command."""
    return _get(f"/v1/commands/{quote(command_id, '')}", models.EnvelopeCommandProgressView)


def version() -> Call[models.VersionView]:
    """Ask what runs."""
    return _get("/version", models.VersionView)


def _get(path: str, model: type[T], **query: Any) -> Call[T]:  # noqa: ANN401 - whatever has a text
    return Call("GET", path, model).with_query(**query)
