"""A run of the engine, and a hub over a fold that a test feeds message by message."""

import pytest

from tests.support.audit_run import EngineRun


@pytest.fixture(scope="session")
def run() -> EngineRun:
    """A run in the middle of trading. Tests only read it."""
    return EngineRun(events=400, is_ended=False)
