"""An address that is taken is said with what it is for and how to change it."""

import errno
import socket

from services.runtime.ports import Listening, check_free, free_ports
from tradebus.config import Address


def test_a_port_in_use_is_named_with_its_purpose_and_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = Listening(Address("127.0.0.1", free_ports(1)[0]), "metrics", "runtime.http.market")
        (complaint,) = check_free([Listening(Address("127.0.0.1", port), "the REST API", "api.listen"), other])
    assert str(complaint) == (
        f"port {port} is already in use; it is for the REST API. Stop the program that has it, "
        "or choose another with `api.listen` (TRADEBUS__API__LISTEN=127.0.0.1:PORT)."
    )
    assert check_free([complaint.listening]) == []


def test_port_0_is_always_free() -> None:
    assert check_free([Listening(Address("127.0.0.1", 0), "x", "x")]) == []


def test_an_address_of_another_machine_is_no_address_to_listen_on() -> None:
    (complaint,) = check_free([Listening(Address("192.0.2.1", 8000), "the REST API", "api.listen")])
    assert "cannot listen on 192.0.2.1:8000" in str(complaint)


def test_missing_rights_are_told_apart_from_a_port_in_use() -> None:
    text = Listening(Address("127.0.0.1", 80), "the REST API", "api.listen").refused(OSError(errno.EACCES, "denied"))
    assert text.startswith("port 80 needs rights that this user does not have; it is for the REST API.")


def test_free_ports_are_different_from_each_other() -> None:
    assert len(set(free_ports(8))) == 8
