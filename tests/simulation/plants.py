"""Bugs to be planted, one at a time, that the simulator must catch. None of them is ever in the code itself.

The numbers are those under which the bugs of such systems are known here; see `docs/guarantees.md`.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns as machine_ns
from typing import Any
from unittest.mock import patch

from services.audit.fold import Fold
from services.engine.command_inlet import CommandInlet
from services.engine.outbox import Outbox
from services.engine.stepper import Stepper
from services.engine.trading_policy import TradingPolicy
from services.execution.account import PaperAccount
from services.execution.resolving import Resolver
from services.execution.venue_account import VenueAccount
from tests.simulation.disk import Disk
from tests.simulation.network import SimulatedBus
from tests.simulation.world import World
from tradebus.bus.memory_store import MemoryStream
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.engine.state.commands import CommandLog
from tradebus.core.strategy.interface import Decision
from tradebus.journal.archive import checkpoints
from tradebus.journal.archive.durable import sync_folder
from tradebus.journal.sealed import SealedBatch
from tradebus.journal.writer import JournalWriter
from tradebus.strategies.quoter import Quoter
from tradebus.wire import subjects

Plant = Callable[[ExitStack], None]

PLANTS: dict[str, Plant] = {}

AT_VENUES = frozenset(
    {
        "1-sent-before-the-tick-is-durable",
        "2-sent-before-the-intent-is-durable",
        "3-sent-again-after-a-crash",
        "4-timeout-taken-as-rejection",
        "5-failed-query-taken-as-nothing",
        "11-request-lives-for-ever",
    }
)
"""These concern accounts at venues."""


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """Plant a bug until the block ends; none without a name."""
    with ExitStack() as stack:
        if name is not None:
            PLANTS[name](stack)
        yield


def plant(name: str) -> Callable[[Plant], Plant]:
    """Enter a bug in the list."""

    def enter(bug: Plant) -> Plant:
        PLANTS[name] = bug
        return bug

    return enter


def swap(stack: ExitStack, owner: object, name: str, made: object) -> None:
    """Replace an attribute until the block ends."""
    stack.enter_context(patch.object(owner, name, made))


@plant("1-sent-before-the-tick-is-durable")
def _sent_at_once(stack: ExitStack) -> None:
    """A request leaves as soon as it is decided on."""
    kept = Outbox.take

    def take(self: Outbox, tick: AuditTick, epoch: int) -> None:
        kept(self, tick, epoch)
        self.durable(tick.sequence)

    swap(stack, Outbox, "take", take)


@plant("2-sent-before-the-intent-is-durable")
def _sent_before_intent(stack: ExitStack) -> None:
    """A request goes to the venue as soon as its intent is made, durable or not."""
    kept = VenueAccount._judge

    def judge(self: VenueAccount, journal: Any, requests: Any, request: Any, to_carry: list[Any]) -> Any:
        answer = kept(self, journal, requests, request, to_carry)
        while to_carry:
            self._spawn(self._carry(journal, to_carry.pop()), "request")
        return answer

    swap(stack, VenueAccount, "_judge", judge)


@plant("3-sent-again-after-a-crash")
def _sent_again(stack: ExitStack) -> None:
    """Who takes an account sends again what its predecessor left without an answer."""

    def doubt(self: VenueAccount, journal: Any, carried: Any, reason: str) -> None:
        self._spawn(self._carry(journal, carried), "request")

    swap(stack, VenueAccount, "_doubt", doubt)


@plant("4-timeout-taken-as-rejection")
def _timeout_rejects(stack: ExitStack) -> None:
    """What the venue does not answer is believed not to have happened."""

    async def run(self: Resolver) -> list[Any]:
        return [self._never("no answer in time")]

    swap(stack, Resolver, "run", run)


@plant("5-failed-query-taken-as-nothing")
def _failed_query(stack: ExitStack) -> None:
    """A query without an answer is believed to say that there is no such order, and once is enough."""
    kept = Resolver.__init__

    def make(self: Resolver, venue: Any, policy: Any, *arguments: Any) -> None:
        kept(self, venue, replace(policy, clean_queries=1, clean_s=0.0), *arguments)
        swap(stack, self, "_landed_by_ns", 0)

    swap(stack, Resolver, "__init__", make)


@plant("11-request-lives-for-ever")
def _no_time_to_live(stack: ExitStack) -> None:
    """A request is sent however old it is."""
    kept = Outbox.__init__

    def make(self: Outbox, *arguments: Any, **options: Any) -> None:
        kept(self, *arguments, **{**options, "ttl_ns": 3_600_000_000_000})

    swap(stack, Outbox, "__init__", make)


@plant("6-no-fill-key")
def _no_fill_key(stack: ExitStack) -> None:
    """Whoever takes an account does not look which events its journal holds already."""

    def see(self: PaperAccount, events: object, position: int, owner_epoch: int) -> None:
        """Forget at once what is there."""

    swap(stack, PaperAccount, "see", see)


@plant("9-no-expected-sequence")
def _no_expected_sequence(stack: ExitStack) -> None:
    """Batches are appended wherever the stream ends."""
    kept = SimulatedBus.append

    async def append(self: SimulatedBus, subject: str, payload: bytes, **options: Any) -> int:
        return await kept(self, subject, payload, **{**options, "expected_last_sequence": None})

    swap(stack, SimulatedBus, "append", append)


@plant("9-lost-copy-never-looked-for")
def _never_landed(stack: ExitStack) -> None:
    """What was not acknowledged is believed lost."""

    async def has_landed(self: JournalWriter, batch: SealedBatch) -> bool:
        return False

    swap(stack, JournalWriter, "_has_landed", has_landed)


@plant("9-every-copy-believed-stored")
def _always_landed(stack: ExitStack) -> None:
    """What was not acknowledged is believed stored."""

    async def has_landed(self: JournalWriter, batch: SealedBatch) -> bool:
        return True

    swap(stack, JournalWriter, "_has_landed", has_landed)


@plant("10-stale-owner-not-refused")
def _stale_owner(stack: ExitStack) -> None:
    """An account's journal takes whatever anybody appends who was its owner once."""
    kept = SimulatedBus.append

    async def append(self: SimulatedBus, subject: str, payload: bytes, **options: Any) -> int:
        if subject.startswith("acct."):
            options["expected_last_sequence"] = None
        return await kept(self, subject, payload, **options)

    swap(stack, SimulatedBus, "append", append)


@plant("11-expiry-not-checked")
def _no_expiry(stack: ExitStack) -> None:
    """A command is carried out however old it is."""
    kept = CommandInlet._apply

    def apply(self: CommandInlet, command: Any, position: int) -> None:
        kept(self, replace(command, expiry_ns=0), position)

    swap(stack, CommandInlet, "_apply", apply)


@plant("11-command-applied-twice")
def _no_command_keys(stack: ExitStack) -> None:
    """A command that is in its stream twice is carried out twice."""

    def knows_none(_self: CommandLog, _id: str) -> bool:
        return False

    swap(stack, CommandLog, "has", knows_none)


@plant("13-replica-skips-outputs")
def _no_outputs(stack: ExitStack) -> None:
    """The replica applies events alone."""
    kept = Fold._apply

    def apply(self: Fold, tick: AuditTick) -> None:
        kept(self, AuditTick(tick.sequence, tick.time_ns, tick.event, (), tick.errors))

    swap(stack, Fold, "_apply", apply)


@plant("14-set-order")
def _set_order(stack: ExitStack) -> None:
    """A decision comes in the order of a set."""
    kept = Quoter.generate_algo_orders

    class Ordered:
        """Something whose place in a set depends on where it lies in memory."""

    def decide(self: Quoter, *arguments: Any) -> Decision | None:
        decision = kept(self, *arguments)
        if decision is None or len(decision.opens) < 2:
            return decision
        places = {Ordered(): request for request in decision.opens}
        return Decision(opens=[places[each] for each in set(places)], cancels=decision.cancels)

    swap(stack, Quoter, "generate_algo_orders", decide)


@plant("15-machine-clock-in-step")
def _machine_clock(stack: ExitStack) -> None:
    """A step reads the machine's clock."""
    kept = Stepper._process

    def process(self: Stepper, event: Any, now_ns: int, event_bytes: bytes | None = None) -> AuditTick | None:
        return kept(self, event, now_ns + machine_ns() % 1_000, event_bytes)

    swap(stack, Stepper, "_process", process)


def _write_unsynced(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
    sync_folder(path.parent)


@plant("16-checkpoint-without-fsync")
def _unsynced_checkpoint(stack: ExitStack) -> None:
    """A checkpoint gets its name although its bytes are not on disk."""
    swap(stack, checkpoints, "replace_file", _write_unsynced)


@plant("17-checkpoint-renamed-before-fsync")
def _late_sync(stack: ExitStack) -> None:
    """A checkpoint gets its name first, and its bytes are synced a moment later."""

    def write(path: Path, content: bytes) -> None:
        _write_unsynced(path, content)

        def sync() -> None:
            if path.exists():
                with path.open("rb") as file:
                    os.fsync(file.fileno())

        asyncio.get_running_loop().call_later(1.0, sync)

    swap(stack, checkpoints, "replace_file", write)


@plant("16-archive-without-fsync")
def _unsynced_archive(stack: ExitStack) -> None:
    """The archive says what it holds although that is not on disk."""
    kept = Disk.on_fsync

    def on_fsync(self: Disk, descriptor: int) -> None:
        if "segments" not in str(Path(f"/proc/self/fd/{descriptor}").readlink().parent):
            kept(self, descriptor)

    swap(stack, Disk, "on_fsync", on_fsync)


@plant("22-discard-old")
def _discard_old(stack: ExitStack) -> None:
    """A journal that is full drops its oldest."""
    kept = MemoryStream.__init__

    def make(self: MemoryStream, spec: Any) -> None:
        is_journal = spec.name.startswith(("AUDIT_", "ACCT_"))
        kept(self, replace(spec, drop_oldest=True, bytes_max=40_000) if is_journal else spec)

    swap(stack, MemoryStream, "__init__", make)


@plant("writes-not-synced")
def _not_synced(stack: ExitStack) -> None:
    """The server acknowledges what is not on disk, and loses it with the power."""

    def lose(self: World) -> None:
        name = subjects.audit_stream(self.settings.journal_id)
        self.broker.rewind(name, max(0, self.broker.stream(name).last_sequence - 1))

    swap(stack, World, "lose_unsynced", lose)


@plant("sequence-begins-again")
def _sequence_again(stack: ExitStack) -> None:
    """An engine that begins counts its ticks from 0."""
    kept = Engine.__init__

    def make(self: Engine, *arguments: Any, **options: Any) -> None:
        kept(self, *arguments, **{**options, "sequence": 0})

    swap(stack, Engine, "__init__", make)


@plant("policy-takes-back-what-an-operator-said")
def _policy_overrules(stack: ExitStack) -> None:
    """The policy switches trading on again whoever switched it off."""
    kept = TradingPolicy.note

    def note(self: TradingPolicy, update: Any, sequence: int) -> bool:
        reason = self.reason
        is_own = kept(self, update, sequence)
        if not is_own:
            self.reason = reason
        return is_own

    swap(stack, TradingPolicy, "note", note)
