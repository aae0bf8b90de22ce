"""Say how many examples a test deserves; the profile of the run scales it."""

from hypothesis import HealthCheck, settings

DEFAULT = 100


def examples(count: int) -> settings:
    """Return settings for ``count`` examples in the default profile, without a limit of time for each."""
    scaled = max(1, count * settings().max_examples // DEFAULT)
    return settings(max_examples=scaled, deadline=None, suppress_health_check=[HealthCheck.too_slow])
