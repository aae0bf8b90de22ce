"""Judge a replay: whether everything that was recorded was processed, and replica and fold agree with the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the four services say at the end, in the fields of the summary; times in seconds."""

    events: int
    skipped: Mapping[str, int]
    orders: int
    cancels: int
    fills: int
    pnl_realised: Mapping[str, str]
    wall_s: float
    engine_sequence: int
    replica_sequence: int
    engine_hash: str
    replica_hash: str
    digest: str
    digest_read: str
    """Of the ticks as the audit service read them from the journal."""
    fold_equal: bool
    events_sent: int
    bad_lines: int
    is_clean: bool
    problems: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """Tell whether replica and engine are at the same sequence with the same hash, both roots verified."""
        return (
            self.engine_sequence == self.replica_sequence
            and self.engine_hash == self.replica_hash
            and not self.engine_hash.endswith(":")
        )

    @property
    def complaints(self) -> list[str]:
        """Return everything that is not as it should be; empty for a good replay."""
        found = list(self.problems)
        if not self.is_equal:
            found.append(
                f"replica and engine differ: engine {self.engine_hash} at {self.engine_sequence}, "
                f"replica {self.replica_hash} at {self.replica_sequence}"
            )
        if self.digest != self.digest_read:
            found.append(f"the engine made ticks of digest {self.digest}, the audit service read {self.digest_read}")
        if not self.fold_equal:
            found.append("the execution service's fold gives other account events than the journal holds")
        if self.events_sent != self.events:
            found.append(f"the feed sent {self.events_sent} events, the engine processed {self.events}")
        if not self.is_clean:
            found.append(f"{self.bad_lines} lines of the recordings could not be read, or a file is damaged")
        return found

    def as_data(self) -> dict[str, Any]:
        """Return the summary's JSON object."""
        return {
            "events": self.events,
            "skipped": dict(self.skipped),
            "bad_lines": self.bad_lines,
            "orders": self.orders,
            "cancels": self.cancels,
            "fills": self.fills,
            "pnl_realised": dict(self.pnl_realised),
            "wall_s": round(self.wall_s, 3),
            "events_per_s": round(self.events / self.wall_s) if self.wall_s > 0 else 0,
            "engine_sequence": self.engine_sequence,
            "replica_sequence": self.replica_sequence,
            "engine_hash": self.engine_hash,
            "replica_hash": self.replica_hash,
            "digest": self.digest,
            "fold_equal": self.fold_equal,
            "equal": self.is_equal,
        }


def hash_text(said: Mapping[str, Any]) -> str:
    """Return a state hash as one text: version, core root, user root (empty where it was not verified)."""
    return f"{said['version']}:{said['core']}:{said['user']}"


def outcome_of(
    engine: Mapping[str, Any],
    audit: Mapping[str, Any],
    execution: Mapping[str, Any],
    feed: Mapping[str, Any],
    wall_s: float,
    problems: tuple[str, ...],
) -> Outcome:
    """Return the outcome that the services' ``/status`` data add up to."""
    report = feed["report"]
    return Outcome(
        engine["market_events"],
        report["skipped"],
        engine["orders"],
        engine["cancels"],
        engine["fills"],
        engine["pnl_realised"],
        wall_s,
        engine["sequence"],
        audit["sequence"],
        hash_text(engine["hash"]),
        hash_text(audit["hash"]),
        engine["digest"],
        audit.get("digest", ""),
        bool(execution["fold_equal"]) and bool(execution["is_finished"]),
        feed["events_sent"],
        report["bad_lines"],
        report["is_clean"],
        problems,
    )
