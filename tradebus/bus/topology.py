"""Which streams and buckets there are, and with which settings: what provisioning makes.

Journals are files that refuse what no longer fits (``discard: new``) rather than forget, delete no single message and
drop nothing by age; only the pruner shortens them, from the front. Dead letters are bounded and forget their oldest.
A lease expires by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tradebus.wire import subjects

MIB: Final = 1024 * 1024
LEASE_TTL_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream: its name, the subjects it keeps, and how many bytes at most.

    ``drop_oldest`` makes a full stream forget its oldest message; otherwise it refuses the newest.
    """

    name: str
    subjects: tuple[str, ...]
    bytes_max: int
    drop_oldest: bool = False


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """One bucket: its name, how many bytes at most, and after how long a value expires (None: never)."""

    name: str
    bytes_max: int
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many bytes each kind of stream may keep.

    A tick takes about 85 bytes with L1 or a trade and 160 with depth, so a GiB of audit journal is 6 to 12 million
    ticks.
    """

    audit: int = 8192 * MIB
    account: int = 256 * MIB
    commands: int = 64 * MIB
    dead_letters: int = 64 * MIB
    bucket: int = 8 * MIB
    snapshots: int = 64 * MIB


@dataclass(frozen=True, slots=True)
class Topology:
    """All streams and buckets of a deployment, or those that an engine and its accounts add to one."""

    streams: tuple[StreamSpec, ...]
    buckets: tuple[BucketSpec, ...]

    @property
    def bytes_max(self) -> int:
        """Return how much storage the server must be allowed, since it reserves all of it at creation."""
        return sum(spec.bytes_max for spec in self.streams) + sum(spec.bytes_max for spec in self.buckets)


DEFAULT_SIZES: Final = Sizes()


def topology(engines: Iterable[str], accounts: Iterable[str], sizes: Sizes = DEFAULT_SIZES) -> Topology:
    """Return everything that these engines and accounts need, the shared stream and buckets included.

    Raises InvalidToken for an id that cannot stand in a subject.
    """
    engine_ids, account_ids = tuple(engines), tuple(accounts)
    return Topology(
        streams=(
            *(
                StreamSpec(subjects.audit_stream(engine), (subjects.audit(engine),), sizes.audit)
                for engine in engine_ids
            ),
            *(
                StreamSpec(subjects.cmd_stream(engine), (subjects.cmd(engine),), sizes.commands)
                for engine in engine_ids
            ),
            *(
                StreamSpec(subjects.acct_stream(account), (subjects.acct(account),), sizes.account)
                for account in account_ids
            ),
            StreamSpec(subjects.DLQ_STREAM, (subjects.dlq_all(),), sizes.dead_letters, drop_oldest=True),
        ),
        buckets=(
            BucketSpec(subjects.LEASES, sizes.bucket, LEASE_TTL_S),
            BucketSpec(subjects.POSITIONS, sizes.bucket),
            BucketSpec(subjects.CONTROL, sizes.bucket),
            BucketSpec(subjects.SNAPSHOTS, sizes.snapshots),
        ),
    )
