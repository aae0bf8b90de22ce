"""`/v1/connectivity`: the links of every exchange, as the engine sees them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from services.audit.api.documents import PAST_READ_PROBLEMS, UNKNOWN_NAME
from services.audit.api.envelope import Envelope
from services.audit.api.find import exchange_index
from services.audit.api.moment import Moment
from services.audit.api.strict import StrictRoute
from services.audit.api.travel import TimedRead
from services.audit.api.views.projections import (
    AccountLinkView,
    ConnectivityView,
    ExchangeConnectivityView,
    MarketLinkView,
)
from services.audit.api.views.values import enum_text
from services.audit.holders import Holders
from services.audit.lag import NS_PER_MS
from services.audit.projections import LinkHistory
from tradebus.core.engine.state.link import Health

router = APIRouter(
    prefix="/v1/connectivity", tags=["connectivity"], route_class=StrictRoute, responses=PAST_READ_PROBLEMS
)

All = Envelope[ConnectivityView]
One = Envelope[ExchangeConnectivityView]


@router.get("", operation_id="getConnectivity", summary="All links and their health", response_model=All)
async def get_connectivity(read: TimedRead) -> Response:
    """Return the feed and the account of each exchange: health, last message and its age, reconnections, gaps.

    Ages are in engine time, so they grow only while the engine's journal does.
    """
    now = read.now()
    return now.answer(All, lambda: connectivity_view(now, read.context.holders))


@router.get(
    "/{exchange}",
    operation_id="getExchangeConnectivity",
    summary="The links of one exchange",
    response_model=One,
    responses=UNKNOWN_NAME,
)
async def get_exchange_connectivity(
    read: TimedRead, exchange: Annotated[str, Path(description="The exchange's id.")]
) -> Response:
    """Return the feed and the account of one exchange."""
    now = read.now()
    index = exchange_index(now.names, exchange)
    return now.answer(One, lambda: exchange_view(now, index, read.context.holders))


def connectivity_view(now: Moment, holders: Holders | None = None) -> ConnectivityView:
    """Return the links of all exchanges, and who acts for them where that is known."""
    return ConnectivityView(
        health=enum_text(now.state.global_health),
        leader=None if holders is None else holders.leader(),
        leader_epoch=now.fold.epoch,
        exchanges=[exchange_view(now, exchange, holders) for exchange in range(len(now.names.exchanges))],
    )


def exchange_view(now: Moment, index: int, holders: Holders | None = None) -> ExchangeConnectivityView:
    """Return both links of an exchange, and who acts for them where that is known."""
    publisher = None if holders is None else holders.publisher(now.names.exchanges[index])
    links = now.state.connectivity[index]
    history = now.fold.projections.links.exchanges[index]
    market = MarketLinkView(
        **_link(now, links.market_data, history.market_data),
        gaps=history.gaps,
        events_missing=history.events_missing,
        publisher=None if publisher is None else publisher.instance,
        publisher_epoch=None if publisher is None else publisher.epoch,
    )
    account: AccountLinkView | None = None
    started = now.fold.replica.started
    setups = [] if started is None else [setup for setup in started.accounts if setup.exchange == index]
    if setups:
        account = AccountLinkView(
            **_link(now, links.account, history.account),
            name=setups[0].account,
            link=enum_text(links.link),
            owner=history.owner or None,
            owner_epoch=history.owner_epoch or None,
            lease=None if holders is None else holders.owner(setups[0].account),
        )
    return ExchangeConnectivityView(
        exchange=now.names.exchanges[index], is_healthy=links.is_healthy, market_data=market, account=account
    )


def _link(now: Moment, health: Health, history: LinkHistory) -> dict[str, Any]:
    last_ns = history.time_last_ns
    return {
        "health": enum_text(health),
        "messages": history.messages,
        "time_last": last_ns,
        "age_ms": (now.time_ns - last_ns) // NS_PER_MS if last_ns else None,
        "reconnects": history.reconnects,
        "reconnect_sequence": history.reconnect_sequence,
        "reconnect_reason": history.reconnect_reason or None,
    }
