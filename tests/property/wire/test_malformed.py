"""Bytes that nobody meant raise DecodeError with a path, and nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.wire.corpus import DECODERS, corpus
from tests.property.examples import scaled
from tests.support.values import BOUNDS
from tradebus.wire.codec.account_journal import account_batch_from_bytes, account_entry_from_bytes
from tradebus.wire.codec.audit import audit_batch_from_bytes, audit_frames_from_bytes, tick_from_bytes
from tradebus.wire.codec.error import DecodeError
from tradebus.wire.codec.market import market_batch_from_bytes, market_event_from_bytes

READERS: dict[str, Callable[[bytes], object]] = {
    **DECODERS,
    "account_batch, bounded": lambda payload: account_batch_from_bytes(payload, BOUNDS),
    "account_entry": account_entry_from_bytes,
    "audit_batch, bounded": lambda payload: audit_batch_from_bytes(payload, BOUNDS),
    "audit_frames": audit_frames_from_bytes,
    "market_batch, bounded": lambda payload: market_batch_from_bytes(payload, BOUNDS),
    "market_event": market_event_from_bytes,
    "tick": tick_from_bytes,
}
PAYLOADS = {name: encoded for name, (_, encoded) in corpus().items()}


def reads_or_refuses(reader: Callable[[bytes], object], payload: bytes) -> None:
    """Fail on anything but a value or a DecodeError that says something."""
    refusal: DecodeError | None = None
    try:
        reader(payload)
    except DecodeError as error:
        refusal = error
    assert refusal is None or (refusal.message and str(refusal).endswith(refusal.message))


@pytest.mark.parametrize("name", sorted(READERS))
@given(st.binary(max_size=200))
def test_random_bytes(name: str, payload: bytes) -> None:
    reads_or_refuses(READERS[name], payload)


@pytest.mark.parametrize("name", sorted(READERS))
@given(st.sampled_from(sorted(PAYLOADS.values())))
def test_the_bytes_of_other_messages(name: str, payload: bytes) -> None:
    reads_or_refuses(READERS[name], payload)


@pytest.mark.parametrize("name", sorted(PAYLOADS))
@given(st.data())
@settings(max_examples=scaled(300), deadline=None)
def test_damaged_bytes(name: str, data: st.DataObject) -> None:
    payload = bytearray(PAYLOADS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload) - 1))
        action = data.draw(st.sampled_from(["flip", "cut", "repeat", "insert"]))
        if action == "flip":
            payload[at] ^= data.draw(st.integers(1, 255))
        elif action == "cut":
            del payload[at : at + data.draw(st.integers(1, 8))]
        elif action == "repeat":
            payload[at:at] = payload[at : at + data.draw(st.integers(1, 40))]
        else:
            payload[at:at] = data.draw(st.binary(min_size=1, max_size=8))
        if not payload:
            return
    reads_or_refuses(DECODERS[name.partition("-")[0]], bytes(payload))
