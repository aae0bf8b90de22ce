"""A finished run of the engine, its journal, and what follows it."""

from collections.abc import AsyncIterator

import pytest

from services.audit.fold import Fold
from tests.support.audit_api import AuditApi, new_fold
from tests.support.audit_run import EngineRun, messages_of


@pytest.fixture(scope="session")
def run() -> EngineRun:
    """A run that has ended. Tests only read it."""
    return EngineRun(events=500)


@pytest.fixture(scope="session")
def trading_run() -> EngineRun:
    """A run in the middle of trading: orders are open, a cancel is in flight. Tests only read it."""
    return EngineRun(events=500, is_ended=False)


def fold_of(run: EngineRun) -> Fold:
    fold = new_fold()
    for message in messages_of(run.batches()):
        fold.take(message)
    assert fold.broken is None
    return fold


@pytest.fixture(scope="session")
def folded(run: EngineRun) -> Fold:
    """A fold that has taken in the whole run. Tests only read it."""
    return fold_of(run)


@pytest.fixture(scope="session")
def trading_folded(trading_run: EngineRun) -> Fold:
    """A fold that has taken in the run in the middle of trading. Tests only read it."""
    return fold_of(trading_run)


@pytest.fixture
async def api(run: EngineRun, folded: Fold) -> AsyncIterator[AuditApi]:
    """The API of the whole run. Tests may change what surrounds the fold, not the fold."""
    async with AuditApi(folded) as made:
        await made.store(run.batches())
        yield made


@pytest.fixture
async def trading_api(trading_run: EngineRun, trading_folded: Fold) -> AsyncIterator[AuditApi]:
    """The API of the run in the middle of trading, likewise."""
    async with AuditApi(trading_folded) as made:
        await made.store(trading_run.batches())
        yield made
