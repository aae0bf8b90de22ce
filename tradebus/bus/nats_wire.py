"""Bytes of the NATS protocol that we write ourselves, and the little of its text that we read.

Written here and not by the client library because its ``publish`` is a coroutine, does not count headers when it
checks the size, and replaces line breaks in header values instead of refusing them.
"""

import re
from typing import Final

from tradebus.bus.errors import PayloadTooLarge
from tradebus.bus.header_block import header_block
from tradebus.bus.matching import checked_subject
from tradebus.bus.message import Headers

STATUS: Final = "Status"
DESCRIPTION: Final = "Description"
NO_RESPONDERS: Final = "503"
CONTROL: Final = "100"

_SERVER_HEADER: Final = "Nats-"
_PERMISSIONS: Final = re.compile(r'permissions violation for (publish|subscription) to "?([^"\s]+)"?')


def publish_command(subject: str, reply: str, payload: bytes, headers: Headers | None, bytes_max: int) -> bytes:
    """Return the command that publishes a message; ``reply`` is empty where no answer is awaited.

    Raises InvalidSubject, InvalidHeader or PayloadTooLarge.
    """
    target = f"{checked_subject(subject)} {reply} " if reply else f"{checked_subject(subject)} "
    if not headers:
        if len(payload) > bytes_max:
            raise PayloadTooLarge(subject, len(payload), bytes_max)
        return b"PUB %b%d\r\n%b\r\n" % (target.encode(), len(payload), payload)
    block = header_block(headers)
    total = len(block) + len(payload)
    if total > bytes_max:
        raise PayloadTooLarge(subject, total, bytes_max)
    return b"HPUB %b%d %d\r\n%b%b\r\n" % (target.encode(), len(block), total, block, payload)


def writer_headers(headers: Headers | None) -> Headers | None:
    """Return the headers of a stored message as its writer gave them: the server keeps its instructions among them."""
    if not headers:
        return None
    return {name: value for name, value in headers.items() if not name.startswith(_SERVER_HEADER)} or None


def parse_permission_violation(text: str) -> tuple[str, str] | None:
    """Return what was refused (``publish`` or ``subscription``) and its subject, None if that is not what it says.

    The library hands the server's text over in lower case, the subject included.
    """
    found = _PERMISSIONS.search(text.lower())
    return None if found is None else (found.group(1), found.group(2))
