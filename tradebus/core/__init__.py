"""The engine, pure: no input or output, no clock, no randomness, no logging. Compiled with mypyc, or interpreted."""

from tradebus.core._compiled import COMPILED

__all__ = ["COMPILED"]
