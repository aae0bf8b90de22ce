"""Kill the owner of a venue account, again and again, while an engine's outbox sends orders through it.

The venue is a process of its own with a durable record; it answers some requests late, some never, and drops some. At
the end no order was sent twice, and none is without a final report that agrees with the venue's record.

``python -m tests.chaos.venue_trials`` runs the full number.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from services.engine.outbox import Outbox
from services.runtime.ports import free_ports
from services.supervisor.process import Child
from tests.support.demo import ROOT
from tests.support.nats_server import NatsServer
from tests.support.scripted_venue import Recorded, read_record
from tests.support.system import until
from tests.support.venue_owner import ACCOUNT as ACCOUNT_VARIABLE
from tests.support.venue_owner import PLANT as PLANT_VARIABLE
from tests.support.venue_owner import PORT as PORT_VARIABLE
from tradebus.bus.message import JournalMessage
from tradebus.bus.nats_bus import NatsBus
from tradebus.core.engine.audit.tick import AuditTick, Origin, RequestsDecided
from tradebus.core.engine.event import (
    AccountEvent,
    ClockAdvanced,
    OrderReceived,
    RequestInDoubt,
    RequestNeverReceived,
    TradeReceived,
)
from tradebus.core.model.identifiers import ClientOrderId, ExchangeIndex, InstrumentIndex, StrategyId
from tradebus.core.model.order import (
    Open,
    OpenFailed,
    OrderKey,
    OrderKind,
    OrderRequestCancel,
    OrderRequestOpen,
    RequestKind,
    TimeInForce,
)
from tradebus.core.model.side import Side
from tradebus.crash_points import VARIABLE, VENUE_POINTS
from tradebus.journal.verify import AccountVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.account_journal import Intent, Ownership
from tradebus.wire.codec.bounds import UNBOUNDED

KILLS_FULL = 36
ACCOUNT = "venue-test"
OWNERS = ("owner-1", "owner-2")
ORDERS_PER_KILL = 12
CANCELS = 0.3
AT_POINTS = 0.6
MOVED_S = 20.0
SETTLED_S = 60.0
ALPHA = ExchangeIndex(0)


@dataclass
class VenueReport:
    """What the journal told, and what the trials counted."""

    kills: Counter[str] = field(default_factory=Counter)
    orders: dict[str, str] = field(default_factory=dict)
    """The last report of each order, by client order id; empty while there is none."""
    trades: list[str] = field(default_factory=list)
    intents: Counter[str] = field(default_factory=Counter)
    owners: list[str] = field(default_factory=list)
    doubts: int = 0
    record: list[Recorded] = field(default_factory=list)

    def take(self, record: object) -> None:
        """Take in one entry of the account's journal."""
        if isinstance(record, Ownership):
            self.owners.append(record.owner)
        elif isinstance(record, Intent) and isinstance(record.request, OrderRequestOpen):
            self.intents[record.request.key.cid] += 1
        elif isinstance(record, AccountEvent):
            self._take_event(record)

    def _take_event(self, event: AccountEvent) -> None:
        data = event.data
        if isinstance(data, OrderReceived):
            state = data.order.state
            self.orders[data.order.key.cid] = "refused" if isinstance(state, OpenFailed) else type(state).__name__
        elif isinstance(data, RequestNeverReceived) and data.request is RequestKind.OPEN:
            self.orders[data.key.cid] = "never"
        elif isinstance(data, RequestInDoubt):
            self.doubts += 1
        elif isinstance(data, TradeReceived):
            self.trades.append(data.trade.id)

    def is_final(self) -> bool:
        return all(self.orders.values())

    def check(self) -> None:
        """Check what is promised: at most once, and a final report for each, the one that the venue's record gives."""
        submitted = Counter(line.cid for line in self.record if line.op == "submit")
        filled = {line.cid for line in self.record if line.op == "submit" and Decimal(line.filled)}
        twice = {cid: count for cid, count in submitted.items() if count > 1}
        assert not twice, f"sent twice: {twice}"
        assert max(self.intents.values()) == 1, "an order was intended twice"
        vanished = [cid for cid, report in self.orders.items() if not report]
        assert not vanished, f"without a final report: {vanished}"
        for cid, report in self.orders.items():
            at_venue = cid in submitted
            agrees = at_venue == (report not in {"never", "refused"}) and (report != "FullyFilled" or cid in filled)
            assert agrees, f"journal and venue do not agree on {cid}: told {report}, at the venue: {at_venue}"
        assert set(submitted) <= set(self.orders), "the venue has an order that no engine asked for"
        assert len(self.trades) == len(set(self.trades)) == len(filled), "a fill is lost or doubled"

    def table(self) -> str:
        how = Counter(line.how for line in self.record)
        ends = Counter(self.orders.values())
        return (
            f"{sum(self.kills.values())} kills {dict(self.kills)}; {len(self.orders)} orders {dict(ends)}; "
            f"venue {dict(how)}; {self.doubts} doubts resolved; {len(self.trades)} fills; {len(self.owners)} owners"
        )


class Trial:
    """A broker, a venue, two processes that may own the account, and an outbox that stands for the engine."""

    def __init__(self, folder: Path, server: NatsServer, seed: int, planted: str) -> None:
        self.folder = folder
        self.planted = planted
        self.server = server
        self.rng = random.Random(seed)
        self.report = VenueReport()
        self.plan = folder / "plan"
        self.owners: dict[str, Child] = {}
        self.port = 0
        self._tick = 0

    async def start_venue(self, seed: int) -> Child:
        command = (sys.executable, "-m", "tests.support.scripted_venue", str(self.folder), str(seed))
        child = await Child.spawn("venue", command, os.environ, ROOT, self.folder / "venue.log")

        async def listens() -> bool:
            return (self.folder / "port").exists()

        await until(listens, "the venue listens")
        self.port = int((self.folder / "port").read_text())
        return child

    async def start_owner(self, name: str) -> None:
        (port,) = free_ports(1)
        environment = dict(os.environ) | {
            "TRADEBUS_CONFIG": str(ROOT / "config" / "tradebus.toml"),
            "TRADEBUS__NATS__URL": self.server.url,
            "TRADEBUS__RUNTIME__INSTANCE": name,
            "TRADEBUS__RUNTIME__DATA_DIR": str(self.folder / name),
            "TRADEBUS__RUNTIME__HTTP__EXECUTION": f"127.0.0.1:{port}",
            ACCOUNT_VARIABLE: ACCOUNT,
            PORT_VARIABLE: str(self.port),
            PLANT_VARIABLE: self.planted,
            VARIABLE: f"@{self.plan}",
        }
        command = (sys.executable, "-m", "tests.support.venue_owner")
        self.owners[name] = await Child.spawn(name, command, environment, ROOT, self.folder / f"{name}.log")

    def decide(self, outbox: Outbox) -> None:
        """Decide on an order, and perhaps on the cancel of one that is open, as an engine would."""
        self._tick += 1
        cid = ClientOrderId(f"demoe1s{self._tick}n1")
        key = OrderKey(ALPHA, InstrumentIndex(self._tick % 3), StrategyId("s"), cid)
        opened = OrderRequestOpen(
            key, Side.BUY, Decimal(100), Decimal(1), OrderKind.LIMIT, TimeInForce.GOOD_UNTIL_CANCELLED
        )
        self.report.orders[cid] = ""
        live = [known for known, report in self.report.orders.items() if report == Open.__name__]
        cancels: tuple[OrderRequestCancel, ...] = ()
        if live and self.rng.random() < CANCELS:
            of = OrderKey(ALPHA, InstrumentIndex(0), StrategyId("s"), ClientOrderId(self.rng.choice(live)))
            cancels = (OrderRequestCancel(of, None),)
        decided = RequestsDecided(Origin.ALGO, StrategyId("s"), cancels, (opened,), (), (), (), ())
        outbox.take(AuditTick(self._tick, self._tick, ClockAdvanced(), (decided,), ()), 1)
        outbox.durable(self._tick)

    async def kill_owner(self, outbox: Outbox) -> None:
        """Kill whoever owns the account now, under load: at a named place, or at any instant; then start it again."""
        name = self.report.owners[-1]
        child = self.owners[name]
        begin, more = self._lines(), self.rng.randint(2, ORDERS_PER_KILL)

        async def carried_out() -> bool:
            self.decide(outbox)
            return self._lines() >= begin + more

        await until(carried_out, "some requests are carried out", MOVED_S)
        if self.rng.random() < AT_POINTS:
            point = self.rng.choice(VENUE_POINTS)
            self.plan.write_text(f"{point}:{self.rng.randint(1, 3)}")

            async def died() -> bool:
                self.decide(outbox)
                return child.returncode is not None

            await until(died, f"{name} dies at {point}", SETTLED_S)
        else:
            point = "any instant"
            child.kill_now()
        await child.kill()
        self.report.kills[point] += 1
        await self.start_owner(name)

    def _lines(self) -> int:
        path = self.folder / "venue.jsonl"
        return len(path.read_text().splitlines()) if path.exists() else 0


async def run_trial(folder: Path, server: NatsServer, seed: int, kills: int, planted: str = "") -> VenueReport:
    """Kill so many owners, wait for the last report, and return what there is to check.

    ``planted`` names a bug to put into the owners.
    """
    await server.provision(("demo",), (ACCOUNT,))
    trial = Trial(folder, server, seed, planted)
    async with AsyncExitStack() as stack:
        venue = await trial.start_venue(seed)
        stack.push_async_callback(venue.kill)
        bus = await NatsBus.connect(server.options("engine"))
        stack.push_async_callback(bus.close)
        outbox = Outbox(bus, "demo", {ALPHA: ACCOUNT})
        verifier = AccountVerifier(UNBOUNDED)

        def take(message: JournalMessage) -> None:
            for entry in verifier.accept(message).entries:
                outbox.note(entry.record)
                trial.report.take(entry.record)

        reader = await bus.consume(subjects.acct_stream(ACCOUNT), 1, take)
        stack.push_async_callback(reader.stop)
        for name in OWNERS:
            await trial.start_owner(name)

        async def end_owners() -> None:
            for child in trial.owners.values():
                await child.kill()

        stack.push_async_callback(end_owners)

        async def owned() -> bool:
            return bool(trial.report.owners)

        await until(owned, "somebody owns the account", MOVED_S)
        sending = asyncio.create_task(outbox.run())
        stack.callback(sending.cancel)
        for _ in range(kills):
            before = len(trial.report.owners)
            await trial.kill_owner(outbox)

            async def followed(before: int = before) -> bool:
                return len(trial.report.owners) > before

            await until(followed, "another process owns the account", MOVED_S)

        async def final() -> bool:
            assert not sending.done(), sending
            assert reader.failure is None, reader.failure
            trial.report.record = read_record(folder / "venue.jsonl")
            filled = sum(1 for line in trial.report.record if line.op == "submit" and Decimal(line.filled))
            return trial.report.is_final() and outbox.pending == 0 and len(trial.report.trades) >= filled

        await until(final, "every order has a final report", SETTLED_S)
    trial.report.record = read_record(folder / "venue.jsonl")
    return trial.report


def main() -> int:
    """Run the full number of kills, print the table, and return the exit status: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.venue_trials")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=KILLS_FULL)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tradebus-venue-") as folder:
        server = NatsServer(Path(folder) / "nats")
        try:
            report = asyncio.run(run_trial(Path(folder), server, arguments.seed, arguments.kills))
        finally:
            server.stop()
    print(report.table(), flush=True)
    report.check()
    wanted = {*VENUE_POINTS, "any instant"} if arguments.kills >= KILLS_FULL else set()
    never = sorted(wanted - set(report.kills))
    if never:
        print(f"never happened: {', '.join(never)}", flush=True)
    return 1 if never else 0


if __name__ == "__main__":
    raise SystemExit(main())
