"""Follow an engine from another process, by nothing but its audit ticks.

What you get: an exact copy of the engine's state elsewhere. Each tick travels as the protobuf message of the contract
(the one that the services journal over NATS); the replica applies the event and what was decided, never calls a
strategy, and knows every order in flight. Every so often both sides compare the hash of their whole state.

    python -m examples.audit_replica
"""

import argparse
from multiprocessing import get_context
from multiprocessing.connection import Connection

from examples.simulated import engine_started, spot_index, strategy_setup, swinging_market
from tradebus.core.backtest.loop import VirtualTimeLoop, simulated_exchanges
from tradebus.core.engine.audit.replica import Replica
from tradebus.core.engine.audit.state_hash import StateHash
from tradebus.core.engine.audit.tick import AuditTick
from tradebus.core.engine.engine import Engine
from tradebus.core.model.identifiers import ExchangeId
from tradebus.core.risk.interface import RiskManager
from tradebus.strategies.loading import load_data, load_strategy
from tradebus.wire.codec.audit import tick_from_bytes, tick_to_bytes

TICKS_BETWEEN_HASHES = 500
NOT_NOW = ("", "")


def follow(ticks: Connection, report: Connection) -> None:
    """Apply ticks until there are no more, and report; this runs in the other process."""
    replica = Replica(load_data)
    compared = 0
    in_flight = 0
    while not replica.is_ended:
        payload, hash_expected = ticks.recv()
        replica.apply(tick_from_bytes(payload))
        in_flight = max(in_flight, sum(len(each.orders) for each in replica.state.instruments))
        if hash_expected != NOT_NOW:
            compared += 1
            if roots(replica.hash()) != hash_expected:
                raise SystemExit(f"the states differ after tick {replica.sequence}")
    report.send((replica.sequence, compared, in_flight, roots(replica.hash())))


def roots(state: StateHash) -> tuple[str, str]:
    """Return both hashes of a state: the engine's own part, and what strategies remember."""
    return state.core, state.user


def main() -> None:
    """Run an engine here and its replica there."""
    parser = argparse.ArgumentParser(description="Follow an engine from another process.")
    parser.add_argument("--seconds", type=int, default=600, help="of market, two events per second and instrument")
    options = parser.parse_args()

    index = spot_index(ExchangeId.SIM_ALPHA, ["btc", "eth"])
    ema = strategy_setup("ema", "tradebus.strategies.ema_cross:EmaCross", fast="3", slow="8")
    quoter = strategy_setup("quoter", "tradebus.strategies.quoter:Quoter")
    started = engine_started(index, [ema, quoter])
    engine = Engine(started, [load_strategy(setup, index) for setup in started.strategies], RiskManager())

    context = get_context("spawn")  # a fresh process: it shares nothing with this one
    ticks_there, ticks_here = context.Pipe(duplex=False)
    report_here, report_there = context.Pipe(duplex=False)
    other = context.Process(target=follow, args=(ticks_there, report_there))
    other.start()
    ticks_there.close()
    report_there.close()

    def send(tick: AuditTick) -> None:
        is_due = tick.is_terminal or tick.sequence % TICKS_BETWEEN_HASHES == 0
        ticks_here.send((tick_to_bytes(tick), roots(engine.hash()) if is_due else NOT_NOW))

    loop = VirtualTimeLoop(engine, simulated_exchanges(started), send)
    for event in swinging_market(index, options.seconds):
        loop.feed(event)
    loop.finish()
    sequence, compared, in_flight, roots_there = report_here.recv()
    other.join()
    print(f"engine: last tick {engine.sequence - 1}, hash {engine.hash().core}")
    print(f"replica: last tick {sequence}, hash {roots_there[0]}")
    print(f"compared {compared} times, at most {in_flight} active orders seen there")
    print("equal" if roots_there == roots(engine.hash()) else "NOT equal")


if __name__ == "__main__":
    main()
