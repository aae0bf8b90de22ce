"""The stream of the real API, over HTTP: what a command changes comes, and a reader goes on where it was."""

from collections.abc import AsyncIterator

import pytest

from tests.support.api_server import Served, served_api
from tradebus.client import AsyncClient, InvalidRequest, StreamEvent


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with served_api() as made:
        yield made


async def event_of(stream: AsyncIterator[StreamEvent], name: str) -> StreamEvent:
    async for event in stream:
        if event.name == name:
            return event
    raise AssertionError("a stream does not end")


async def test_what_a_command_changes_comes_and_the_next_reader_goes_on_behind_it(served: Served) -> None:
    async with AsyncClient(served.url, key=served.key) as tradebus:
        stream = tradebus.stream(["trading"])
        first = await anext(stream)
        run = served.api.fold.run_name
        assert (first.name, first.id) == ("snapshot", f"{served.api.fold.sequence}@{run}")
        done = await tradebus.set_trading_state("disabled", wait_s=20)
        told = await event_of(stream, "trading")
        assert told.id == f"{done.sequence}@{run}"
        await stream.aclose()
        done = await tradebus.set_trading_state("enabled", wait_s=20)
        stream = tradebus.stream(["trading"], after=told.id)
        following = await anext(stream)
        assert (following.name, following.id) == ("trading", f"{done.sequence}@{run}")
        await stream.aclose()


async def test_what_the_stream_refuses_is_told(served: Served) -> None:
    async with AsyncClient(served.url, key=served.key) as tradebus:
        with pytest.raises(InvalidRequest, match="topics"):
            await anext(tradebus.stream(["traiding"]))
