"""Tradebus runs trading strategies live, on paper and in backtests with one engine."""

from tradebus import _build

_build.guard()

__version__ = "0.1.0"

__all__ = ["__version__"]
