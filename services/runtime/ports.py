"""Addresses to listen on: is one free, and what to say when it is not."""

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from tradebus.config import Address


@dataclass(frozen=True, slots=True)
class Listening:
    """An address, what listens there, and the setting that moves it; `scheme` is what stands before it there."""

    address: Address
    purpose: str
    key: str
    scheme: str = ""

    @property
    def variable(self) -> str:
        """The environment variable of the setting."""
        return f"TRADEBUS__{self.key.upper().replace('.', '__')}"

    def refused(self, error: OSError) -> str:
        """Return what to tell a person when listening failed with `error`."""
        if error.errno == errno.EADDRINUSE:
            what = f"port {self.address.port} is already in use"
        elif error.errno in {errno.EACCES, errno.EPERM}:
            what = f"port {self.address.port} needs rights that this user does not have"
        else:
            what = f"cannot listen on {self.address} ({error.strerror or error})"
        return (
            f"{what}; it is for {self.purpose}. Stop the program that has it, "
            f"or choose another with `{self.key}` ({self.variable}={self.scheme}{self.address.host}:PORT)."
        )


class CannotListen(Exception):
    """An address that cannot be listened on; the text says which, for what, and how to change it."""

    def __init__(self, listening: Listening, error: OSError) -> None:
        super().__init__(listening.refused(error))
        self.listening = listening


def check_free(wanted: Iterable[Listening]) -> list[CannotListen]:
    """Return a complaint for every address that cannot be listened on now. Port 0 is always free."""
    complaints: list[CannotListen] = []
    for listening in wanted:
        if listening.address.port == 0:
            continue
        family = socket.AF_INET6 if ":" in listening.address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As servers do: what only lingers in TIME_WAIT does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((listening.address.host, listening.address.port))
            except OSError as error:
                complaints.append(CannotListen(listening, error))
    return complaints


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return different ports that are free now. Somebody else may take one before it is used."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()
