"""Make the JSON of changes and snapshots: the same views as the resources', each encoded once."""

from collections.abc import Callable
from typing import Final

from services.audit.api.envelope import Envelope, VerificationView
from services.audit.api.moment import Moment
from services.audit.api.resources.connectivity import connectivity_view, exchange_view
from services.audit.api.resources.positions import open_position_view
from services.audit.api.resources.trading import trading_view
from services.audit.api.stream.changes import Change, PositionChange
from services.audit.api.stream.event import Topic
from services.audit.api.stream.selection import Selection
from services.audit.api.views.accounts import AssetStateView
from services.audit.api.views.base import View
from services.audit.api.views.projections import ExitView, FillView, OrderSummaryView
from services.audit.api.views.streams import MarketView, PositionChangeView, SnapshotView, StatsView
from services.audit.api.views.ticks import AuditTickView
from services.audit.api.views.values import time_text


def enveloped(moment: Moment, view: View) -> bytes:
    """Return the JSON of a view with the tick that it is of."""
    head = f'{{"sequence":{moment.sequence},"time_engine":"{time_text(moment.time_ns)}","data":'
    return f"{head}{view.model_dump_json()}}}".encode()


def change_payload(moment: Moment, change: Change) -> bytes:
    """Return the JSON of something that the tick of this moment changed."""
    return enveloped(moment, _VIEWS[change.topic](moment, change.subject))


def market_payload(moment: Moment, instrument: int) -> bytes:
    """Return the JSON of how the market of an instrument stands."""
    return enveloped(moment, MarketView.of(moment.state.instruments[instrument], moment.names))


def snapshot_payload(moment: Moment, selection: Selection) -> bytes:
    """Return the JSON of how everything stands that a reader selects, in the envelope of the resources."""
    envelope = Envelope[SnapshotView](
        sequence=moment.sequence,
        time_engine=time_text(moment.time_ns),
        mode=moment.fold.mode,
        verification=VerificationView.of_fold(moment.fold),
        data=_snapshot(moment, selection),
    )
    return envelope.model_dump_json().encode()


def _snapshot(moment: Moment, selection: Selection) -> SnapshotView:
    topics, names = selection.topics, moment.names
    instruments = [each for each in moment.state.instruments if selection.has_instrument(each.instrument.index)]
    lives = moment.fold.projections.orders.oldest_first()
    return SnapshotView(
        trading=trading_view(moment) if Topic.TRADING in topics else None,
        connectivity=connectivity_view(moment) if Topic.CONNECTIVITY in topics else None,
        assets=[AssetStateView.of(each, names) for each in moment.state.assets] if Topic.ASSET in topics else None,
        orders=[
            OrderSummaryView.of(life, names)
            for life in lives
            if life.status.is_active and selection.has_instrument(life.order.key.instrument)
        ]
        if Topic.ORDER in topics
        else None,
        positions=[open_position_view(moment, each) for each in instruments if each.position is not None]
        if Topic.POSITION in topics
        else None,
        market=[MarketView.of(each, names) for each in instruments] if Topic.MARKET in topics else None,
        stats=[StatsView.of(each, names) for each in instruments] if Topic.STATS in topics else None,
    )


def _trading(moment: Moment, _: object) -> View:
    return trading_view(moment)


def _connectivity(moment: Moment, exchange: object) -> View:
    assert isinstance(exchange, int)
    return exchange_view(moment, exchange)


def _asset(moment: Moment, asset: object) -> View:
    assert isinstance(asset, int)
    return AssetStateView.of(moment.state.assets[asset], moment.names)


def _position(moment: Moment, changed: object) -> View:
    assert isinstance(changed, PositionChange)
    state = moment.state.instruments[changed.instrument]
    return PositionChangeView(
        instrument=moment.names.instruments[changed.instrument],
        position=None if state.position is None else open_position_view(moment, state),
        exited=None if changed.exit is None else ExitView.of(changed.exit, moment.names),
    )


def _stats(moment: Moment, instrument: object) -> View:
    assert isinstance(instrument, int)
    return StatsView.of(moment.state.instruments[instrument], moment.names)


_VIEWS: Final[dict[Topic, Callable[[Moment, object], View]]] = {
    Topic.TRADING: _trading,
    Topic.CONNECTIVITY: _connectivity,
    Topic.ASSET: _asset,
    Topic.ORDER: lambda moment, life: OrderSummaryView.of(life, moment.names),
    Topic.POSITION: _position,
    Topic.TRADE: lambda moment, fill: FillView.of(fill, moment.names),
    Topic.STATS: _stats,
    Topic.COMMAND: lambda moment, tick: AuditTickView.of(tick, moment.names),
}
