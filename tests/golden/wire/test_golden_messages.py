"""What an earlier release wrote is still read, and means the same."""

from pathlib import Path

import pytest

from tests.golden.wire.corpus import FOLDER, corpus, decode, shown

FILES = sorted(FOLDER.glob("*.bin"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_stored_bytes_still_mean_the_same(path: Path) -> None:
    value = decode(path.stem, path.read_bytes())
    assert shown(value) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_kind_of_message_is_stored() -> None:
    assert {path.stem for path in FILES} >= corpus().keys()


@pytest.mark.parametrize("name", sorted(corpus()))
def test_the_corpus_survives_a_round_trip(name: str) -> None:
    value, encoded = corpus()[name]
    assert decode(name, encoded) == value
