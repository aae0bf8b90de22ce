"""The hash in a batch is the state's after the batch's last tick, however ticks and writer meet."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.engine.journal import HASH_EVERY_BATCH, NS_PER_S, SEAL_BYTES, Cadence
from tests.property.examples import scaled
from tests.support.engine_journal import EVERY_BATCH, DrivenJournal
from tradebus.journal.sealed import BATCH_BYTES_MAX, TICKS_MAX
from tradebus.wire.codec.audit import audit_frames_from_bytes, tick_frame

BURSTS = st.tuples(st.just("feed"), st.one_of(st.integers(1, 12), st.integers(400, 700)), st.just(0))
RUNS = st.tuples(st.just("run"), st.one_of(st.integers(1, 12), st.integers(60, 700)), st.just(0))
LARGE = st.tuples(
    st.just("feed"), st.integers(1, 6), st.sampled_from([1_000, SEAL_BYTES // 3, SEAL_BYTES - 200, BATCH_BYTES_MAX])
)
WRITES = st.tuples(st.just("write"), st.integers(1, 3), st.just(0))
TIME = st.tuples(st.just("time"), st.integers(1, 3), st.just(0))
STEPS = st.lists(st.one_of(BURSTS, RUNS, LARGE, WRITES, WRITES, TIME), max_size=14)
CADENCES = st.one_of(
    st.just(EVERY_BATCH),
    st.builds(Cadence, st.sampled_from([1, 7, 600]), st.just(2 * NS_PER_S)),
    st.just(Cadence(1_000_000, NS_PER_S)),
)


@settings(max_examples=scaled(40), deadline=None)
@given(steps=STEPS, cadence=CADENCES, is_ended=st.booleans())
def test_every_hash_is_of_the_state_after_its_batch(
    steps: list[tuple[str, int, int]], cadence: Cadence, *, is_ended: bool
) -> None:
    driven = DrivenJournal(cadence)
    for what, count, size in steps:
        if what == "feed":
            driven.feed(count, size)
        elif what == "run":
            driven.feed_run(count)
        elif what == "write":
            for _ in range(count):
                driven.write()
        else:
            driven.clock.now_ns += count * NS_PER_S // 2
    if is_ended:
        driven.shut_down()
    driven.write_all()

    hashes = driven.check()
    batches = driven.batches
    assert [tick.sequence for batch in batches for tick in batch.ticks] == list(range(driven.engine.sequence))
    sizes = [[len(tick_frame(tick)) for tick in audit_frames_from_bytes(batch.payload).ticks] for batch in driven.taken]
    for ticks in sizes:
        assert len(ticks) <= TICKS_MAX
        assert sum(ticks) <= BATCH_BYTES_MAX or len(ticks) == 1
    if cadence.ticks == HASH_EVERY_BATCH:
        allowed = sum(following[0] > SEAL_BYTES for following in sizes[1:])
        assert hashes >= len(batches) - allowed
        for batch, following in zip(batches, sizes[1:], strict=False):
            assert batch.head.core_hash or following[0] > SEAL_BYTES
    else:
        since = 0
        for batch in batches:
            since = 0 if batch.head.core_hash else since + len(batch.ticks)
            assert since < cadence.ticks
    if is_ended:
        assert batches[-1].head.core_hash
