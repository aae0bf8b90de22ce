"""The numberings of exchanges, assets and instruments that a journal has used."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tradebus.core.model.index import IndexedInstruments


@dataclass(frozen=True)
class Numbering:
    """The numbering of exchanges, assets and instruments that the journal uses from a tick on."""

    first_sequence: int
    index: IndexedInstruments
    plain: Any
    """The index as JSON data, which every checkpoint holds."""

    @cached_property
    def text(self) -> str:
        """Return where it begins and the index as JSON."""
        return json.dumps([self.first_sequence, self.plain], separators=(",", ":"))
