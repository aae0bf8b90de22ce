"""Take NATS away for a time, killed or frozen: trading goes off and on as the policy says, and nothing is lost."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass

from tests.chaos.faults import Fault, Stage, pid_of
from tests.chaos.witness import PATIENCE_S
from tests.support.system import until
from tests.support.waiting import eventually
from tradebus.core.engine.state.trading import TradingState

KILLED, FROZEN = "killed", "frozen"
SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)
"""How long the outages of the full series last; the processes have to notice and come back besides."""
NOTICING_NS = 300_000_000
"""So long a program may go on writing into a connection whose other end is gone."""
NOTICED_S = 3.0
"""An outage that lasts so long must switch trading off: the journal has acknowledged nothing for a second."""


@dataclass(frozen=True)
class Outage(Fault):
    """No NATS for so many seconds: its process killed and started again, or stopped and let go on."""

    how: str
    seconds: float
    after: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"nats {self.how} for {self.seconds:g} s"

    async def strike(self, stage: Stage) -> None:
        """Take NATS away and give it back; what the policy did must stand in the journal."""
        await stage.witness.after(self.after)
        demo = stage.demo
        audit = stage.witness.oracles.audit
        switches = len(audit.switches)
        engine = await demo.data("engine")
        pid = await pid_of(demo, "nats")
        if self.how == KILLED:
            await demo.supervisor.kill("nats")
        else:
            os.kill(pid, signal.SIGSTOP)
        begin_ns = time.time_ns() + NOTICING_NS
        try:
            await asyncio.sleep(self.seconds)  # how long it lasts is what is tried here
            if self.seconds >= NOTICED_S:
                await until(lambda: _is_off(stage), "trading is off without NATS", PATIENCE_S)
        finally:
            if self.how == KILLED:
                audit.market_away_ns.append((begin_ns, time.time_ns()))
                await demo.supervisor.restart("nats")
            else:
                os.kill(pid, signal.SIGCONT)
        if self.seconds >= NOTICED_S:
            await check_switched(stage, switches)
        assert (await demo.data("engine"))["epoch"] == engine["epoch"], "the engine was started again"


async def _is_off(stage: Stage) -> bool:
    return (await stage.demo.data("engine")).get("trading") == "disabled"


async def check_switched(stage: Stage, before: int) -> None:
    """Return when the journal tells that the policy switched trading off and on since there were so many switches."""
    switches = stage.witness.oracles.audit.switches

    def told() -> bool:
        return len(switches) >= before + 2 and switches[-1][1].state is TradingState.ENABLED

    await eventually(told, "the journal tells that trading went off and came back", PATIENCE_S)
    origins = [update.origin for _, update in switches[before:]]
    assert all(origin.startswith("policy") for origin in origins), origins
    assert switches[before][1].state is TradingState.DISABLED, switches[before]


def series(seconds: tuple[float, ...] = SECONDS) -> list[Fault]:
    """Return an outage of each length, killed and frozen in turn."""
    return [Outage(how, each, 3) for each in seconds for how in (KILLED, FROZEN)]
