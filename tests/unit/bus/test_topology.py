import pytest

from tradebus.bus.provision import bucket_configuration, stream_configuration
from tradebus.bus.topology import LEASE_TTL_S, Sizes, topology
from tradebus.wire.subjects import InvalidToken


def test_engines_and_accounts_get_their_streams_and_share_the_rest() -> None:
    made = topology(["demo", "live"], ["a"], Sizes(1, 2, 3, 4, 5, 6))
    streams = {spec.name: (spec.subjects, spec.bytes_max, spec.drop_oldest) for spec in made.streams}
    assert streams == {
        "AUDIT_demo": (("audit.demo",), 1, False),
        "AUDIT_live": (("audit.live",), 1, False),
        "CMD_demo": (("cmd.demo",), 3, False),
        "CMD_live": (("cmd.live",), 3, False),
        "ACCT_a": (("acct.a",), 2, False),
        "DLQ": (("dlq.>",), 4, True),
    }
    assert {spec.name: spec.ttl_s for spec in made.buckets} == {
        "leases": LEASE_TTL_S,
        "positions": None,
        "control": None,
        "snapshots": None,
    }
    assert made.bytes_max == 2 * 1 + 2 * 3 + 2 + 4 + 3 * 5 + 6


def test_an_id_that_cannot_be_part_of_a_subject_is_refused() -> None:
    with pytest.raises(InvalidToken, match="engine: expected"):
        topology(["Demo"], [])
    with pytest.raises(InvalidToken, match="account: expected"):
        topology([], ["a.b"])


def test_a_journal_never_forgets_by_itself() -> None:
    for spec in topology(["demo"], ["a"]).streams:
        configuration = stream_configuration(spec)
        assert configuration["storage"] == "file"
        assert configuration["deny_delete"]
        assert configuration["max_age"] == 0
        assert not configuration["deny_purge"]
        assert configuration["discard"] == ("old" if spec.name == "DLQ" else "new")
        assert configuration["max_bytes"] == spec.bytes_max > 0


def test_only_leases_expire_and_say_so_to_watchers() -> None:
    configurations = {spec.name: bucket_configuration(spec) for spec in topology([], []).buckets}
    assert configurations["leases"]["max_age"] == 3_000_000_000
    assert configurations["leases"]["subject_delete_marker_ttl"] > 0
    assert configurations["leases"]["duplicate_window"] <= configurations["leases"]["max_age"]
    for name in ("positions", "control", "snapshots"):
        assert configurations[name]["max_age"] == 0
        assert "subject_delete_marker_ttl" not in configurations[name]
    assert all(configuration["max_msgs_per_subject"] == 1 for configuration in configurations.values())
