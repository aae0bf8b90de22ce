"""A replay within a test: recordings in which prices move, and a broker that loses messages."""

import math
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.support.recordings import START_NS, line, recording, ticker, trade
from tradebus.bus.memory_broker import MemoryBroker
from tradebus.bus.message import Message


def moving_lines(count: int) -> list[bytes]:
    """Return a recording in which prices go up and down, so that strategies trade: books and trades in turn."""
    lines: list[bytes] = []
    for number in range(1, count + 1):
        price = 100 + 10 * math.sin(number / 60)
        frame = (
            trade("BTCUSDT", number, f"{price:.2f}", "0.5", sell=number % 4 == 1)
            if number % 2
            else ticker("BTCUSDT", number, f"{price - 0.05:.2f}", f"{price + 0.05:.2f}")
        )
        lines.append(line(START_NS + number * 50_000_000, frame))
    return lines


def moving_recording(folder: Path, count: int) -> Path:
    """Write such a recording and return its path."""
    return recording(folder / "binance-spot-made.txt", moving_lines(count))


def lose_some(broker: MemoryBroker, subjects: tuple[str, ...], loss: float, rng: Random) -> None:
    """Lose this share of the messages whose subjects begin so."""
    publish: Callable[..., int] = broker.publish

    def lossy(message: Message, answer: Callable[[Message], None] | None = None) -> int:
        if message.subject.startswith(subjects) and rng.random() < loss:
            return 0
        return publish(message, answer)

    setattr(broker, "publish", lossy)  # noqa: B010 - a fault, not an assignment
