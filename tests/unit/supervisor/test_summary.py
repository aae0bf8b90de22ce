"""What a run came to, also when nobody can say."""

from services.supervisor.summary import Summary


def test_a_summary_counts_what_the_audit_service_says() -> None:
    status = {"data": {"events": 1_000_000, "orders": 5, "fills": 2, "sequence": 1_000_007}}
    summary = Summary.of("demo", 12.34, status, restarts=1, clean=True)
    assert summary.words == "1,000,000 events, 5 orders, 2 fills, sequence 1,000,007 in 12.3 s, 1 restarts"
    assert Summary(**summary.as_data()) == summary


def test_what_is_not_known_is_not_made_up() -> None:
    for status in (None, {}, {"data": None}, {"data": {"events": "many"}}):
        summary = Summary.of("demo", 1.0, status, restarts=0, clean=False)
        assert summary.events is None
        assert summary.words == "no counts, as the audit service did not say, in 1 s, not everything stopped in order"
