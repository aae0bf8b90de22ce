import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebus.bus.errors import InvalidHeader, InvalidSubject, PayloadTooLarge
from tradebus.bus.header_block import header_block, header_bytes, parse_header_block
from tradebus.bus.nats_wire import parse_permission_violation, publish_command, writer_headers

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
VALUES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


def test_a_message_is_written_as_the_protocol_wants_it() -> None:
    assert publish_command("md.x", "", b"ab", None, 100) == b"PUB md.x 2\r\nab\r\n"
    assert publish_command("md.x", "_INBOX.1", b"", None, 100) == b"PUB md.x _INBOX.1 0\r\n\r\n"
    assert publish_command("md.x", "r", b"ab", {"A": "b"}, 100) == (
        b"HPUB md.x r 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nab\r\n"
    )


def test_headers_count_towards_the_size() -> None:
    publish_command("a", "", bytes(20), None, 20)
    publish_command("a", "", bytes(2), {"A": "b"}, 20)
    with pytest.raises(PayloadTooLarge):
        publish_command("a", "", bytes(21), None, 20)
    with pytest.raises(PayloadTooLarge) as error:
        publish_command("a", "", bytes(3), {"A": "b"}, 20)
    assert (error.value.subject, error.value.size, error.value.size_max) == ("a", 21, 20)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5))
def test_headers_survive_storing(headers: dict[str, str]) -> None:
    block = header_block(headers)
    assert parse_header_block(block) == headers
    assert header_bytes(headers) == len(block)


@pytest.mark.parametrize("headers", [None, {}])
def test_no_headers_take_no_bytes(headers: dict[str, str] | None) -> None:
    assert header_bytes(headers) == 0


@pytest.mark.parametrize(("name", "value"), [("A:", "x"), ("", "x"), ("A\r\n", "x"), ("A", "x\ny"), ("A", "\rx")])
def test_a_header_cannot_break_out_of_its_line(name: str, value: str) -> None:
    with pytest.raises(InvalidHeader) as error:
        publish_command("a", "", b"", {name: value}, 100)
    assert (error.value.name, error.value.value) == (name, value)


def test_a_subject_cannot_break_out_of_its_line() -> None:
    with pytest.raises(InvalidSubject):
        publish_command("a\r\nPUB b 0", "", b"", None, 100)


def test_the_servers_instructions_are_not_the_writers_headers() -> None:
    assert writer_headers({"Tb-Chain": "ff", "Nats-Expected-Last-Sequence": "3"}) == {"Tb-Chain": "ff"}
    assert writer_headers({"Nats-Expected-Last-Sequence": "3"}) is None
    assert writer_headers(None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('nats: permissions violation for publish to "exec.a"', ("publish", "exec.a")),
        ('nats: Permissions Violation for Subscription to "md.>"', ("subscription", "md.>")),
        ('permissions violation for subscription to "a.b" using queue "q"', ("subscription", "a.b")),
        ("nats: unknown protocol operation", None),
        ("", None),
    ],
)
def test_a_refusal_is_recognised_by_its_text(text: str, expected: tuple[str, str] | None) -> None:
    assert parse_permission_violation(text) == expected
