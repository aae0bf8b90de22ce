"""Serve gRPC in the service's own event loop, with health and reflection."""

import socket
from typing import Final, final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_reflection.v1alpha import reflection

from services.audit.api.access.rates import Rates
from services.audit.api.context import ApiContext, NamesCache
from services.audit.rpc.calls import Calls
from services.audit.rpc.control import Control
from services.audit.rpc.replica import Replica
from services.runtime.ports import CannotListen, Listening
from tradebus.config import Address
from tradebus.wire.pb.v1 import service_pb2
from tradebus.wire.pb.v1.service_pb2_grpc import add_ControlServicer_to_server, add_ReplicaServicer_to_server

REQUEST_BYTES_MAX: Final = 256 * 1024
CALLS_MAX: Final = 200
"""At once, watchers included; what comes beyond is refused."""

STOP_S: Final = 2.0
SERVICES: Final = tuple(service.full_name for service in service_pb2.DESCRIPTOR.services_by_name.values())
OPTIONS: Final = (
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    # A port that somebody else has is an error, not something to share.
    ("grpc.so_reuseport", 0),
)


@final
class RpcServer:
    """Listens on the configured address until stopped.

    Health and reflection say nothing of the trading: they are open.
    """

    def __init__(self, context: ApiContext, listening: Listening, requests_per_s: int) -> None:
        self._listening: Final = listening
        self._context: Final = context
        self._server: Final = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=CALLS_MAX)
        calls = Calls(context.doorkeeper, Rates(requests_per_s))
        # Generated code has no types.
        add_ReplicaServicer_to_server(Replica(context, calls), self._server)  # type: ignore[no-untyped-call]
        add_ControlServicer_to_server(Control(context, NamesCache(), calls), self._server)  # type: ignore[no-untyped-call]
        self._health: Final = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*SERVICES, HEALTH_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def listen(self) -> Address:
        """Begin to serve, and return the address with the port that was chosen if it was 0. Raises CannotListen."""
        wanted = self._listening.address
        _check_free(self._listening)
        host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
        try:
            port = self._server.add_insecure_port(f"{host}:{wanted.port}")
        except RuntimeError as error:
            raise CannotListen(self._listening, OSError(str(error))) from error
        await self._server.start()
        await self.tell_health(is_ready=False)
        return Address(wanted.host, port)

    async def tell_health(self, *, is_ready: bool) -> None:
        """Tell those who watch the health whether the service does all of its work."""
        status = health_pb2.HealthCheckResponse.SERVING if is_ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *SERVICES):
            await self._health.set(name, status)

    async def stop(self) -> None:
        """Answer what was begun, within some seconds, then close."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(STOP_S)


def _check_free(listening: Listening) -> None:
    """Raise CannotListen with the system's own reason, which gRPC does not tell."""
    address = listening.address
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise CannotListen(listening, error) from error
