"""Headers as they stand on the wire, whose bytes count towards a message's size."""

import re
from typing import Final

from tradebus.bus.errors import InvalidHeader
from tradebus.bus.message import Headers

_VERSION_LINE: Final = b"NATS/1.0\r\n"
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)


def header_bytes(headers: Headers | None) -> int:
    """Return how many bytes headers take, none for none. Raises InvalidHeader."""
    return len(header_block(headers)) if headers else 0


def header_block(headers: Headers) -> bytes:
    """Return headers as they stand on the wire. Raises InvalidHeader."""
    lines = [_VERSION_LINE]
    for name, value in headers.items():
        if _NAME.fullmatch(name) is None or "\r" in value or "\n" in value:
            raise InvalidHeader(name, value)
        lines.append(f"{name}: {value}\r\n".encode())
    lines.append(b"\r\n")
    return b"".join(lines)


def parse_header_block(block: bytes) -> dict[str, str]:
    """Return the headers of a stored message; the first line is the version."""
    headers: dict[str, str] = {}
    for line in block.split(b"\r\n")[1:]:
        name, separator, value = line.partition(b":")
        if separator:
            headers[name.decode("utf-8", "replace")] = value.strip().decode("utf-8", "replace")
    return headers
