"""What a run came to, asked of the audit service before it stops."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over the whole run; None where the audit service could not say."""

    mode: str
    seconds: float
    events: int | None = None
    orders: int | None = None
    fills: int | None = None
    sequence: int | None = None
    restarts: int = 0
    clean: bool = True
    """Whether everything stopped by itself and in time."""

    @classmethod
    def of(cls, mode: str, seconds: float, status: Mapping[str, Any] | None, restarts: int, *, clean: bool) -> Self:
        """Build the summary from the body of the audit service's `/status`."""
        data = status.get("data") if status is not None else None
        counts = data if isinstance(data, Mapping) else {}

        def count(name: str) -> int | None:
            value = counts.get(name)
            return value if isinstance(value, int) else None

        return cls(
            mode,
            round(seconds, 1),
            count("events"),
            count("orders"),
            count("fills"),
            count("sequence"),
            restarts,
            clean,
        )

    def as_data(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)

    @property
    def words(self) -> str:
        """One line for a person."""
        if self.sequence is None:
            return f"no counts, as the audit service did not say, in {self.seconds:g} s{self._remarks}"
        counts = [
            f"{'?' if value is None else f'{value:,}'} {name}"
            for name, value in (("events", self.events), ("orders", self.orders), ("fills", self.fills))
        ]
        return f"{', '.join(counts)}, sequence {self.sequence:,} in {self.seconds:g} s{self._remarks}"

    @property
    def _remarks(self) -> str:
        restarts = f", {self.restarts} restarts" if self.restarts else ""
        forced = "" if self.clean else ", not everything stopped in order"
        return f"{restarts}{forced}"
