"""What a person at the terminal is told while the system runs."""

from abc import ABC, abstractmethod
from typing import Final, final

from rich.console import Console
from rich.text import Text


class Progress(ABC):
    """Takes one short line about one thing at a time."""

    @abstractmethod
    def tell(self, who: str, what: str, detail: str = "") -> None:
        """Say that `who` (`market`) is `what` (`ready`), with a detail."""

    @abstractmethod
    def warn(self, who: str, what: str, detail: str = "") -> None:
        """Say that something is not as it should be."""


@final
class Silent(Progress):
    """Says nothing; for tests and for programs that have a terminal of their own."""

    def tell(self, who: str, what: str, detail: str = "") -> None:
        """Say nothing."""

    def warn(self, who: str, what: str, detail: str = "") -> None:
        """Say nothing."""


_STYLES: Final = {"ready": "green", "up": "green", "live": "bold white on red"}


@final
class Terminal(Progress):
    """Writes a line each: coloured on a terminal, plain elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console: Final = console or Console(highlight=False, soft_wrap=True)

    def tell(self, who: str, what: str, detail: str = "") -> None:
        """Write the line."""
        self._line(who, what, detail, _STYLES.get(what, ""))

    def warn(self, who: str, what: str, detail: str = "") -> None:
        """Write the line, marked."""
        self._line(who, what, detail, "bold yellow")

    def _line(self, who: str, what: str, detail: str, style: str) -> None:
        self._console.print(
            Text.assemble(
                (f"{who:<10}", "bold"), (f"{what:<9}" if detail else what, style), f" {detail}" if detail else ""
            )
        )
