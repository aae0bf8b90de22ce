"""Say how many examples a test deserves; the profile of the run scales it."""

from hypothesis import HealthCheck, settings

DEFAULT = 100


def scaled(count: int) -> int:
    """Return how many examples this run's profile makes of ``count`` in the default one."""
    return max(1, count * settings().max_examples // DEFAULT)


def examples(count: int) -> settings:
    """Return settings for ``count`` examples in the default profile, without a limit of time for each."""
    # How long making values takes, and how many are thrown away, depends on the seed and says nothing about the code.
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(max_examples=scaled(count), deadline=None, suppress_health_check=checks)
