"""In mode live nobody connects to a server that lets anybody in."""

from pathlib import Path
from typing import Any

import pytest

from services.runtime.nats import connector, system_of
from tests.support.audit_settings import audit_settings
from tests.support.nats_server import ServerFactory, new_nats_server
from tradebus.bus.interface import Bus
from tradebus.bus.user_keys import server_users
from tradebus.config import ConfigError, Settings
from tradebus.config.sections.modes import Mode

__all__ = ["new_nats_server"]


def live(url: str, keys: Path) -> Settings:
    settings = audit_settings(nats={"url": url, "embedded": False, "users_dir": keys})
    return settings.model_copy(update={"mode": Mode.LIVE})


async def connect(settings: Settings) -> Bus:
    return await connector(settings, "audit", "audit-1")(lambda _: None)


async def test_live_wants_a_server_that_knows_its_users(new_nats_server: ServerFactory, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    demo: Any = audit_settings()
    users = server_users(keys, system_of(demo.model_copy(update={"mode": Mode.LIVE})))
    strict = new_nats_server(users)
    bus = await connect(live(strict.url, keys))
    assert bus.is_connected
    await bus.close()
    open_to_all = new_nats_server()
    with pytest.raises(ConfigError) as caught:
        await connect(live(open_to_all.url, keys))
    (problem,) = caught.value.problems
    assert "nats.url: expected a server with users in mode `live`, which lets nobody else in, found one that" in str(
        problem
    )
