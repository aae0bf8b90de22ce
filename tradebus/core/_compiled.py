"""Says whether this core runs compiled. Asked of the code itself, so that it cannot claim what is not so."""

from typing import Final


def _witness() -> None:
    """Exist: an interpreted function has code to look at, a compiled one has none."""


COMPILED: Final[bool] = not hasattr(_witness, "__code__")
"""True when the modules of ``tradebus.core`` were compiled with mypyc; they are compiled all or none."""
