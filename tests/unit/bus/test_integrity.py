import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebus.wire.integrity import (
    CHAIN_HEADER,
    CHAIN_START,
    CRC_HEADER,
    ChainBroken,
    ChainMismatch,
    ChecksumMismatch,
    HeaderMissing,
    chain_hash,
    chained_headers,
    checked_headers,
    checksum,
    verify_chain_hash,
    verify_checksum,
    verify_follows,
)


def test_the_checksum_is_crc_32c() -> None:
    # The check value of the Castagnoli polynomial, as in RFC 3720 and every catalogue of CRCs.
    assert checksum(b"123456789") == "e3069283"
    assert checksum(b"") == "00000000"


def test_the_chain_hash_is_blake2b_128() -> None:
    assert chain_hash(b"") == "cae66941d9efbd404e4d88758ea67670"
    assert len(CHAIN_START) == len(chain_hash(b"x"))


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_single_flipped_bit_is_found(payload: bytes, data: st.DataObject) -> None:
    headers = chained_headers(payload)
    verify_checksum(payload, headers)
    assert verify_chain_hash(payload, headers) == headers[CHAIN_HEADER]
    bit = data.draw(st.integers(0, len(payload) * 8 - 1))
    damaged = bytearray(payload)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ChecksumMismatch) as checked:
        verify_checksum(bytes(damaged), headers)
    assert (checked.value.expected, checked.value.found) == (headers[CRC_HEADER], checksum(bytes(damaged)))
    with pytest.raises(ChainMismatch):
        verify_chain_hash(bytes(damaged), headers)


@pytest.mark.parametrize("headers", [None, {}, {"tb-crc32c": "00000000"}])
def test_a_message_without_its_header_is_not_taken(headers: dict[str, str] | None) -> None:
    with pytest.raises(HeaderMissing) as error:
        verify_checksum(b"", headers)
    assert error.value.header == CRC_HEADER
    with pytest.raises(HeaderMissing, match=CHAIN_HEADER):
        verify_chain_hash(b"", headers)


def test_requests_carry_a_checksum_and_no_chain() -> None:
    assert checked_headers(b"123456789") == {CRC_HEADER: "e3069283"}


def test_a_batch_that_does_not_follow_is_found() -> None:
    verify_follows(CHAIN_START, CHAIN_START)
    with pytest.raises(ChainBroken) as error:
        verify_follows(chain_hash(b"1"), chain_hash(b"2"))
    assert (error.value.expected, error.value.found) == (chain_hash(b"1"), chain_hash(b"2"))
