"""What docs/api.md shows is what the API answers: every line that asks, and every field that stands below it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.audit.fold import Fold
from tests.support.audit_api import AuditApi
from tests.support.audit_run import EngineRun, messages_of
from tests.support.past import LocalPast, archive_run

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```sh\ncurl -s 'localhost:8000([^']+)'\n```\n\n```json\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
async def page_api(trading_run: EngineRun, trading_folded: Fold, tmp_path: Path) -> AsyncIterator[AuditApi]:
    archive_run(tmp_path, messages_of(trading_run.batches()), checkpoint_every=40)
    async with AuditApi(trading_folded, reads=LocalPast(tmp_path)) as made:
        await made.store(trading_run.batches())
        yield made


def test_every_question_of_the_page_has_an_answer() -> None:
    assert len(SHOWN) >= 5
    assert PAGE.count("```sh") == len(SHOWN)


@pytest.mark.parametrize(("path", "shown"), SHOWN, ids=[path for path, _ in SHOWN])
async def test_the_page_shows_what_is_answered(page_api: AuditApi, path: str, shown: str) -> None:
    answer = (await page_api.get(path)).json()
    _check(json.loads(shown), answer, path)


def _check(shown: Any, found: Any, where: str) -> None:
    """Fail where something shown is not in the answer; fields may be left out, items of lists may not."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in found, f"{where}/{name}"
            _check(value, found[name], f"{where}/{name}")
    elif isinstance(shown, list):
        assert len(shown) == len(found), where
        for number, (one, other) in enumerate(zip(shown, found, strict=True)):
            _check(one, other, f"{where}/{number}")
    else:
        assert shown == found, where


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
