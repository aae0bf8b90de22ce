"""Keep what risk checks need: their parameters, and the times at which orders were sent lately.

Checks decide and remember nothing; what they must know of the past is here, changes in ``engine.apply`` alone, and is
bounded by their own limits.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar, Final, final

from tradebus.core.engine.setup import RiskCheckSetup
from tradebus.core.model.identifiers import ExchangeIndex
from tradebus.core.model.record import Record

NS_PER_MS: Final = 1_000_000
WINDOW_ORDERS_MAX: Final = 10_000
WINDOW_MS_MAX: Final = 86_400_000
PER_ENGINE: Final = "engine"
PER_EXCHANGE: Final = "exchange"


def _whole_number(text: str, maximum: int) -> int:
    """Return the number in a text, 0 unless it is one of 1 to ``maximum``."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(maximum))):
        return 0
    value = int(text)
    return value if value <= maximum else 0


@final
class RiskCheckState(Record):
    """A risk check of this engine: how it is set up, and when orders were sent lately (ns, oldest first).

    ``sent`` holds a list for each exchange, a single one for all of them together, or none where the check has no
    window.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ("setup", "sent")

    def __init__(self, setup: RiskCheckSetup, sent: list[list[int]]) -> None:
        self.setup = setup
        self.sent = sent

    @property
    def orders_max(self) -> int:
        """Return how many orders the window has room for, 0 where there is no window."""
        return _whole_number(self._param("orders_max"), WINDOW_ORDERS_MAX)

    @property
    def window_ns(self) -> int:
        """Return how long the window is, 0 where there is none."""
        return _whole_number(self._param("window_ms"), WINDOW_MS_MAX) * NS_PER_MS

    def _param(self, name: str) -> str:
        for known, value in self.setup.params:
            if known == name:
                return value
        return ""

    def scope(self) -> str:
        """Return what the window is of: every order, those of each exchange, or empty where there is no window."""
        if not (self.orders_max and self.window_ns):
            return ""
        return PER_EXCHANGE if self._param("per") == PER_EXCHANGE else PER_ENGINE

    def configure(self, setup: RiskCheckSetup) -> None:
        """Take new parameters. What was sent lately stays, as far as the new window has room for it."""
        self.setup = setup
        for times in self.sent:
            del times[: max(0, len(times) - self.orders_max)]

    def record_sent(self, exchange: ExchangeIndex, now_ns: int) -> None:
        """Note that an order was sent, and forget what has left the window."""
        times = self._times(exchange)
        if times is not None:
            times.append(now_ns)
            first = bisect_right(times, now_ns - self.window_ns)
            del times[: max(first, len(times) - self.orders_max)]

    def sent_lately(self, exchange: ExchangeIndex, now_ns: int) -> int:
        """Return how many orders were sent within the window: to one exchange where there is a window for each."""
        times = self._times(exchange)
        return 0 if times is None else len(times) - bisect_right(times, now_ns - self.window_ns)

    def _times(self, exchange: ExchangeIndex) -> list[int] | None:
        slot = exchange if len(self.sent) > 1 else 0
        return self.sent[slot] if slot < len(self.sent) else None


@final
class RiskState(Record):
    """What all risk checks need, in the order they are asked."""

    FIELDS: ClassVar[tuple[str, ...]] = ("checks",)

    def __init__(self, checks: list[RiskCheckState]) -> None:
        self.checks = checks

    def check(self, id: str) -> RiskCheckState | None:
        """Return the state of one check, none if this engine has no such check."""
        for check in self.checks:
            if check.setup.id == id:
                return check
        return None

    def configure(self, setup: RiskCheckSetup) -> None:
        """Give a check new parameters."""
        check = self.check(setup.id)
        if check is not None:
            check.configure(setup)

    def record_sent(self, exchanges: Sequence[ExchangeIndex], now_ns: int) -> None:
        """Note that orders were sent to these exchanges, one for each."""
        for check in self.checks:
            if check.sent:
                for exchange in exchanges:
                    check.record_sent(exchange, now_ns)


def initial_risk_state(setups: Sequence[RiskCheckSetup], exchange_count: int) -> RiskState:
    """Return the state of risk checks before any order was sent."""
    checks: list[RiskCheckState] = []
    for setup in setups:
        check = RiskCheckState(setup, [])
        scope = check.scope()
        if scope:
            check.sent = [[] for _ in range(exchange_count if scope == PER_EXCHANGE else 1)]
        checks.append(check)
    return RiskState(checks)
