"""API keys: shown once, kept as hashes, in a file that is whole or not there."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tradebus.access import KeyFile, KeyFileError, Role
from tradebus.access.keyfile import KEYS_MAX
from tradebus.access.keys import id_in, new_key

NOW_NS = 1_790_000_000_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "access" / "keys.json")


def test_roles_include_those_before_them() -> None:
    assert [[a.includes(b) for b in Role] for a in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


def test_no_file_is_no_keys(file: KeyFile) -> None:
    assert file.read() == {}
    assert file.last_uses() == {}
    assert file.stamp() is None


def test_key_is_kept_without_its_secret_and_for_its_owner_only(file: KeyFile) -> None:
    made = file.add("alice", Role.OPERATOR, NOW_NS)
    assert id_in(made.text) == made.key.id
    content = file.path.read_text()
    assert made.text not in content
    # The secret may itself hold what stands between the parts.
    secret = made.text.partition(made.key.id)[2].removeprefix("_")
    assert len(secret) > 40
    assert secret not in content
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700
    assert file.read() == {made.key.id: made.key}
    assert made.key.is_of(made.text)
    assert not made.key.is_of(made.text[:-1] + ("A" if made.text[-1] != "A" else "B"))


def test_keys_differ_in_everything(file: KeyFile) -> None:
    made = [new_key("a", Role.VIEWER, NOW_NS) for _ in range(200)]
    assert len({each.text for each in made}) == len({each.key.salt for each in made}) == 200
    assert all(len(each.text) == 55 for each in made)


def test_revoking_is_kept_and_repeats_without_effect(file: KeyFile) -> None:
    made = file.add("alice", Role.ADMIN, NOW_NS)
    assert file.revoke("00000000", NOW_NS) is None
    first = file.revoke(made.key.id, NOW_NS + 1)
    assert first is not None
    assert first.revoked_ns == NOW_NS + 1
    assert file.revoke(made.key.id, NOW_NS + 2) == first
    assert file.read()[made.key.id] == first


@pytest.mark.parametrize("name", ["", " a", "a" * 65, "a\nb", "é", '"', "-x"])
def test_names_are_plain(file: KeyFile, name: str) -> None:
    with pytest.raises(ValueError, match="name: expected 1 to 64 letters"):
        file.add(name, Role.VIEWER, NOW_NS)
    assert file.stamp() is None


def test_expiry_lies_ahead(file: KeyFile) -> None:
    with pytest.raises(ValueError, match="expiry"):
        file.add("a", Role.VIEWER, NOW_NS, NOW_NS)
    key = file.add("a", Role.VIEWER, NOW_NS, NOW_NS + 10).key
    assert not key.is_expired(NOW_NS + 9)
    assert key.is_expired(NOW_NS + 10)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 2, "keys": []}', b'{"format": 1, "keys": [{"id": "x"}]}', b"\xff\xfe"],
)
def test_file_that_is_none_of_ours_is_refused_and_left_alone(file: KeyFile, content: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    with pytest.raises(KeyFileError, match=r"keys\.json: expected a file of API keys"):
        file.read()
    with pytest.raises(KeyFileError):
        file.add("a", Role.VIEWER, NOW_NS)
    assert file.path.read_bytes() == content


def test_many_at_once_lose_nothing(file: KeyFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: file.add(f"k{n}", Role.VIEWER, NOW_NS), range(40)))
    assert set(file.read()) == {each.key.id for each in made}


def test_file_is_bounded_and_the_oldest_revoked_makes_room(file: KeyFile) -> None:
    first = file.add("first", Role.VIEWER, NOW_NS).key
    data = json.loads(file.path.read_text())
    row = data["keys"][0]
    data["keys"] += [{**row, "id": f"{n:08x}", "name": f"k{n}"} for n in range(KEYS_MAX - 1)]
    file.path.write_text(json.dumps(data))
    with pytest.raises(KeyFileError, match="expected fewer than 1000 keys in use"):
        file.add("one more", Role.VIEWER, NOW_NS)
    file.revoke(first.id, NOW_NS)
    added = file.add("one more", Role.VIEWER, NOW_NS).key
    assert len(file.read()) == KEYS_MAX
    assert first.id not in file.read()
    assert added.id in file.read()
