"""Run inside a container of the audit service: hold the fills of the accounts' journals against those the engine took.

    docker compose exec -T audit python - < tests/support/container_check.py

Every journal is verified from the first message there is. Prints one line of JSON: how many fills there are, which
stand twice in the accounts' journals, which the engine took twice, and which it did not take although there was time.
"""

import asyncio
import json
from collections import Counter

from services.runtime.nats import connector
from tradebus.bus.interface import Bus
from tradebus.bus.message import JournalHandler, JournalMessage
from tradebus.config import Flags, load_settings
from tradebus.core.engine.event import AccountEvent, TradeReceived
from tradebus.journal.verify import AccountVerifier, AuditVerifier
from tradebus.wire import subjects
from tradebus.wire.codec.bounds import UNBOUNDED

PATIENCE_S = 20.0

Fills = Counter[tuple[int, int, str]]
"""By instrument, cause and the exchange's id."""


def note(fills: Fills, event: object) -> None:
    """Count a fill."""
    if isinstance(event, AccountEvent) and isinstance(event.data, TradeReceived):
        fills[int(event.data.trade.instrument), event.cause, event.data.trade.id] += 1


async def read_account(bus: Bus, account: str, fills: Fills) -> None:
    """Read what an account's journal holds now."""
    verifier = AccountVerifier(UNBOUNDED)

    def take(message: JournalMessage) -> None:
        for entry in verifier.accept(message).entries:
            note(fills, entry.record)

    await read(bus, subjects.acct_stream(account), take)


async def read(bus: Bus, stream: str, take: JournalHandler) -> None:
    """Read what a stream holds now."""
    reader = await bus.consume(stream, 1, take)
    try:
        await reader.wait_caught_up()
    finally:
        await reader.stop()


async def main() -> None:
    """Compare, and print."""
    settings = load_settings(Flags())
    bus = await connector(settings, "audit", "check")(lambda event: None)
    told, taken = Fills(), Fills()
    for exchange in settings.exchanges:
        await read_account(bus, settings.account(exchange), told)
    verifier = AuditVerifier()
    has_all = asyncio.Event()

    def take(message: JournalMessage) -> None:
        for tick in verifier.accept(message).ticks:
            note(taken, tick.event)
        if told.keys() <= taken.keys():
            has_all.set()

    reader = await bus.consume(subjects.audit_stream(settings.journal_id), 1, take)
    try:
        await asyncio.wait_for(has_all.wait(), PATIENCE_S)
    except TimeoutError:
        pass  # what is missing is printed
    finally:
        await reader.stop()
    await bus.close()
    found = {
        "fills": len(told),
        "told_twice": sorted(key for key, count in told.items() if count > 1),
        "taken_twice": sorted(key for key, count in taken.items() if count > 1),
        "not_taken": sorted(told.keys() - taken.keys()),
    }
    print(json.dumps(found))


asyncio.run(main())
