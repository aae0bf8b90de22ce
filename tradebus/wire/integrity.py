"""Check that bytes are the ones that were written: a checksum per message, a chain over a journal.

Both travel as headers, so a payload stays plain protobuf for any other reader.

- ``Tb-Crc32c``: CRC-32C over the payload, eight lower-case hex digits. One flipped bit in an order decodes
  to *another order* in most cases, so every message on a journal and every request carries it, and it is
  verified before decoding.
- ``Tb-Chain``: BLAKE2b-128 over the stored payload of a journal batch, 32 lower-case hex digits. The payload
  itself holds its predecessor's, so altering, removing or reordering a batch breaks every later link. It is
  never taken over re-encoded messages: another library may order the same fields differently.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import google_crc32c

CRC_HEADER: Final = "Tb-Crc32c"
CHAIN_HEADER: Final = "Tb-Chain"
CHAIN_HEX_DIGITS: Final = 32
CHAIN_START: Final = "0" * CHAIN_HEX_DIGITS
"""What the first batch of a journal holds as its predecessor."""

_CRC_HEX_DIGITS: Final = 8


class IntegrityError(Exception):
    """Stored or received bytes are not the ones that were written."""


class HeaderMissing(IntegrityError):
    """A message that must carry an integrity header does not; ``header`` is its name."""

    def __init__(self, header: str) -> None:
        super().__init__(f"expected the header {header}, found none")
        self.header: Final = header


class ChecksumMismatch(IntegrityError):
    """The payload is not the one the checksum was taken over; both are hex digits."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"{CRC_HEADER}: the header says {expected}, the payload gives {found}")
        self.expected: Final = expected
        self.found: Final = found


class ChainMismatch(IntegrityError):
    """A batch's payload does not give the chain hash in its header; both are hex digits."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"{CHAIN_HEADER}: the header says {expected}, the payload gives {found}")
        self.expected: Final = expected
        self.found: Final = found


class ChainBroken(IntegrityError):
    """A batch does not follow the one before it: the previous hash it holds is not its predecessor's."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"chain: the batch before has {expected}, this one says it follows {found}")
        self.expected: Final = expected
        self.found: Final = found


def checksum(payload: bytes) -> str:
    """Return the CRC-32C (Castagnoli) of ``payload`` as eight lower-case hex digits."""
    return f"{google_crc32c.value(payload):0{_CRC_HEX_DIGITS}x}"


def chain_hash(payload: bytes) -> str:
    """Return the BLAKE2b-128 of a batch's stored payload as 32 lower-case hex digits."""
    return hashlib.blake2b(payload, digest_size=CHAIN_HEX_DIGITS // 2).hexdigest()


def checked_headers(payload: bytes) -> dict[str, str]:
    """Return the headers of a request, or of a journal message outside a chain."""
    return {CRC_HEADER: checksum(payload)}


def chained_headers(payload: bytes) -> dict[str, str]:
    """Return the headers of a journal batch whose payload already holds its predecessor's chain hash."""
    return {CRC_HEADER: checksum(payload), CHAIN_HEADER: chain_hash(payload)}


def verify_checksum(payload: bytes, headers: Mapping[str, str] | None) -> None:
    """Check ``payload`` against its ``Tb-Crc32c``; do it before decoding.

    Raises HeaderMissing or ChecksumMismatch.
    """
    expected = _header(headers, CRC_HEADER)
    found = checksum(payload)
    if found != expected:
        raise ChecksumMismatch(expected, found)


def verify_chain_hash(payload: bytes, headers: Mapping[str, str] | None) -> str:
    """Check a batch against its own ``Tb-Chain`` and return that hash.

    Raises HeaderMissing or ChainMismatch.
    """
    expected = _header(headers, CHAIN_HEADER)
    found = chain_hash(payload)
    if found != expected:
        raise ChainMismatch(expected, found)
    return found


def verify_follows(previous: str, held: str) -> None:
    """Check that a batch follows its predecessor.

    ``previous`` is the chain hash of the batch before (``CHAIN_START`` for the first), ``held`` what this
    batch's payload says of it. Raises ChainBroken.
    """
    if held != previous:
        raise ChainBroken(previous, held)


def _header(headers: Mapping[str, str] | None, name: str) -> str:
    value = None if headers is None else headers.get(name)
    if value is None:
        raise HeaderMissing(name)
    return value
