import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tradebus.bus.permissions import Permissions, System, User, permissions
from tradebus.wire import subjects
from tradebus.wire.subjects import InvalidToken

PAGE = (Path(__file__).parents[3] / "docs" / "subjects.md").read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (subjects.md("binance_spot", 0), "md.binance_spot.0"),
        (subjects.md("sim_alpha", "b2"), "md.sim_alpha.b2"),
        (subjects.md_exchange("sim_alpha"), "md.sim_alpha.*"),
        (subjects.md_all(), "md.>"),
        (subjects.md_replay(), "md.replay.0"),
        (subjects.audit("demo"), "audit.demo"),
        (subjects.audit_stream("replay-20240808a"), "AUDIT_replay-20240808a"),
        (subjects.exec_("binance_spot"), "exec.binance_spot"),
        (subjects.acct("sim_alpha-paper"), "acct.sim_alpha-paper"),
        (subjects.acct_stream("sim_alpha-paper"), "ACCT_sim_alpha-paper"),
        (subjects.cmd("live"), "cmd.live"),
        (subjects.cmd_stream("live"), "CMD_live"),
        (subjects.hb("market", "market-1"), "hb.market.market-1"),
        (subjects.hb_service("market"), "hb.market.*"),
        (subjects.hb_all(), "hb.>"),
        (subjects.flow("replay-1"), "flow.replay-1"),
        (subjects.flow_all(), "flow.>"),
        (subjects.dlq("audit"), "dlq.audit"),
        (subjects.dlq_all(), "dlq.>"),
        (subjects.paper_snapshot("sim_alpha-paper"), "paper.sim_alpha-paper"),
        (subjects.lease_engine("demo"), "engine.demo"),
        (subjects.lease_account("sim_alpha-paper"), "account.sim_alpha-paper"),
        (subjects.lease_member("execution", "demo", "execution-1"), "member.execution.demo.execution-1"),
        (subjects.lease_members("execution", "demo"), "member.execution.demo.*"),
    ],
)
def test_names_are_those_of_the_design(name: str, expected: str) -> None:
    assert name == expected


@pytest.mark.parametrize(
    "bad", ["", "Demo", "a.b", "a b", "*", ">", "a\n", "a\r\nPUB x 0", "ä", "-a", "_a", "٣", "a" * 65, "a/b"]
)
def test_a_token_that_would_change_the_subject_is_refused_with_what_it_was_for(bad: str) -> None:
    with pytest.raises(InvalidToken) as error:
        subjects.audit(bad)
    assert (error.value.what, error.value.token) == ("engine", bad)
    assert "engine: expected" in str(error.value)
    assert repr(bad) in str(error.value)


@pytest.mark.parametrize("good", ["a", "0", "a-b_c", "replay-20240808a", "a" * 64])
def test_a_token_is_returned_unchanged(good: str) -> None:
    assert subjects.token("engine", good) == good


def test_the_page_lists_every_subject_stream_and_bucket() -> None:
    functions = {
        "md": "md.<exchange>.<shard>",
        "audit": "audit.<engine>",
        "exec_": "exec.<account>",
        "acct": "acct.<account>",
        "cmd": "cmd.<engine>",
        "hb": "hb.<service>.<instance>",
        "flow": "flow.<engine>",
        "dlq": "dlq.<service>",
    }
    for function, pattern in functions.items():
        assert f"| `{pattern}` | `{function}` |" in PAGE
        filled = getattr(subjects, function)(*["x"] * pattern.count("<"))
        assert filled == re.sub(r"<\w+>", "x", pattern)
    for function in ("audit_stream", "acct_stream", "cmd_stream"):
        name = getattr(subjects, function)("x")
        prefix = name.removesuffix("x")
        assert re.search(rf"\| `{prefix}<\w+>` \| .* \| `{function}` \|", PAGE)
    for bucket in (subjects.LEASES, subjects.POSITIONS, subjects.CONTROL, subjects.SNAPSHOTS):
        assert f"| `{bucket}` |" in PAGE
    assert f"| `{subjects.DLQ_STREAM}` |" in PAGE


def test_every_function_is_on_the_page() -> None:
    public = [
        name
        for name, value in vars(subjects).items()
        if callable(value) and not name.startswith("_") and value.__module__ == subjects.__name__
    ]
    for name in set(public) - {"token", "InvalidToken"}:
        assert f"`{name}`" in PAGE, name


def test_the_page_has_the_row_of_every_user() -> None:
    """What a user may read, look at and subscribe to stands in its row, and nothing else."""
    for user in User:
        (row,) = re.findall(rf"^\| `{user.value}`.*$", PAGE, re.MULTILINE)
        _, _, publish, subscribe, look, read, _ = row.split("|")
        allowed = permissions_of(user)
        streams = {each.removeprefix("KV_") for each in _streams(allowed.publish, "$JS.API.CONSUMER.CREATE.")}
        looked = {each.removeprefix("KV_") for each in _streams(allowed.publish, "$JS.API.STREAM.MSG.GET.")} - streams
        assert set(re.findall(r"`([^`]+)`", read)) == {_named(each) for each in streams}, user
        assert set(re.findall(r"`([^`]+)`", look)) == {_named(each) for each in looked}, user
        heard = {each for each in allowed.subscribe if not each.startswith("_INBOX")}
        assert set(re.findall(r"`([^`]+)`", subscribe)) == heard, user
        said = {_named(each) for each in allowed.publish if not each.startswith("$")}
        assert said <= set(re.findall(r"`([^`]+)`", publish)), user
        for each in allowed.publish:
            if each.startswith("$KV."):
                assert f"`{each.split('.')[1]}`" in publish, (user, each)


def permissions_of(user: User) -> Permissions:
    return permissions(user, System(("e0",), ("a0",)))


def _streams(published: Iterable[str], prefix: str) -> set[str]:
    return {each.removeprefix(prefix).split(".")[0] for each in published if each.startswith(prefix)}


def _named(name: str) -> str:
    return name.replace("e0", "<engine>").replace("a0", "<account>")
