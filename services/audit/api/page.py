"""Serve the API page: Swagger UI from files that come with the installation, nothing from elsewhere."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from services.audit.api.security import CSP

DOCS: Final = "/docs"
FILES: Final = "/docs/files"

_FOLDER: Final = Path(fastapi_offline.__file__).parent / "static"
_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI, openapi_url: str) -> None:
    """Add the page, its files, and the way there from `/`."""
    app.mount(FILES, StaticFiles(directory=_FOLDER), name="docs-files")
    html = bytes(
        get_swagger_ui_html(
            openapi_url=openapi_url,
            title=f"{app.title} API",
            oauth2_redirect_url=None,
            swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{FILES}/swagger-ui.css",
            swagger_favicon_url=f"{FILES}/favicon.png",
            swagger_ui_parameters={"deepLinking": True, "defaultModelsExpandDepth": -1, "displayRequestDuration": True},
        ).body
    ).decode()
    policy = page_policy(html)

    @app.get(DOCS, include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(html, headers={CSP: policy, "Cache-Control": "no-cache"})

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse(DOCS)


def page_policy(html: str) -> str:
    """Return the content policy under which the page works: its own files, and its inline scripts by their hashes."""
    scripts = " ".join(f"'sha256-{_hash(script)}'" for script in _INLINE_SCRIPT.findall(html))
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()
