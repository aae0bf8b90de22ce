"""Run a service whose connection keeps what it could not send, as the client library does: a planted bug.

``python -m tests.support.buffering`` is the market service with it. What was to go out while there was no
connection goes out when there is one again, however late that is.
"""

import sys

from services.market.bootstrap import bootstrap
from services.runtime import main
from tradebus.bus.message import Headers
from tradebus.bus.nats_client import LinkClient
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_wire import publish_command


def leave_buffering_on() -> None:
    """Let the connection take messages while it is down, and forget nothing when it is lost."""

    def send(self: NatsLink, subject: str, payload: bytes, headers: Headers | None = None, reply: str = "") -> bool:
        self._client.send(publish_command(subject, reply, payload, headers, self._bytes_max))
        return True

    def keep(self: LinkClient) -> None:
        """Forget nothing."""

    NatsLink.send = send  # type: ignore[method-assign]
    LinkClient.discard_outbound = keep  # type: ignore[method-assign]


if __name__ == "__main__":
    leave_buffering_on()
    sys.exit(main("market", bootstrap))
