"""Tradebus runs trading strategies live, on paper and in backtests with one engine."""

from tradebus import _build

_build.guard()

from tradebus.backtesting import backtest  # noqa: E402 - the guard chooses which core is loaded, so it comes first

__version__ = "0.1.0"

__all__ = ["__version__", "backtest"]
