"""Let somebody else write into the journals of a running demo: nobody writes behind it, and everybody says so."""

import asyncio
from pathlib import Path

import pytest

from services.supervisor import RestartPolicy, SupervisorError
from tests.support.attack import Intruder
from tests.support.demo import PATIENCE_S, Demo, demo_settings, running
from tests.support.system import until
from tradebus.wire import subjects

pytestmark = pytest.mark.timeout(400)

QUICK = RestartPolicy(wait_initial_s=0.05, wait_max_s=0.1, crashes_max=1, window_s=600)
NOISE = b"\xff nobody's record"


async def wait_given_up(demo: Demo) -> str:
    """Wait until the supervisor gives up, as `make up` then ends with status 1; return what it says."""
    with pytest.raises(SupervisorError) as given_up:
        async with asyncio.timeout(PATIENCE_S):
            await demo.supervisor.wait()
    return str(given_up.value)


async def wait_logged(demo: Demo, name: str, words: str) -> None:
    async def logged() -> bool:
        return words in await demo.log(name)

    await until(logged, f"{name} logs {words!r}", PATIENCE_S)


async def test_a_foreign_record_in_an_account_journal_ends_trading_on_it_loudly(tmp_path: Path) -> None:
    async with running(tmp_path, demo_settings("nats.users=false"), QUICK) as demo:
        await demo.wait_connected()
        await demo.wait_fills(3)
        account = demo.settings.account(demo.settings.exchanges[0])
        stream = subjects.acct_stream(account)
        async with await Intruder.connect(demo.supervisor.nats_url) as intruder:
            intruder.publish(subjects.acct(account), NOISE)
            assert await intruder.settle() == ""
        said = await wait_given_up(demo)
        last = await demo.bus.last_message(stream)
        assert last is not None
        assert last.payload == NOISE, "somebody wrote behind a message that nobody can read"
        assert "giving up. Its last error: " in said
        assert "Its log: " in said
        damage = f"{stream}, message {last.sequence}: expected the header Tb-Crc32c"
        await wait_logged(demo, "engine", damage)
        # Without an engine there is nothing to append, and so the owner does not look; it does when it starts.
        await demo.supervisor.restart("execution")
        await wait_logged(demo, "execution", damage)
        after = await demo.bus.last_message(stream)
        assert after is not None
        assert after.sequence == last.sequence
        audit = await demo.data("audit")
        assert audit["is_exact"] is True
        assert audit["verification"]["unequal"] == 0


async def test_a_batch_written_twice_into_the_audit_journal_is_noticed_by_everybody(tmp_path: Path) -> None:
    async with running(tmp_path, demo_settings("nats.users=false"), QUICK) as demo:
        await demo.wait_connected()
        await demo.wait_fills(3)
        subject, stream = subjects.audit(demo.engine_id), subjects.audit_stream(demo.engine_id)
        genuine = await demo.bus.last_message(stream)
        assert genuine is not None
        async with await Intruder.connect(demo.supervisor.nats_url) as intruder:
            intruder.publish(subject, genuine.payload, genuine.headers)
            assert await intruder.settle() == ""
        said = await wait_given_up(demo)
        assert "giving up. Its last error: " in said
        assert "Its log: " in said
        await wait_logged(demo, "engine", "another writer was here")
        await wait_logged(demo, "execution", f"{stream}, message ")
        await wait_logged(demo, "audit", "the journal cannot be followed any further")
        ready, reasons = await demo.ready("audit")
        assert not ready
        assert reasons["replica"].startswith("stopped at sequence ")
        verification = (await demo.api("/v1/state"))["verification"]
        assert verification["equal"] is False
        assert verification["reason"] == reasons["replica"]
        last = await demo.bus.last_message(stream)
        assert last is not None
        assert last.payload == genuine.payload, "somebody wrote behind a batch that does not belong there"
        letters = [letter for letter in await demo.dead_letters() if letter.service == "audit"]
        assert [letter.payload for letter in letters] == [genuine.payload]
