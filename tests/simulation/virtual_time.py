"""An event loop whose time is not the machine's: sleeping takes none, and the same program runs the same way twice."""

import asyncio
import functools
import importlib
import pkgutil
import selectors
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, Final

EPOCH_NS: Final = 1_790_000_000_000_000_000
"""The wall clock at the beginning of a simulation."""

NS_PER_S: Final = 1_000_000_000
PACKAGES: Final = (
    "services.engine",
    "services.execution",
    "services.audit",
    "services.runtime",
    "tradebus.journal",
    "tradebus.bus",
)
"""What a simulated system is made of."""


class Stalled(Exception):
    """Everybody waits for something that nobody will do."""


class _Selector(selectors.SelectSelector):
    """Waits by moving the loop's time on; there is nothing else that could happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Let the time pass that the loop would wait."""
        if timeout is None:
            raise Stalled("no timer is set and nothing is ready")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """The standard loop on virtual time. ``step_clock`` moves the wall clock, not the time that passes."""

    def __init__(self) -> None:
        self._virtual: Final = _Selector()
        self.offset_ns = 0
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the seconds since the simulation began."""
        return self._virtual.now_s

    def monotonic_ns(self) -> int:
        """Return the nanoseconds since the simulation began."""
        return round(self._virtual.now_s * NS_PER_S)

    def wall_ns(self) -> int:
        """Return what the wall clock shows, nanoseconds since the epoch."""
        return EPOCH_NS + self.monotonic_ns() + self.offset_ns

    def step_clock(self, ns: int) -> None:
        """Set the wall clock forward or back, as an operator or a time server does."""
        self.offset_ns += ns


@functools.cache
def functions_with_clocks() -> tuple[FunctionType, ...]:
    """Return every function of ours that has a clock as the default of a parameter: it was bound when it was made."""
    clocks = (time.time_ns, time.monotonic_ns, time.monotonic, time.time)
    found: dict[int, FunctionType] = {}
    for module in _modules():
        holders: list[Any] = [module, *(each for each in vars(module).values() if isinstance(each, type))]
        for holder in holders:
            for value in vars(holder).values():
                if isinstance(value, FunctionType) and any(
                    default in clocks
                    for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
                ):
                    found[id(value)] = value
    return tuple(found.values())


def _modules() -> Iterator[ModuleType]:
    """Return the modules that the simulated services are made of, all loaded."""
    for package in PACKAGES:
        loaded = importlib.import_module(package)
        yield loaded
        for found in pkgutil.walk_packages(loaded.__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


@contextmanager
def virtual_time(loop: VirtualLoop) -> Iterator[None]:
    """Let every clock that the services read show the loop's time until the block ends."""
    functions = functions_with_clocks()
    kept = [(each, each.__defaults__, dict(each.__kwdefaults__ or {})) for each in functions]
    real: dict[str, Callable[[], Any]] = {
        name: getattr(time, name) for name in ("time_ns", "monotonic_ns", "monotonic", "time")
    }
    shown: dict[Callable[[], Any], Callable[[], Any]] = {
        real["time_ns"]: loop.wall_ns,
        real["monotonic_ns"]: loop.monotonic_ns,
        real["monotonic"]: loop.time,
        real["time"]: lambda: loop.wall_ns() / NS_PER_S,
    }

    def of(value: Any) -> Any:
        try:
            return shown.get(value, value)
        except TypeError:  # cannot be a clock: it has no hash
            return value

    try:
        for each in functions:
            each.__defaults__ = tuple(of(value) for value in each.__defaults__ or ()) or None
            each.__kwdefaults__ = {name: of(value) for name, value in (each.__kwdefaults__ or {}).items()}
        for name, clock in real.items():
            setattr(time, name, shown[clock])
        yield
    finally:
        for name, clock in real.items():
            setattr(time, name, clock)
        for each, defaults, keywords in kept:
            each.__defaults__ = defaults
            each.__kwdefaults__ = keywords
