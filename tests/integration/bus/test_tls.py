"""The bus over an encrypted connection, which is what it uses off this machine."""

import asyncio
import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.bus_events import EventLog
from tests.support.nats_server import ServerFactory
from tests.support.waiting import eventually
from tradebus.bus.errors import ConnectFailed
from tradebus.bus.events import Reconnected
from tradebus.bus.nats_bus import NatsBus


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with a key and a certificate for this machine that signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on the path to make a certificate with")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem"), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return tmp_path


async def test_everything_works_encrypted_across_a_kill(new_nats_server: ServerFactory, certificate: Path) -> None:
    extra = f'tls {{ cert_file: "{certificate / "cert.pem"}", key_file: "{certificate / "key.pem"}" }}'
    server = await asyncio.to_thread(new_nats_server, extra)
    trusting = replace(server.options(), tls=ssl.create_default_context(cafile=str(certificate / "cert.pem")))
    await server.provision(("e",), options=trusting)
    log = EventLog()
    bus = await NatsBus.connect(trusting, listener=log)
    got: list[int] = []
    try:
        await bus.append("audit.e", bytes(500_000), expected_last_sequence=0)
        await bus.consume("AUDIT_e", 1, lambda message: got.append(message.sequence))
        server.kill()
        await asyncio.to_thread(server.start)
        await log.wait_for(Reconnected, 3)
        await bus.append("audit.e", bytes(500_000), expected_last_sequence=1)
        await eventually(lambda: got == [1, 2])
    finally:
        await bus.close()


async def test_a_server_that_cannot_prove_its_name_is_not_trusted(
    new_nats_server: ServerFactory, certificate: Path
) -> None:
    extra = f'tls {{ cert_file: "{certificate / "cert.pem"}", key_file: "{certificate / "key.pem"}" }}'
    server = await asyncio.to_thread(new_nats_server, extra)
    doubting = replace(server.options(), tls=ssl.create_default_context())
    with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
        await NatsBus.connect(doubting, timeout_s=1)
