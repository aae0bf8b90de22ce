"""A reader that is cut goes on right behind; one that cannot is told so, and begins again."""

import json
import random
from http import HTTPStatus

import pytest
from structlog.testing import capture_logs

from services.audit.api.problems import Problem
from services.audit.api.stream import board
from services.audit.api.stream.changes import Changes
from services.audit.api.stream.event import Message, Topic, mark_from_text
from services.audit.api.stream.limits import StreamLimits
from services.audit.api.stream.selection import Selection
from tests.support.audit_run import EngineRun, messages_of
from tests.support.stream_reader import HandFedHub, Picture

STEPS = Selection(frozenset(Topic) - {Topic.MARKET})
"""All topics of which every step is told."""


def keys(messages: list[Message]) -> list[tuple[str | None, str, bytes]]:
    return [(message.id, message.name, message.data) for message in messages]


def reason(message: Message) -> str:
    assert message.name == "reset"
    return str(json.loads(message.data)["reason"])


async def test_reader_cut_after_any_event_goes_on_right_behind_it(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:1])
    whole = fed.open(STEPS)
    fed.feed(messages[1:])
    all_told = fed.drain(whole)[1:]
    assert len(all_told) > 200
    assert any("." in str(message.id) for message in all_told), "several events of one tick"
    for cut, last in list(enumerate(all_told))[::7]:
        reader = fed.hub.enter()
        await fed.hub.resume(reader, STEPS, mark_from_text(str(last.id)))
        assert keys(fed.drain(reader)) == keys(all_told[cut + 1 :])
        fed.hub.leave(reader)
    assert fed.count("tradebus_stream_resets_total") == 0


async def test_reader_cut_at_random_while_events_come_misses_and_repeats_none(run: EngineRun) -> None:
    rng = random.Random(5)
    messages = messages_of(run.batches())
    fed = HandFedHub(StreamLimits(chunk_bytes=2_000))
    fed.feed(messages[:1])
    whole, reader = fed.open(STEPS), fed.open(STEPS)
    told: list[Message] = []
    cuts = 0
    for message in messages[1:]:
        fed.feed([message])
        taken = fed.hub.take(reader)
        kept = taken[: rng.randrange(len(taken) + 1)] if rng.random() < 0.5 else taken
        told += kept
        if len(kept) < len(taken):
            cuts += 1
            fed.hub.leave(reader)
            reader = fed.hub.enter()
            if told:
                await fed.hub.resume(reader, STEPS, mark_from_text(str(told[-1].id)))
            else:
                fed.hub.begin(reader, STEPS)
    told += fed.drain(reader)
    assert cuts > 20
    assert keys(told)[1:] == keys(fed.drain(whole))[1:]


async def test_slow_reader_is_told_and_begins_again(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub(StreamLimits(events=16, chunk_bytes=1_000))
    fed.feed(messages[:1])
    reader, picture = fed.open(), Picture()
    fed.hub.take(reader)
    fed.feed(messages[1:])
    assert fed.hub.ring.end - fed.hub.ring.first < 16 + 256 + 32, "memory is bounded however slow a reader is"
    told = fed.drain(reader)
    assert [message.name for message in told[:2]] == ["reset", "snapshot"]
    assert "too slow" in reason(told[0])
    picture.take(told)
    again = Picture()
    again.take(fed.drain(fed.open()))
    assert picture.data == again.data
    assert fed.count("tradebus_stream_resets_total") == 1


async def test_ring_is_bounded_in_bytes_too(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub(StreamLimits(bytes=20_000))
    fed.feed(messages[:1])
    fed.open(STEPS)
    for message in messages[1:]:
        fed.feed([message])
        assert fed.hub.ring.bytes <= 20_000


@pytest.mark.parametrize("text", ["99999999", "0"])
async def test_id_that_cannot_be_gone_on_from_leads_to_a_reset(run: EngineRun, text: str) -> None:
    """One that is not there yet, perhaps of another journal; and one before what is kept, without an archive."""
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages)
    reader = fed.hub.enter()
    await fed.hub.resume(reader, STEPS, mark_from_text(text))
    told = fed.drain(reader)
    assert [message.name for message in told] == ["reset", "snapshot"]
    assert ("does not have" if text != "0" else "no archive") in reason(told[0])


async def test_reader_that_comes_back_after_all_have_gone_goes_on(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:30])
    reader = fed.open(STEPS)
    (snapshot,) = fed.drain(reader)
    fed.hub.leave(reader)
    assert fed.hub.is_watching, "for some time"
    fed.feed(messages[30:])
    back = fed.hub.enter()
    await fed.hub.resume(back, STEPS, mark_from_text(str(snapshot.id)))
    told = fed.drain(back)
    assert len(told) > 100
    assert "reset" not in {message.name for message in told}


async def test_nothing_is_watched_without_readers(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:30])
    watched = [fed.hub.is_watching]
    reader = fed.open(STEPS)
    watched.append(fed.hub.is_watching)
    fed.hub.leave(reader)
    fed.hub.close()
    watched.append(fed.hub.is_watching)
    assert watched == [False, True, False]
    fed.feed(messages[30:])
    assert fed.hub.ring.bytes == 0


async def test_market_is_told_no_more_often_than_asked_and_ends_as_it_stands(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:1])
    slow = fed.open(Selection(frozenset({Topic.MARKET}), None, 2.0))
    quick = fed.open(Selection(frozenset({Topic.MARKET}), None, 20.0))
    fed.drain(slow), fed.drain(quick)
    told: dict[str, list[Message]] = {"slow": [], "quick": []}
    for message in messages[1:]:
        fed.feed([message])
        fed.pulse(0.01)
        told["slow"] += fed.hub.take(slow)
        told["quick"] += fed.hub.take(quick)
    seconds = 0.01 * (len(messages) - 1)
    assert 3 * (2.0 * seconds + 1) >= len(told["slow"]) > seconds
    assert 3 * (20.0 * seconds + 1) >= len(told["quick"]) > 4 * len(told["slow"])
    fed.pulse(1.0)
    fed.pulse(1.0)
    whole = Picture()
    whole.take(fed.drain(fed.open()))
    for name, reader in (("slow", slow), ("quick", quick)):
        last: dict[str, bytes] = {}
        for each in [*told[name], *fed.hub.take(reader)]:
            body = json.loads(each.data)
            last[body["data"]["instrument"]] = body["data"]
        assert last == {key[0]: view for key, view in whole.data["market"].items()}


async def test_keep_alive_moves_the_place_of_a_reader_for_whom_there_is_nothing(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub(StreamLimits(keep_alive_s=10))
    fed.feed(messages[:10])
    nothing = Selection(frozenset({Topic.COMMAND}))
    reader = fed.open(nothing)
    fed.drain(reader)
    fed.feed(messages[10:])
    assert fed.hub.take(reader) == []
    fed.now_s += 10
    assert fed.hub.take(reader) == [Message(str(fed.fold.sequence), "", b"")]
    assert fed.hub.take(reader) == []


async def test_no_more_readers_than_there_is_room_for(run: EngineRun) -> None:
    fed = HandFedHub(StreamLimits(readers=2, retry_after_s=7))
    fed.feed(messages_of(run.batches())[:1])
    first = fed.open()
    fed.open()
    with pytest.raises(Problem) as caught:
        fed.open()
    assert caught.value.status is HTTPStatus.TOO_MANY_REQUESTS
    assert caught.value.headers["Retry-After"] == "7"
    fed.hub.leave(first)
    fed.open()


async def test_tick_that_cannot_be_told_does_not_stop_the_replica(
    run: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:40])
    reader = fed.open(STEPS)
    fed.drain(reader)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patched, capture_logs() as logged:
        patched.setattr(Changes, "of", fail)
        fed.feed(messages[40:45])
    assert [line["event"] for line in logged] == ["a tick could not be streamed"], "once, not for every tick"
    fed.feed(messages[45:])
    assert fed.fold.is_exact
    told = fed.drain(reader)
    assert [message.name for message in told[:2]] == ["reset", "snapshot"]
    assert "could not be told" in reason(told[0])


async def test_market_that_cannot_be_told_does_not_stop_the_pulse(
    run: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:40])
    reader = fed.open()
    fed.drain(reader)

    def fail(*_: object) -> bytes:
        raise RuntimeError("a mistake of ours")

    with monkeypatch.context() as patched, capture_logs() as logged:
        patched.setattr(board, "market_payload", fail)
        fed.feed(messages[40:45])
        fed.pulse(1.0)
    assert [line["event"] for line in logged] == ["a market could not be streamed"]
    assert fed.count("tradebus_stream_failures_total") == 1
    fed.feed(messages[45:])
    told = fed.drain(reader)
    assert [message.name for message in told[:2]] == ["reset", "snapshot"]
    assert "a market could not be told" in reason(told[0])


async def test_new_run_in_the_same_stream_resets(run: EngineRun) -> None:
    """The engine starts afresh: state and projections begin anew, and so does every picture."""
    other = EngineRun(events=60, seed=11, is_ended=False)
    fed = HandFedHub()
    fed.feed(messages_of(run.batches()))
    reader = fed.open(STEPS)
    fed.drain(reader)
    fed.fold.replica.sequence = -1  # as if the next start record followed
    fed.fold._verifier = type(fed.fold._verifier)()
    fed.feed(messages_of(other.batches()))
    told = fed.drain(reader)
    assert [message.name for message in told[:2]] == ["reset", "snapshot"]
    assert "new run" in reason(told[0])


async def test_replica_that_is_not_exact_any_more_resets(run: EngineRun) -> None:
    messages = messages_of(run.batches())
    fed = HandFedHub()
    fed.feed(messages[:40])
    reader = fed.open(STEPS)
    fed.drain(reader)
    fed.fold.take(messages[50])
    assert fed.fold.broken is not None
    fed.pulse()
    told = fed.drain(reader)
    assert [message.name for message in told] == ["reset", "snapshot"]
    assert "not exact" in reason(told[0])
    assert json.loads(told[1].data)["verification"]["equal"] is False
