"""Who acts at this moment is known from leases and heartbeats, and forgotten with them."""

from structlog.stdlib import get_logger

from services.audit.holders import SILENT_S, Holders, Publisher
from tests.support.engine_service import ALPHA, TestMarket, engine_settings, memory_broker
from tests.support.waiting import eventually
from tradebus.bus.leases import Lease
from tradebus.bus.memory import MemoryBus
from tradebus.wire import subjects

ACCOUNT = "sim_alpha-paper"


async def test_leases_and_feeds_are_told_while_they_stand() -> None:
    settings = engine_settings()
    broker = memory_broker(settings)
    acting, watching = MemoryBus(broker), MemoryBus(broker)
    now_s = 100.0
    holders = Holders(watching, "demo", [ACCOUNT], get_logger("test"), lambda: now_s)
    await holders.run()
    assert (holders.leader(), holders.owner(ACCOUNT), holders.publisher("sim_alpha")) == (None, None, None)
    bucket = acting.bucket(subjects.LEASES)
    lead = Lease(bucket, subjects.lease_engine("demo"), "engine-1", lambda _: None)
    owner = Lease(bucket, subjects.lease_account(ACCOUNT), "execution-2", lambda _: None)
    assert await lead.acquire()
    assert await owner.acquire()
    await eventually(lambda: (holders.leader(), holders.owner(ACCOUNT)) == ("engine-1", "execution-2"))
    await owner.release()
    await eventually(lambda: holders.owner(ACCOUNT) is None)
    assert holders.leader() == "engine-1"

    index = settings.indexed_instruments()
    old, new = (TestMarket(acting, index, ALPHA, f"market-{epoch}", epoch) for epoch in (1, 2))
    old.beat()
    await eventually(lambda: holders.publisher("sim_alpha") == Publisher("market-1", 1))
    new.beat()
    await eventually(lambda: holders.publisher("sim_alpha") == Publisher("market-2", 2))
    old.beat()
    other = TestMarket(acting, index, ALPHA, "market-3", 3)
    other.subject = "md.sim_beta.0"
    other.beat()
    await eventually(lambda: holders.publisher("sim_beta") == Publisher("market-3", 3))
    assert holders.publisher("sim_alpha") == Publisher("market-2", 2), "who was replaced is not believed"
    now_s += SILENT_S + 1
    assert holders.publisher("sim_alpha") is None
    old.beat()
    await eventually(lambda: holders.publisher("sim_alpha") == Publisher("market-1", 1))
    await lead.release()
    await holders.stop()
    await acting.close(0.1)
    await watching.close(0.1)
