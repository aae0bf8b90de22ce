import pytest

from services.market import publisher as publisher_module
from services.market.flow import OrderFlow
from services.market.publisher import EVENTS_MAX, REASON_CHARACTERS_MAX, ShardPublisher
from tests.support.market_bus import BatchListener, identity_of, market_metrics
from tests.support.market_instruments import simulated_index
from tests.support.waiting import eventually
from tradebus.bus.memory import MemoryBus
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.core.market.event import MarketEvent, MarketReconnecting
from tradebus.core.model.identifiers import ExchangeId
from tradebus.wire.subjects import InvalidToken

INDEX = simulated_index()
ALPHA = INDEX.find_exchange_index(ExchangeId.SIM_ALPHA)


def events(count: int) -> list[MarketEvent]:
    return OrderFlow(INDEX, ExchangeId.SIM_ALPHA, 1, start_ns=1_700_000_000_000_000_000).take(count)[:count]


def publisher_on(bus: MemoryBus) -> ShardPublisher:
    return ShardPublisher(bus, "sim_alpha", 0, identity_of(INDEX, epoch=7), market_metrics())


async def test_events_travel_in_numbered_batches_that_say_who_published_them(
    bus: MemoryBus, other_bus: MemoryBus
) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    publisher = publisher_on(bus)
    sent = events(EVENTS_MAX + 6)
    for event in sent:
        publisher.add(event)
    await eventually(lambda: len(listener.items) == len(sent))
    assert listener.items == sent
    assert {subject for subject, _ in listener.batches} == {"md.sim_alpha.0"}
    heads = [batch.head for _, batch in listener.batches]
    assert [head.sequence for head in heads] == [1, EVENTS_MAX + 1]
    assert {(head.publisher, head.publisher_epoch, head.exchange, head.shard) for head in heads} == {
        ("market-test", 7, "sim_alpha", 0)
    }
    assert {head.index_fingerprint for head in heads} == {INDEX.fingerprint()}
    assert not any(head.is_last for head in heads)


async def test_large_events_travel_in_smaller_batches(
    bus: MemoryBus, other_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher_module, "BYTES_MAX", 300)
    listener = await BatchListener.on(other_bus, INDEX)
    publisher = publisher_on(bus)
    sent = events(40)
    for event in sent:
        publisher.add(event)
    await eventually(lambda: len(listener.items) == len(sent))
    assert listener.items == sent
    heads = [batch.head for _, batch in listener.batches]
    assert len(heads) > 5
    sizes = [len(batch.items) for _, batch in listener.batches]
    assert [head.sequence for head in heads] == [1 + sum(sizes[:at]) for at in range(len(sizes))]
    assert publisher.position.sequence == len(sent)


async def test_the_position_is_the_last_number_published(bus: MemoryBus) -> None:
    publisher = publisher_on(bus)
    assert (publisher.position.subject, publisher.position.epoch, publisher.position.sequence) == (
        "md.sim_alpha.0",
        7,
        0,
    )
    for event in events(3):
        publisher.add(event)
    assert publisher.position.sequence == 0
    publisher.close()
    assert publisher.position.sequence == 3


async def test_what_the_bus_does_not_take_uses_up_its_numbers(
    broker: MemoryBroker, bus: MemoryBus, other_bus: MemoryBus
) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    publisher = publisher_on(bus)
    sent = events(5)
    bus.lose_connection()
    for event in sent[:3]:
        publisher.add(event)
    publisher.close()
    assert publisher.dropped == 3
    bus.regain_connection()
    for event in sent[3:]:
        publisher.add(event)
    publisher.close()
    await eventually(lambda: listener.items)
    assert listener.items == sent[3:]
    assert listener.batches[0][1].head.sequence == 4
    assert publisher.position.sequence == 5


async def test_a_lost_feed_is_told_in_its_place_and_not_at_any_length(bus: MemoryBus, other_bus: MemoryBus) -> None:
    listener = await BatchListener.on(other_bus, INDEX)
    publisher = publisher_on(bus)
    before, after = events(2)
    publisher.add(before)
    publisher.reconnecting(MarketReconnecting(ALPHA, "short"))
    publisher.reconnecting(MarketReconnecting(ALPHA, "x" * 100_000))
    publisher.add(after)
    await eventually(lambda: len(listener.items) == 4)
    assert listener.items[:2] == [before, MarketReconnecting(ALPHA, "short")]
    assert listener.items[3] == after
    assert len(listener.markers[1].reason) == REASON_CHARACTERS_MAX + 3


async def test_a_name_that_cannot_stand_in_a_subject_is_refused(bus: MemoryBus) -> None:
    with pytest.raises(InvalidToken):
        ShardPublisher(bus, "Sim Alpha", 0, identity_of(INDEX), market_metrics())
