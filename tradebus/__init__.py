"""Tradebus runs trading strategies live, on paper and in backtests with one engine."""

from typing import TYPE_CHECKING

from tradebus import _build

_build.guard()

if TYPE_CHECKING:
    from tradebus.backtesting import backtest

__version__ = "0.1.0"

__all__ = ["__version__", "backtest"]


def __getattr__(name: str) -> object:
    """Import the engine when it is first asked for: the command line and the client have no use for it."""
    if name != "backtest":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tradebus.backtesting import backtest as found  # noqa: PLC0415 - the point of this function

    globals()[name] = found
    return found
