"""What each user of the NATS server may publish and subscribe to; the rest is refused.

A stream or bucket is more than its subject. To look at one, to read one and to purge one are calls of the JetStream
API, each on a subject of its own with the stream's name in it; ``_look``, ``_read`` and ``_watch`` say which. What
travels in streams (``audit.``, ``acct.``, ``cmd.``, ``dlq.``) nobody may subscribe to directly: it is read from the
stream, in order and without gaps. Keys of buckets are each their writer's own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tradebus.bus.nats_bucket import bucket_stream, bucket_subject
from tradebus.wire import subjects

USER_INFO: Final = "$SYS.REQ.USER.INFO"
"""Asks the server who one is and what one may: for the check at the start."""


class User(StrEnum):
    """The users of the server: one for each service, and those who do what no service may."""

    MARKET = "market"
    ENGINE = "engine"
    EXECUTION = "execution"
    AUDIT = "audit"
    PRUNER = "pruner"
    """Shortens streams; a connection of the audit service's."""
    OPERATOR = "operator"
    """The command line and offline tools."""
    REPAIR = "repair"
    """`tradebus audit repair`: makes an engine's journal again from the archive, everything else stopped."""
    PROVISION = "provision"
    """Makes streams and buckets."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects, wildcards included, that a user may publish and subscribe to.

    ``answers``: it may also publish to where a request that it received wants its answer, once.
    """

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


@dataclass(frozen=True, slots=True)
class System:
    """The engines and accounts that share a server."""

    engines: tuple[str, ...]
    accounts: tuple[str, ...]

    @property
    def audit(self) -> list[str]:
        """Return the streams of the engines' journals."""
        return [subjects.audit_stream(engine) for engine in self.engines]

    @property
    def acct(self) -> list[str]:
        """Return the streams of the accounts' journals."""
        return [subjects.acct_stream(account) for account in self.accounts]

    @property
    def cmd(self) -> list[str]:
        """Return the streams of the engines' commands."""
        return [subjects.cmd_stream(engine) for engine in self.engines]


LEASES: Final = bucket_stream(subjects.LEASES)
POSITIONS: Final = bucket_stream(subjects.POSITIONS)
CONTROL: Final = bucket_stream(subjects.CONTROL)
SNAPSHOTS: Final = bucket_stream(subjects.SNAPSHOTS)
BUCKETS: Final = (LEASES, POSITIONS, CONTROL, SNAPSHOTS)


def permissions(user: User, system: System) -> Permissions:
    """Return what a user may."""
    return _ROWS[user](system)


def inbox(user: str) -> str:
    """Return what a user's answers come under: nobody else may listen there."""
    return f"_INBOX_{user}.>"


def _market(system: System) -> Permissions:
    return _user(
        User.MARKET,
        publish=[
            *_own(User.MARKET),
            subjects.md_all(),
            *_keys(subjects.LEASES, *(subjects.lease_members("market", engine) for engine in system.engines)),
            *_watch(LEASES),
        ],
        subscribe=[subjects.flow_all()],
    )


def _engine(system: System) -> Permissions:
    return _user(
        User.ENGINE,
        publish=[
            *_own(User.ENGINE),
            *(subjects.audit(engine) for engine in system.engines),
            *(subjects.flow(engine) for engine in system.engines),
            subjects.exec_all(),
            *_keys(subjects.LEASES, *(subjects.lease_engine(engine) for engine in system.engines)),
            *_keys(subjects.POSITIONS, *(subjects.engine_reader(engine) for engine in system.engines)),
            *_keys(subjects.SNAPSHOTS, *(subjects.engine_snapshot(engine) for engine in system.engines)),
            *_read(*system.audit, *system.acct, *system.cmd),
            *_watch(LEASES, CONTROL),
            *_look(POSITIONS, SNAPSHOTS),
        ],
        subscribe=[subjects.md_all(), subjects.hb_all()],
    )


def _execution(system: System) -> Permissions:
    return _user(
        User.EXECUTION,
        publish=[
            *_own(User.EXECUTION),
            *(subjects.acct(account) for account in system.accounts),
            *_keys(
                subjects.LEASES,
                *(subjects.lease_account(account) for account in system.accounts),
                *(subjects.lease_members("execution", engine) for engine in system.engines),
            ),
            *_keys(subjects.POSITIONS, *(subjects.owner_reader(account) for account in system.accounts)),
            *_keys(subjects.SNAPSHOTS, *(subjects.paper_snapshot(account) for account in system.accounts)),
            *_read(*system.audit, *system.acct),
            *_watch(LEASES, CONTROL),
            *_look(POSITIONS, SNAPSHOTS),
        ],
        subscribe=[subjects.exec_all(), subjects.hb_all()],
        answers=True,
    )


def _audit(system: System) -> Permissions:
    return _user(
        User.AUDIT,
        publish=[
            *_own(User.AUDIT),
            *(subjects.cmd(engine) for engine in system.engines),
            *_keys(subjects.POSITIONS, *(subjects.archive_reader(engine) for engine in system.engines)),
            *_read(*system.audit, *system.acct, subjects.DLQ_STREAM),
            *_look(*system.cmd),  # where the pruner may shorten it
            *_watch(LEASES, POSITIONS, SNAPSHOTS),
        ],
        subscribe=[subjects.hb_all()],
    )


def _pruner(system: System) -> Permissions:
    streams = [*system.audit, *system.acct, *system.cmd]
    return _user(
        User.PRUNER,
        publish=[*(f"$JS.API.STREAM.PURGE.{stream}" for stream in streams), *_look(POSITIONS)],
        subscribe=[],
    )


def _operator(system: System) -> Permissions:
    return _user(
        User.OPERATOR,
        publish=[
            *(subjects.cmd(engine) for engine in system.engines),
            *_keys(subjects.CONTROL, ">"),
            *_look(CONTROL),
            *_read(*system.audit),
        ],
        subscribe=[subjects.hb_all()],
    )


def _repair(system: System) -> Permissions:
    return _user(
        User.REPAIR,
        publish=[
            *(subjects.audit(engine) for engine in system.engines),
            *_read(*system.audit),
            *(f"$JS.API.STREAM.{call}.{stream}" for stream in system.audit for call in ("DELETE", "CREATE")),
        ],
        subscribe=[],
    )


def _provision(system: System) -> Permissions:
    names = [*system.audit, *system.acct, *system.cmd, subjects.DLQ_STREAM, *BUCKETS]
    return _user(
        User.PROVISION,
        publish=[f"$JS.API.STREAM.{call}.{name}" for name in names for call in ("INFO", "CREATE", "UPDATE")],
        subscribe=[],
    )


def _user(user: User, publish: Iterable[str], subscribe: Iterable[str], *, answers: bool = False) -> Permissions:
    return Permissions((*publish, USER_INFO), (inbox(user), *subscribe), answers)


def _own(user: User) -> list[str]:
    """Return what a service says of itself: that it lives, and what it could not read."""
    return [f"hb.{user.value}.>", subjects.dlq(user.value)]


def _keys(bucket: str, *keys: str) -> list[str]:
    """Return what it takes to write keys of a bucket."""
    return [bucket_subject(bucket, key) for key in keys]


def _look(*streams: str) -> list[str]:
    """Return what it takes to see how much is in streams, and single messages of them; to get a key of a bucket."""
    return [f"$JS.API.STREAM.{call}.{stream}" for stream in streams for call in ("INFO", "MSG.GET")]


def _read(*streams: str) -> list[str]:
    """Return what it takes to read streams: a consumer, and answers to the server's flow control."""
    reading = [each for stream in streams for each in (f"$JS.API.CONSUMER.CREATE.{stream}.>", f"$JS.FC.{stream}.>")]
    return [*_look(*streams), *reading]


_watch: Final = _read
"""To watch a bucket is to read its stream."""

_ROWS: Final[Mapping[User, Callable[[System], Permissions]]] = {
    User.MARKET: _market,
    User.ENGINE: _engine,
    User.EXECUTION: _execution,
    User.AUDIT: _audit,
    User.PRUNER: _pruner,
    User.OPERATOR: _operator,
    User.REPAIR: _repair,
    User.PROVISION: _provision,
}
