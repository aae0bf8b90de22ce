import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradebus.bus.errors import InvalidKey, InvalidSubject
from tradebus.bus.matching import checked_key, checked_pattern, checked_subject, subject_matches

TOKENS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("pattern", "subject", "matches"),
    [
        ("md.x.0", "md.x.0", True),
        ("md.x.0", "md.x.1", False),
        ("md.x.*", "md.x.1", True),
        ("md.*.1", "md.x.1", True),
        ("md.*", "md.x.1", False),
        ("md.x.*", "md.x", False),
        ("md.>", "md.x", True),
        ("md.>", "md.x.1", True),
        ("md.>", "md", False),
        (">", "md", True),
        ("*.>", "md", False),
        ("md.x", "md", False),
    ],
)
def test_patterns_match_as_on_the_server(pattern: str, subject: str, matches: bool) -> None:
    assert subject_matches(pattern, subject) is matches


@given(TOKENS, st.data())
def test_wildcards_generalise(tokens: list[str], data: st.DataObject) -> None:
    subject = ".".join(tokens)
    stars = data.draw(st.lists(st.booleans(), min_size=len(tokens), max_size=len(tokens)))
    pattern = ["*" if star else token for star, token in zip(stars, tokens, strict=True)]
    assert subject_matches(".".join(pattern), subject)
    kept = data.draw(st.integers(0, len(tokens) - 1))
    assert subject_matches(".".join([*pattern[:kept], ">"]), subject)
    assert not subject_matches(".".join([*pattern, ">"]), subject)
    assert not subject_matches(".".join([*pattern, "*"]), subject)


@pytest.mark.parametrize("bad", ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\n", "a\x00", "a.*", "a.>", "*", ">"])
def test_subjects_to_publish_on_are_plain(bad: str) -> None:
    with pytest.raises(InvalidSubject):
        checked_subject(bad)


@pytest.mark.parametrize("good", ["a", "a.b", "$JS.API.INFO", "_INBOX_engine.x.1"])
def test_subjects_are_returned_unchanged(good: str) -> None:
    assert checked_subject(good) == good
    assert checked_pattern(good) == good


@pytest.mark.parametrize("bad", ["", "a.>.b", "a*", "a.b>", "**", "a..>"])
def test_misplaced_wildcards_are_refused(bad: str) -> None:
    with pytest.raises(InvalidSubject):
        checked_pattern(bad)


@pytest.mark.parametrize("bad", ["", "a b", "a*", ">", "a..b", ".a", "a.", "ä"])
def test_keys_are_what_a_bucket_can_hold(bad: str) -> None:
    with pytest.raises(InvalidKey) as error:
        checked_key("leases", bad)
    assert (error.value.bucket, error.value.key) == ("leases", bad)
    assert checked_key("leases", "a-B_1/x=y.z") == "a-B_1/x=y.z"
