"""The words for what goes wrong between us and an account."""

import pytest

from tradebus.core.execution.error import (
    AccountSnapshotFailed,
    AccountStreamFailed,
    ClientError,
    ClientRefused,
    ClientUnreachable,
    cause_text,
    is_connectivity,
    order_error_text,
)
from tradebus.core.model.order import OrderError, OrderErrorKind

K = OrderErrorKind
TEXTS: dict[OrderErrorKind, str] = {
    K.EXCHANGE_OFFLINE: "Exchange offline: BinanceSpot",
    K.TIMEOUT: "ExecutionRequest timed out",
    K.SOCKET: "m",
    K.ASSET_INVALID: "asset binance_spot invalid: m",
    K.INSTRUMENT_INVALID: "instrument binance_spot invalid: m",
    K.RATE_LIMIT: "rate limit exceeded",
    K.BALANCE_INSUFFICIENT: "asset binance_spot balance insufficient: m",
    K.ORDER_REJECTED: "order rejected: m",
    K.ORDER_ALREADY_CANCELLED: "order already cancelled",
    K.ORDER_ALREADY_FULLY_FILLED: "order already fully filled",
    K.ORDER_UNKNOWN: "order binance_spot unknown: m",
}


def error(kind: OrderErrorKind) -> OrderError:
    return OrderError(kind, "binance_spot", "m")


@pytest.mark.parametrize("kind", OrderErrorKind)
def test_every_failure_has_its_words(kind: OrderErrorKind) -> None:
    assert cause_text(error(kind)) == TEXTS[kind]


def test_who_was_not_reached_refused_nothing() -> None:
    assert {kind for kind in OrderErrorKind if is_connectivity(error(kind))} == {
        K.EXCHANGE_OFFLINE,
        K.TIMEOUT,
        K.SOCKET,
    }
    assert order_error_text(error(K.TIMEOUT)) == "connectivity: ExecutionRequest timed out"
    assert order_error_text(error(K.RATE_LIMIT)) == "order rejected: rate limit exceeded"


def test_an_exchange_that_has_no_id_is_named_as_it_came() -> None:
    assert cause_text(OrderError(K.EXCHANGE_OFFLINE, "nowhere", "")) == "Exchange offline: nowhere"


def test_clients_raise_one_class_for_each_cause() -> None:
    unreachable = ClientUnreachable(error(K.SOCKET))
    refused = ClientRefused(error(K.RATE_LIMIT))
    raised: list[ClientError] = [unreachable, refused, AccountSnapshotFailed("x"), AccountStreamFailed("y")]
    assert [str(each) for each in raised] == [
        "Connectivity: m",
        "API: rate limit exceeded",
        "failed to fetch AccountSnapshot: x",
        "failed to init AccountStream: y",
    ]
    assert (unreachable.error.kind, refused.error.kind) == (K.SOCKET, K.RATE_LIMIT)
