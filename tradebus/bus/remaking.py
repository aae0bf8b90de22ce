"""Make a stream anew under its name: the one way to replace what is inside, used to repair a damaged journal."""

from tradebus.bus.events import EventHub
from tradebus.bus.nats_api import JetStreamApi
from tradebus.bus.nats_link import NatsLink
from tradebus.bus.nats_options import NatsOptions

CONNECT_TIMEOUT_S = 3.0


async def remake_stream(options: NatsOptions, stream: str, first: int) -> None:
    """Delete a stream and make it again, empty, configured as it was; the first message gets the number ``first``.

    Whoever reads or writes it must be stopped. Raises ConnectFailed, NoJournal, Refused, NotSent, UnknownOutcome.
    """
    link = NatsLink("repair", options, EventHub())
    try:
        await link.open(CONNECT_TIMEOUT_S)
        api = JetStreamApi(link)
        configuration = (await api.call(f"STREAM.INFO.{stream}"))["config"]
        await api.call(f"STREAM.DELETE.{stream}")
        await api.call(f"STREAM.CREATE.{stream}", {**configuration, "first_seq": first})
    finally:
        await link.close(1.0)
