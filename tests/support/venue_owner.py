"""Run the execution service for one account at the scripted venue: ``python -m tests.support.venue_owner``.

The account, the venue's port and a bug to plant come by the environment, everything else as for every service.
"""

import os

from services.execution.resolving import ResolvePolicy
from services.execution.venue_execution import VenueExecution, VenueSetup
from services.runtime import Runtime, Service, main
from services.runtime.nats import connector
from tests.support.scripted_venue import ScriptedVenue
from tests.support.venue_plants import PLANTS
from tradebus.core.model.identifiers import ExchangeIndex

ACCOUNT, PORT, PLANT = "TEST_ACCOUNT", "TEST_VENUE_PORT", "TEST_PLANT"
POLICY = ResolvePolicy(clean_queries=3, clean_s=0.3, query_period_s=0.1, poll_period_s=0.1)


async def bootstrap(runtime: Runtime) -> Service:
    bus = await runtime.connect(connector(runtime.settings, "execution", runtime.instance))
    venue = ScriptedVenue(int(os.environ[PORT]))
    return VenueExecution(runtime, bus, [VenueSetup(os.environ[ACCOUNT], ExchangeIndex(0), venue)], POLICY)


if __name__ == "__main__":
    if plant := os.environ.get(PLANT):
        PLANTS[plant]()
    raise SystemExit(main("execution", bootstrap))
