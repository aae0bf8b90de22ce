"""Who was away for longer than memory reaches is told everything again from the archive, in the same words."""

import json
from pathlib import Path

import pytest

from services.audit.api.stream.event import Message, Topic, mark_from_text
from services.audit.api.stream.limits import LIMITS, StreamLimits
from services.audit.api.stream.past import PastEvents
from services.audit.api.stream.selection import Selection
from services.audit.config import Limits
from services.audit.stored_fold import freeze
from tests.support.archives import STREAM, write
from tests.support.audit_api import new_fold
from tests.support.audit_run import EngineRun, messages_of
from tests.support.stream_reader import HandFedHub
from tradebus.bus.message import JournalMessage
from tradebus.journal.archive.checkpoints import Checkpoints
from tradebus.journal.archive.files import segment_files

STEPS = Selection(frozenset(Topic) - {Topic.MARKET})


async def written(position: int) -> bool:
    return position > 0


def past_events(folder: Path, limits: StreamLimits = LIMITS) -> PastEvents:
    return PastEvents(folder, STREAM, "demo", Limits(), written, limits)


def checkpoint(folder: Path, messages: list[JournalMessage]) -> int:
    """Write a checkpoint behind some messages; return its sequence."""
    fold = new_fold()
    for message in messages:
        fold.take(message)
    frozen = freeze(fold, STREAM)
    Checkpoints(folder).write(frozen.head, frozen.snapshot, frozen.extras())
    return fold.sequence


def small_hub(messages: list[JournalMessage], past: PastEvents | None) -> tuple[HandFedHub, list[Message]]:
    """Return a hub that keeps little, and everything it told to a reader that was never cut."""
    fed = HandFedHub(StreamLimits(events=64), past)
    fed.feed(messages[:1])
    reader = fed.open(STEPS)
    told = fed.drain(reader)[1:]
    for message in messages[1:]:
        fed.feed([message])
        told += fed.drain(reader)
    assert fed.count("tradebus_stream_resets_total") == 0
    return fed, told


async def come_back(fed: HandFedHub, last: Message, selection: Selection = STEPS) -> list[Message]:
    reader = fed.hub.enter()
    await fed.hub.resume(reader, selection, mark_from_text(str(last.id)))
    told = fed.drain(reader)
    fed.hub.leave(reader)
    return told


async def test_what_is_not_kept_any_more_is_read_from_the_archive(run: EngineRun, tmp_path: Path) -> None:
    messages = messages_of(run.batches(), STREAM)
    write(tmp_path, messages, flush_every=10)
    at = checkpoint(tmp_path, messages[: len(messages) // 2])
    fed, told = small_hub(messages, past_events(tmp_path))
    before = [cut for cut, message in enumerate(told) if mark_from_text(str(message.id)).sequence < at]
    for cut in (0, 1, before[-1] // 2, before[-1], before[-1] + 1, before[-1] + 2, len(told) - 60, len(told) - 1):
        assert await come_back(fed, told[cut]) == told[cut + 1 :], cut
    assert fed.count("tradebus_stream_resets_total") == 0
    only = Selection(frozenset({Topic.TRADE}), frozenset({1}))
    (name,) = {run.engine.started.index.instruments[1].name}
    found = [(each.name, each.data) for each in await come_back(fed, told[0], only)]
    assert found == [
        (each.name, each.data) for each in told[1:] if each.name == "trade" and f'"{name}"'.encode() in each.data
    ]


@pytest.mark.parametrize("why", ["too far", "too slow", "too much", "too many", "damaged", "cut off"])
async def test_what_cannot_be_read_leads_to_a_reset_that_says_why(run: EngineRun, tmp_path: Path, why: str) -> None:
    messages = messages_of(run.batches(), STREAM)
    limits = {
        "too far": StreamLimits(past_ticks=50),
        "too slow": StreamLimits(past_s=0.001),
        "too much": StreamLimits(past_bytes=20_000),
    }
    write(tmp_path, messages[:40] if why == "cut off" else messages, flush_every=10)
    fed, told = small_hub(messages, past_events(tmp_path, limits.get(why, LIMITS)))
    if why == "damaged":
        (segment,) = segment_files(tmp_path)
        content = bytearray(segment.read_bytes())
        content[len(content) // 2] ^= 1
        segment.write_bytes(content)
    if why == "too many":
        for _ in range(LIMITS.past_readers):  # they have not taken what was read for them
            await fed.hub.resume(fed.hub.enter(), STEPS, mark_from_text(str(told[0].id)))
    reset, snapshot = await come_back(fed, told[0])
    assert (reset.name, snapshot.name) == ("reset", "snapshot")
    words = {
        "too far": "no more than 50 are read again",
        "too slow": "could not be read within 0.001 s",
        "too much": "it is more than 0 MiB",
        "too many": "too many others",
        "damaged": "cannot be read",
        "cut off": "the archive ends with tick",
    }
    assert words[why] in json.loads(reset.data)["reason"]
