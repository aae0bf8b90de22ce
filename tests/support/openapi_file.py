"""Write the API's OpenAPI document, which is committed: ``python -m tests.support.openapi_file``."""

import asyncio
import json
from pathlib import Path

from tests.support.audit_api import AuditApi, new_fold

OPENAPI_FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


async def write_document() -> None:
    """Ask the API for its document and keep it."""
    async with AuditApi(new_fold()) as api:
        document = (await api.get("/openapi.json")).json()
    OPENAPI_FILE.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(write_document())
