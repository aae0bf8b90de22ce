"""Verify a journal from outside: rebuild the replica from its batches and compare every hash that was recorded.

Plain and synchronous, batch after batch, wherever they come from. Where one is missing or wrong the state is lost, and
only checksums and links are compared until a checkpoint brings the state back.
"""

from dataclasses import dataclass, field
from typing import Final, final

from tradebus.bus.message import JournalMessage
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.engine.state.user_setup import StrategyDataFactory, UserDataFactory, no_user_data
from tradebus.journal.archive.checkpoints import CheckpointDamaged, Checkpoints
from tradebus.journal.archive.intake import FrameVerifier
from tradebus.journal.verify import AuditVerifier, JournalDamaged
from tradebus.wire.codec.audit import AuditBatch
from tradebus.wire.codec.bounds import bounds_of


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: where (a file or a stream), at which batch and tick (0, -1: unknown)."""

    kind: str
    where: str
    reason: str
    position: int = 0
    last_position: int = 0
    sequence: int = -1
    offset: int = -1
    length: int = 0


@dataclass(slots=True)
class Tally:
    """What a verification has seen so far. ``unproven`` counts ticks without a state to apply them to."""

    batches: int = 0
    ticks: int = 0
    hashes_equal: int = 0
    hashes_unequal: int = 0
    hashes_not_verified: int = 0
    unproven: int = 0
    checkpoints: int = 0
    first_tick: int = -1
    last_tick: int = -1
    findings: list[Finding] = field(default_factory=list)


@final
class JournalCheck:
    """Takes a journal's batches in order; ``missing`` says where some are not to be had."""

    def __init__(
        self,
        make_data: StrategyDataFactory,
        make_user_data: UserDataFactory = no_user_data,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.tally: Final = Tally()
        self.position = 0
        """The last message taken, or missed."""
        self.chain = ""
        self._make_data: Final = make_data
        self._make_user_data: Final = make_user_data
        self._checkpoints: Final = checkpoints
        self._at: dict[int, int] = {}
        self._replica: Replica | None = None
        self._verifier = AuditVerifier()
        self._frames = FrameVerifier()
        if checkpoints is not None:
            self._list_checkpoints(checkpoints)

    @property
    def sequence(self) -> int:
        """Return the last tick taken, -1 before the first."""
        return self.tally.last_tick

    def missing(self, following: int) -> None:
        """Go on with message ``following``, without a state until a checkpoint brings one."""
        self._replica = None
        self._frames = FrameVerifier.behind_gap(following)
        self.position = following - 1

    def take(self, message: JournalMessage, where: str) -> None:
        """Take the next message, which came from ``where``; what is wrong with it is a finding."""
        tally = self.tally
        if self.position == 0 and message.sequence == 1:
            self._replica = Replica(self._make_data, self._make_user_data)
            self._verifier = AuditVerifier()
        elif self.position == 0:
            self.missing(message.sequence)
        before = tally.last_tick
        try:
            first, last = self._accept(message, where)
        except JournalDamaged as error:
            self._found("batch", where, error.reason, message.sequence, before + 1)
            self.missing(message.sequence + 1)
            return
        self.position = message.sequence
        tally.batches += 1
        tally.ticks += last - first + 1
        tally.first_tick = first if tally.first_tick < 0 else tally.first_tick
        tally.last_tick = last
        if message.sequence in self._at:
            self._pass_checkpoint(self._at[message.sequence])

    # ------------------------------------------------------------------------------ inside

    def _accept(self, message: JournalMessage, where: str) -> tuple[int, int]:
        replica = self._replica
        if replica is None:
            stored = self._frames.accept(message)
            self.chain = self._frames.chain
            self.tally.unproven += stored.last_sequence - stored.first_sequence + 1
            return stored.first_sequence, stored.last_sequence
        batch = self._verifier.accept(message)
        self.chain = self._verifier.chain
        try:
            replica.apply_all(batch.ticks, 0, len(batch.ticks))
        except Exception as error:
            reason = f"tick {replica.sequence + 1} cannot be applied: {type(error).__name__}: {error}"
            raise JournalDamaged(message.stream, message.sequence, reason) from error
        self._compare(batch, replica, message.sequence, where)
        return batch.head.first_sequence, batch.head.last_sequence

    def _compare(self, batch: AuditBatch, replica: Replica, position: int, where: str) -> None:
        head, tally = batch.head, self.tally
        if not head.core_hash and not head.user_hash:
            return
        own: StateHash = replica.hash()
        if own.version != head.hash_version or not head.user_hash or not own.user:
            tally.hashes_not_verified += own.core == head.core_hash
        if own.version == head.hash_version:
            for name, said, found in (("core", head.core_hash, own.core), ("user", head.user_hash, own.user)):
                if said and found and said != found:
                    tally.hashes_unequal += 1
                    reason = f"the engine recorded the {name} hash {said}, its ticks give {found}"
                    self._found("hash", where, reason, position, head.last_sequence)
                    return
            tally.hashes_equal += bool(head.user_hash and own.user)

    def _list_checkpoints(self, checkpoints: Checkpoints) -> None:
        for sequence in checkpoints.sequences():
            try:
                self._at[checkpoints.head(sequence).position] = sequence
            except CheckpointDamaged as error:
                damage = error.damage
                self._found("checkpoint", damage.path.name, damage.reason, 0, sequence)

    def _pass_checkpoint(self, sequence: int) -> None:
        """Compare the checkpoint at this tick with our state, or take our state from it."""
        assert self._checkpoints is not None
        name = self._checkpoints.path(sequence).name
        try:
            head, snapshot = self._checkpoints.read(sequence, self._make_data, self._make_user_data)
        except CheckpointDamaged as error:
            self._found("checkpoint", name, error.damage.reason, self.position, sequence)
            return
        if (head.position, head.sequence, head.chain) != (self.position, self.sequence, self.chain):
            reason = f"it is of tick {head.sequence} in batch {head.position}, with another history"
            self._found("checkpoint", name, reason, self.position, sequence)
            return
        self.tally.checkpoints += 1
        if self._replica is not None:
            own, said = self._replica.hash(), snapshot.head.hash
            if own.version == said.version and own.core != said.core:
                reason = f"it holds the state {said.core}, the journal gives {own.core}"
                self._found("checkpoint", name, reason, self.position, sequence)
            return
        self._replica = Replica(self._make_data, self._make_user_data)
        self._replica.resume(snapshot.state, head.sequence, head.time_ns, snapshot.started)
        self._verifier = AuditVerifier(
            position=head.position,
            chain=head.chain,
            sequence=head.sequence,
            bounds=bounds_of(snapshot.state.index),
            engine_id=head.engine_id,
            engine_epoch=head.engine_epoch,
        )

    def _found(self, kind: str, where: str, reason: str, position: int, sequence: int) -> None:
        self.tally.findings.append(Finding(kind, where, reason, position, position, sequence))
