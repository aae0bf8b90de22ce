"""A real server, and runs of the engine to follow."""

import pytest

from tests.support.audit_run import EngineRun
from tests.support.nats_server import nats_server, new_nats_server, unique

__all__ = ["nats_server", "new_nats_server", "run", "unique"]


@pytest.fixture(scope="session")
def run() -> EngineRun:
    """A run in the middle of trading. Tests only read it."""
    return EngineRun(events=400, is_ended=False)
