"""Ask a service whether it is well: the health check of the images, which hold no curl.

``python -m services.health http://127.0.0.1:8080/health/ready`` ends with 0 when the answer is 200, with 1 when it is
another one, or none; the one line it prints says which. Docker keeps that line (`docker inspect`), so it is short.
"""

import argparse
import http.client
import sys
from urllib.parse import urlsplit

TIMEOUT_S = 3.0
REASON_CHARS_MAX = 300


def main(arguments: list[str] | None = None) -> int:
    """Ask once, print the reason in one line, return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.health", description="Ask a service for its health.")
    parser.add_argument("url", help="what to ask, http://127.0.0.1:8080/health/ready for instance")
    parser.add_argument("--timeout-s", type=float, default=TIMEOUT_S, help="how long to wait (default %(default)s)")
    options = parser.parse_args(arguments)
    is_well, reason = ask(options.url, options.timeout_s)
    print(reason)
    return 0 if is_well else 1


def ask(url: str, timeout_s: float = TIMEOUT_S) -> tuple[bool, str]:
    """Return whether ``url`` answers 200 within the time, and the reason in one line."""
    try:
        address = urlsplit(url)
        host, port = address.hostname, address.port
    except ValueError as error:
        return False, f"expected http://host:port/path, found {url!r} ({error})"
    if address.scheme != "http" or host is None:
        return False, f"expected http://host:port/path, found {url!r}"
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    path = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read(4 * REASON_CHARS_MAX).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"{url}: no answer ({type(error).__name__}: {error})"
    finally:
        connection.close()
    reason = " ".join(f"{url}: {answer.status} {answer.reason} {body}".split())
    return answer.status == http.client.OK, reason[:REASON_CHARS_MAX]


if __name__ == "__main__":
    sys.exit(main())
