"""What leases promise on every bus."""

import asyncio

import pytest

from tests.conformance.bus.harness import Harness
from tests.support.waiting import eventually
from tradebus.bus.errors import NoBucket, NotSent
from tradebus.bus.interface import Bus
from tradebus.bus.lease_board import LeaseBoard
from tradebus.bus.leases import Lease
from tradebus.bus.topology import LEASE_TTL_S

NOTICED_S = LEASE_TTL_S + 1.0
RENEW_S = 0.3


class Holder:
    """One process as far as leases go: its bus and what it was told of losses."""

    def __init__(self, bus: Bus, key: str, name: str) -> None:
        self.lost: list[str] = []
        self.lease = Lease(bus.bucket("leases"), key, name, self.lost.append, renew_period_s=RENEW_S)


async def holder(harness: Harness, name: str) -> Holder:
    return Holder(await harness.bus(), harness.account, name)


async def renewals_of(harness: Harness) -> list[bytes | None]:
    """Return a list to which every value of the lease is added as it changes; None is its end."""
    seen: list[bytes | None] = []
    bus = await harness.bus()
    await bus.bucket("leases").watch(lambda entry: seen.append(entry.value), harness.account)
    return seen


class LeasesContract:
    async def test_a_lease_has_one_holder_and_is_renewed(self, harness: Harness) -> None:
        first, second = await holder(harness, "a"), await holder(harness, "b")
        assert await first.lease.acquire()
        assert first.lease.is_held
        assert await first.lease.acquire(), "asking again changes nothing"
        assert not await second.lease.acquire()
        assert not second.lease.is_held
        renewals = await renewals_of(harness)
        await eventually(lambda: len(renewals) > LEASE_TTL_S / RENEW_S + 2)
        assert set(renewals) == {renewals[0]}, "it never expired"
        assert not await second.lease.acquire()
        assert first.lease.is_held
        assert first.lost == []
        await first.lease.release()

    async def test_of_those_who_ask_at_once_one_gets_it(self, harness: Harness) -> None:
        holders = [await holder(harness, f"h{number}") for number in range(4)]
        got = await asyncio.gather(*(each.lease.acquire() for each in holders))
        assert sorted(got) == [False, False, False, True]
        assert [each.lease.is_held for each in holders] == got

    async def test_one_that_is_released_is_free_at_once(self, harness: Harness) -> None:
        first, second = await holder(harness, "a"), await holder(harness, "b")
        assert await first.lease.acquire()
        waiting = asyncio.create_task(second.lease.wait())
        await first.lease.release()
        assert not first.lease.is_held
        began = asyncio.get_running_loop().time()
        await waiting
        assert asyncio.get_running_loop().time() - began < LEASE_TTL_S / 2
        assert second.lease.is_held
        assert first.lost == [], "it was given up, not lost"
        await first.lease.release()
        assert second.lease.is_held, "what is another's cannot be released"

    async def test_one_that_is_lost_can_be_had_again(self, harness: Harness) -> None:
        first = await holder(harness, "a")
        assert await first.lease.acquire()
        await harness.start_outage()
        await eventually(lambda: first.lost == [f"not renewed within {LEASE_TTL_S:g} s"], limit_s=NOTICED_S)
        assert not first.lease.is_held
        with pytest.raises(NotSent):
            await first.lease.acquire()
        waiting = asyncio.create_task(first.lease.wait())
        await harness.end_outage()
        await waiting
        assert first.lease.is_held

    async def test_an_outage_shorter_than_its_time_to_live_loses_nothing(self, harness: Harness) -> None:
        first, second = await holder(harness, "a"), await holder(harness, "b")
        assert await first.lease.acquire()
        await harness.start_outage()
        await harness.end_outage()
        renewals = await renewals_of(harness)
        await eventually(lambda: len(renewals) > LEASE_TTL_S / RENEW_S + 2)
        assert set(renewals) == {renewals[0]}, "it never expired"
        assert not await second.lease.acquire()
        assert first.lease.is_held
        assert first.lost == []

    async def test_a_holder_that_finds_another_there_has_lost_it(self, harness: Harness) -> None:
        first = await holder(harness, "a")
        assert await first.lease.acquire()
        await (await harness.bus()).bucket("leases").put(harness.account, b"b 1")
        await eventually(lambda: first.lost == ["held by b"])
        assert not first.lease.is_held

    async def test_a_holder_whose_lease_was_deleted_has_lost_it(self, harness: Harness) -> None:
        first = await holder(harness, "a")
        assert await first.lease.acquire()
        await (await harness.bus()).bucket("leases").delete(harness.account)
        await eventually(lambda: first.lost == ["expired or deleted"])

    async def test_two_of_one_name_are_two(self, harness: Harness) -> None:
        first, second = await holder(harness, "a"), await holder(harness, "a")
        assert await first.lease.acquire()
        assert not await second.lease.acquire()
        await first.lease.release()

    async def test_a_bucket_that_is_not_there_is_told(self, harness: Harness) -> None:
        lease = Lease((await harness.bus()).bucket("nothing"), "x", "a", lambda _: None)
        with pytest.raises(NoBucket):
            await lease.wait()

    async def test_a_board_shows_who_holds_what(self, harness: Harness) -> None:
        first, second = await holder(harness, "a"), await holder(harness, "b")
        changes: list[dict[str, str]] = []
        board = LeaseBoard(
            (await harness.bus()).bucket("leases"),
            [harness.account],
            lambda: changes.append(dict(board.holders())),
        )
        assert await first.lease.acquire()
        await board.start()
        assert changes == [{harness.account: "a"}]
        await first.lease.release()
        await eventually(lambda: changes[-1] == {})
        assert await second.lease.acquire()
        await eventually(lambda: changes[-1] == {harness.account: "b"})
        await eventually(lambda: len(changes) == 3, "renewals are no changes")
        await board.stop()
        await second.lease.release()
