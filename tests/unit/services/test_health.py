"""The health check of the images tells well from not well, in one line."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services.health import REASON_CHARS_MAX, ask, main


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """Answer one connection with these bytes (None: take it and say nothing); give the URL to ask."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                if answer is None:
                    told.wait(10)
                else:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/health/ready"
        finally:
            told.set()
            thread.join(10)


def test_ready_service_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"status":\n "ok"}') as url:
        assert main([url]) == 0
    assert capsys.readouterr().out == f'{url}: 200 OK {{"status": "ok"}}\n'


def test_service_that_is_not_ready_is_told_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 9\r\n\r\nno broker") as url:
        assert main([url]) == 1
    assert capsys.readouterr().out == f"{url}: 503 Service Unavailable no broker\n"


def test_long_answer_is_cut() -> None:
    body = b"x" * 5000
    with answering(b"HTTP/1.1 500 Oops\r\nContent-Length: 5000\r\n\r\n" + body) as url:
        is_well, reason = ask(url)
    assert not is_well
    assert len(reason) == REASON_CHARS_MAX


def test_silent_service_is_not_well() -> None:
    with answering(None) as url:
        is_well, reason = ask(url, timeout_s=0.05)
    assert not is_well
    assert "no answer (TimeoutError" in reason


def test_what_is_not_http_is_not_well() -> None:
    with answering(b"-ERR 'Unknown Protocol Operation'\r\n") as url:
        is_well, reason = ask(url)
    assert not is_well
    assert "no answer (BadStatusLine" in reason


def test_absent_service_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    is_well, reason = ask(f"http://127.0.0.1:{port}/health/ready")
    assert not is_well
    assert "ConnectionRefusedError" in reason


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "https://127.0.0.1/", "http://", "http://127.0.0.1:port/", "http://[::1"]
)
def test_wrong_address_is_told(url: str) -> None:
    is_well, reason = ask(url)
    assert not is_well
    assert "expected http://host:port/path" in reason
