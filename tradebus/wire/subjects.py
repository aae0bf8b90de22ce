"""Name every subject, stream and bucket of the bus, and nothing else does.

Subjects read from broad to narrow, in lower case: ``md.binance_spot.0``. What fills a place is a *token*:
lower-case letters, digits, ``_`` and ``-``, beginning with a letter or a digit, at most 64 characters. A token
can therefore never smuggle a wildcard, a dot or a line break into a subject, and the text of a permission
violation, which the client library lower-cases, still names the subject.

The table of who publishes and who listens stands in ``docs/subjects.md``.
"""

import re
from typing import Final

TOKEN_CHARACTERS_MAX: Final = 64
_TOKEN: Final = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)

ANY: Final = "*"
"""Stands for exactly one token in a subscription."""

DLQ_STREAM: Final = "DLQ"
"""The one stream that keeps the dead letters of all services."""

LEASES: Final = "leases"
"""Bucket: who owns an exchange's feed or an account, and which engine leads."""

REPLAY: Final = "replay"
"""Stands for the exchange in the subject of a replay, which merges the recordings of all exchanges."""

POSITIONS: Final = "positions"
"""Bucket: how far each reader of a journal has got, which is what the pruner may drop."""

CONTROL: Final = "control"
"""Bucket: the kill switch."""

SNAPSHOTS: Final = "snapshots"
"""Bucket: what a process on another host needs to go on: the newest snapshot of each simulated account."""


class InvalidToken(ValueError):
    """A name that cannot be part of a subject.

    ``what`` says which part it was meant for (``"engine"``), ``token`` is what was found.
    """

    def __init__(self, what: str, token: str) -> None:
        super().__init__(
            f"{what}: expected 1 to {TOKEN_CHARACTERS_MAX} lower-case letters, digits, '_' or '-', "
            f"beginning with a letter or a digit; found {token!r}"
        )
        self.what: Final = what
        self.token: Final = token


def token(what: str, text: str) -> str:
    """Return ``text`` unchanged if it can stand as one token of a subject.

    Raises InvalidToken naming ``what`` (``"engine"``, ``"account"``) otherwise.
    """
    if len(text) > TOKEN_CHARACTERS_MAX or _TOKEN.fullmatch(text) is None:
        raise InvalidToken(what, text)
    return text


def md(exchange: str, shard: int | str) -> str:
    """Return the subject of one shard of an exchange's market data, as ``md.binance_spot.0``."""
    return f"md.{token('exchange', exchange)}.{token('shard', str(shard))}"


def md_exchange(exchange: str) -> str:
    """Return the subscription to all shards of one exchange."""
    return f"md.{token('exchange', exchange)}.{ANY}"


def md_all() -> str:
    """Return the subscription to all market data."""
    return "md.>"


def md_replay() -> str:
    """Return the subject of a replay's feed: ``md.replay.0``, one shard for everything, so that its order is one."""
    return md(REPLAY, 0)


def audit(engine: str) -> str:
    """Return the subject of an engine's audit journal, as ``audit.demo``."""
    return f"audit.{token('engine', engine)}"


def audit_stream(engine: str) -> str:
    """Return the stream that keeps an engine's audit journal, as ``AUDIT_demo``."""
    return f"AUDIT_{token('engine', engine)}"


def audit_engine(stream: str) -> str:
    """Return the engine whose audit journal a stream keeps; raises ValueError for another stream."""
    prefix, _, engine = stream.partition("_")
    if prefix != "AUDIT" or audit_stream(engine) != stream:
        raise ValueError(f"expected a stream as AUDIT_demo, found {stream!r}")
    return engine


def exec_(account: str) -> str:
    """Return the subject on which an account's owner takes order requests, as ``exec.binance_spot``."""
    return f"exec.{token('account', account)}"


def exec_all() -> str:
    """Return the subscription to the order requests to all accounts."""
    return "exec.>"


def acct(account: str) -> str:
    """Return the subject of an account's journal, as ``acct.sim_alpha-paper``."""
    return f"acct.{token('account', account)}"


def acct_stream(account: str) -> str:
    """Return the stream that keeps an account's journal, as ``ACCT_sim_alpha-paper``."""
    return f"ACCT_{token('account', account)}"


def cmd(engine: str) -> str:
    """Return the subject of an engine's commands, as ``cmd.demo``."""
    return f"cmd.{token('engine', engine)}"


def cmd_stream(engine: str) -> str:
    """Return the stream that keeps an engine's commands, as ``CMD_demo``."""
    return f"CMD_{token('engine', engine)}"


def hb(service: str, instance: str) -> str:
    """Return the subject of one process's heartbeat, as ``hb.market.market-1``."""
    return f"hb.{token('service', service)}.{token('instance', instance)}"


def hb_service(service: str) -> str:
    """Return the subscription to the heartbeats of every instance of one service."""
    return f"hb.{token('service', service)}.{ANY}"


def hb_all() -> str:
    """Return the subscription to every heartbeat."""
    return "hb.>"


def flow(engine: str) -> str:
    """Return the subject on which an engine grants a replay feed its credit, as ``flow.replay-1``."""
    return f"flow.{token('engine', engine)}"


def flow_all() -> str:
    """Return the subscription to every engine's credit."""
    return "flow.>"


def dlq(service: str) -> str:
    """Return the subject of a service's dead letters, as ``dlq.engine``."""
    return f"dlq.{token('service', service)}"


def dlq_all() -> str:
    """Return the subscription to every dead letter, and what the stream ``DLQ`` keeps."""
    return "dlq.>"


def engine_reader(engine: str) -> str:
    """Return the key in ``POSITIONS`` of an engine: up to where its verified snapshot makes journals dispensable."""
    return f"engine.{token('engine', engine)}"


def archive_reader(engine: str) -> str:
    """Return the key in ``POSITIONS`` of an engine's archive: up to where its audit journal is archived and fsynced."""
    return f"archive.{token('engine', engine)}"


def owner_reader(account: str) -> str:
    """Return the key in ``POSITIONS`` of an account's owner: up to where its snapshot makes journals dispensable."""
    return f"execution.{token('account', account)}"


def lease_engine(engine: str) -> str:
    """Return the key of the lease that says which process leads an engine, as ``engine.demo``."""
    return f"engine.{token('engine', engine)}"


def lease_account(account: str) -> str:
    """Return the key of the lease that says who owns an account, as ``account.sim_alpha-paper``."""
    return f"account.{token('account', account)}"


def lease_member(service: str, engine: str, instance: str) -> str:
    """Return the key by which a process says that it takes its share, as ``member.execution.demo.execution-1``."""
    return f"member.{token('service', service)}.{token('engine', engine)}.{token('instance', instance)}"


def lease_members(service: str, engine: str) -> str:
    """Return the keys of all processes of a service that share an engine's work."""
    return f"member.{token('service', service)}.{token('engine', engine)}.{ANY}"


def engine_snapshot(engine: str) -> str:
    """Return the key in ``SNAPSHOTS`` of an engine's newest proven snapshot, as ``engine.demo``."""
    return f"engine.{token('engine', engine)}"


def paper_snapshot(account: str) -> str:
    """Return the key in ``SNAPSHOTS`` of a simulated account, as ``paper.sim_alpha-paper``."""
    return f"paper.{token('account', account)}"
