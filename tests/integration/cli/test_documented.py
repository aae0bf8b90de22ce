"""What the pages on commands, the client and the command line tell to type, works."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from services.audit.api.access import Role, role_of
from services.audit.api.resources.commands import router
from tests.support.api_server import Served, served_api

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("commands.md", "client.md", "cli.md")
LIMIT_S = 60.0


def blocks(page: str) -> list[tuple[str, str]]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with served_api() as made:
        yield made


async def run(served: Served, kind: str, block: str) -> str:
    """Run a block; the addresses in it are those of the demo."""
    block = block.replace("http://127.0.0.1:8000", served.url).replace("127.0.0.1:50051", served.grpc_target)
    tradebus = f'tradebus() {{ "{sys.executable}" -m tradebus.cli "$@"; }}'
    command = [sys.executable, "-c", block]
    if kind == "sh":
        command = ["bash", "-c", f"set -e\n{tradebus}\n{block}"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TRADEBUS_URL": served.url,
        "TRADEBUS_KEY": served.key,
    }
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 0, f"{block}\n{said.decode()}\n{complained.decode()}"
    return said.decode()


@pytest.mark.parametrize("page", PAGES)
async def test_what_the_page_shows_works(served: Served, page: str) -> None:
    found = blocks(page)
    assert found
    for kind, block in found:
        said = await run(served, kind, block)
        assert '"urn:tradebus:problem' not in said, said
    if page == "cli.md":
        assert served.api.fold.state.trading.name == "DISABLED", "killed"


def test_roles_in_the_table_are_those_of_the_routes() -> None:
    roles = {route.path: role_of(route.dependant) for route in router.routes if isinstance(route, APIRoute)}
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"`(?:POST|GET) (/v1/commands/[^`]+)` \|.*\| (\w+) \|$", text, re.MULTILINE)
    assert {path: Role(role) for path, role in rows} == roles
