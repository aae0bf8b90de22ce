"""What every bus promises about buckets."""

import asyncio

import pytest

from tests.conformance.bus.harness import Harness
from tests.support.waiting import eventually
from tradebus.bus.errors import InvalidKey, NoBucket, NotSent, WrongRevision
from tradebus.bus.message import Entry


class BucketsContract:
    async def test_a_value_is_what_was_put(self, harness: Harness) -> None:
        bus, other = await harness.bus(), await harness.bus()
        key = f"audit.{harness.engine}"
        bucket = bus.bucket("positions")
        assert bucket.name == "positions"
        assert await bucket.get(key) is None
        first = await bucket.put(key, b"\x00one")
        second = await bucket.put(key, b"two")
        assert second > first
        assert await other.bucket("positions").get(key) == Entry("positions", key, b"two", second)

    async def test_an_empty_value_is_a_value(self, harness: Harness) -> None:
        bucket = (await harness.bus()).bucket("positions")
        revision = await bucket.put(harness.engine, b"")
        assert await bucket.get(harness.engine) == Entry("positions", harness.engine, b"", revision)

    async def test_updates_need_the_right_revision(self, harness: Harness) -> None:
        bucket = (await harness.bus()).bucket("positions")
        key = harness.engine
        first = await bucket.update(key, b"1", 0)
        with pytest.raises(WrongRevision) as error:
            await bucket.update(key, b"x", 0)
        assert (error.value.bucket, error.value.key, error.value.expected) == ("positions", key, 0)
        second = await bucket.update(key, b"2", first)
        with pytest.raises(WrongRevision):
            await bucket.update(key, b"x", first)
        assert await bucket.get(key) == Entry("positions", key, b"2", second)

    async def test_of_those_who_race_for_a_key_one_wins(self, harness: Harness) -> None:
        buckets = [(await harness.bus()).bucket("leases") for _ in range(4)]
        outcomes = await asyncio.gather(
            *(bucket.update(harness.account, b"x", 0) for bucket in buckets), return_exceptions=True
        )
        assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, WrongRevision) for outcome in outcomes) == 3

    async def test_a_deleted_key_has_no_value_and_can_be_set_anew(self, harness: Harness) -> None:
        bucket = (await harness.bus()).bucket("positions")
        key = harness.engine
        first = await bucket.put(key, b"1")
        with pytest.raises(WrongRevision):
            await bucket.delete(key, first + 1000)
        await bucket.delete(key, first)
        assert await bucket.get(key) is None
        second = await bucket.update(key, b"2", 0)
        assert second > first
        await bucket.delete(key)
        await bucket.delete(key)
        assert await bucket.get(key) is None

    async def test_a_watch_gives_what_is_there_and_then_every_change(self, harness: Harness) -> None:
        bus, other = await harness.bus(), await harness.bus()
        bucket = bus.bucket("positions")
        a, b, gone = (f"{harness.engine}.{name}" for name in ("a", "b", "gone"))
        await bucket.put(gone, b"x")
        await bucket.delete(gone)
        for value in (b"a1", b"a2"):
            await bucket.put(a, value)
        await bucket.put(b, b"b1")
        seen: list[tuple[str, bytes | None]] = []
        watch = await other.bucket("positions").watch(
            lambda entry: seen.append((entry.key, entry.value)), f"{harness.engine}.>"
        )
        assert seen == [(a, b"a2"), (b, b"b1")]
        await bucket.put(a, b"a3")
        await bucket.put("elsewhere", b"x")
        await bucket.delete(b)
        await eventually(lambda: len(seen) == 4)
        assert seen[2:] == [(a, b"a3"), (b, None)]
        await watch.unsubscribe()
        await watch.unsubscribe()
        control: list[bytes | None] = []
        await other.bucket("positions").watch(lambda entry: control.append(entry.value), a)
        await bucket.put(a, b"a4")
        await eventually(lambda: control == [b"a3", b"a4"])
        assert len(seen) == 4

    async def test_a_watch_of_nothing_begins_at_once(self, harness: Harness) -> None:
        bucket = (await harness.bus()).bucket("positions")
        seen: list[Entry] = []
        await bucket.watch(seen.append, f"{harness.engine}.>")
        revision = await bucket.put(f"{harness.engine}.x", b"1")
        await eventually(lambda: seen == [Entry("positions", f"{harness.engine}.x", b"1", revision)])

    async def test_a_watch_goes_on_after_an_outage(self, harness: Harness) -> None:
        bus, other = await harness.bus(), await harness.bus()
        seen: list[bytes | None] = []
        await bus.bucket("positions").watch(lambda entry: seen.append(entry.value), harness.engine)
        await other.bucket("positions").put(harness.engine, b"1")
        await eventually(lambda: seen == [b"1"])
        await harness.start_outage()
        with pytest.raises(NotSent):
            await other.bucket("positions").get(harness.engine)
        await harness.end_outage()
        await other.bucket("positions").put(harness.engine, b"2")
        await eventually(lambda: seen == [b"1", b"2"])

    async def test_a_lease_expires_for_who_asks_and_for_who_watches(self, harness: Harness) -> None:
        bus, other = await harness.bus(), await harness.bus()
        seen: list[bytes | None] = []
        await other.bucket("leases").watch(lambda entry: seen.append(entry.value), harness.account)
        revision = await bus.bucket("leases").update(harness.account, b"me", 0)
        await eventually(lambda: seen == [b"me"])
        renewed = await bus.bucket("leases").update(harness.account, b"still me", revision)
        await eventually(lambda: seen[-1] is None)
        assert seen == [b"me", b"still me", None]
        assert await bus.bucket("leases").get(harness.account) is None
        with pytest.raises(WrongRevision):
            await bus.bucket("leases").update(harness.account, b"late", renewed)
        await other.bucket("leases").update(harness.account, b"you", 0)

    async def test_an_unknown_bucket_shows_at_its_first_use(self, harness: Harness) -> None:
        bucket = (await harness.bus()).bucket("nothing")
        for asked in (
            bucket.get("x"),
            bucket.put("x", b""),
            bucket.update("x", b"", 0),
            bucket.delete("x"),
            bucket.watch(lambda _entry: None),
        ):
            with pytest.raises(NoBucket):
                await asked

    @pytest.mark.parametrize("key", ["", "a b", "a..b", ".a", "a.", "a*", ">", "ä", "a\r\nb"])
    async def test_a_key_that_cannot_be_held_is_refused(self, harness: Harness, key: str) -> None:
        bucket = (await harness.bus()).bucket("positions")
        with pytest.raises(InvalidKey):
            await bucket.put(key, b"")
        with pytest.raises(InvalidKey):
            await bucket.get(key)
