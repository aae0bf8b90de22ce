"""Make a response of a kept answer, as the request takes it."""

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import Response

from services.audit.api import packing
from services.audit.api.cache import Built


def has_already(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the tag of an answer is among those that a request names, all of them for ``*``."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag in tags


def headers_of(etag: str) -> dict[str, str]:
    """Return what every answer says that has a tag."""
    return {"ETag": etag, "Cache-Control": "no-cache"}


def answer_of(built: Built, asked: Headers, *, is_last: bool) -> Response:
    """Return a kept answer, compressed or not, or that the reader has it already.

    ``is_last``: no middleware comes after it that says of a long answer that there are two forms of it.
    """
    headers = headers_of(built.etag)
    if has_already(asked.get("if-none-match"), built.etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    body, is_long = built.body, len(built.body) >= packing.BYTES_MIN
    if is_long and packing.is_taken(asked.get("accept-encoding", "")):
        body = built.packed
        headers |= {"Vary": packing.VARY, "Content-Encoding": packing.ENCODING}
    elif is_long and is_last:
        headers["Vary"] = packing.VARY
    return Response(body, headers=headers, media_type="application/json")
