"""Hold one batch ready to be appended: its bytes, its headers, and where it stands in the chain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tradebus.wire.integrity import CHAIN_HEADER, chained_headers

TICKS_MAX: Final = 512
BATCH_BYTES_MAX: Final = 128 * 1024
ITEM_BYTES_MAX: Final = 900 * 1024


class ItemTooLarge(ValueError):
    """One tick or record that no batch can hold; it must not have been made."""

    def __init__(self, what: str, size: int) -> None:
        super().__init__(f"{what}: expected at most {ITEM_BYTES_MAX} bytes, found {size}")
        self.size: Final = size


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """A batch whose payload holds the chain hash of the one before; ``first`` and ``last`` number what is in it."""

    payload: bytes
    headers: Mapping[str, str]
    chain: str
    first: int
    last: int


def sealed(payload: bytes, first: int, last: int) -> SealedBatch:
    """Return the batch with its checksum and its own chain hash."""
    headers = chained_headers(payload)
    return SealedBatch(payload, headers, headers[CHAIN_HEADER], first, last)
