"""Compute in the engine's decimal context, which the metrics leave to their caller."""

from collections.abc import Iterator
from decimal import setcontext

import pytest

from tradebus.core.model.number import enter_engine_context


@pytest.fixture(autouse=True)
def engine_context() -> Iterator[None]:
    before = enter_engine_context()
    yield
    setcontext(before)
