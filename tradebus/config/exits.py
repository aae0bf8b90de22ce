"""Exit codes shared by the command line and the services (documented for scripts, so never renumbered)."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a program's exit status means."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG_INVALID = 3
    NOT_REACHABLE = 4
    REJECTED = 5
    TIMED_OUT = 6
    DAMAGED = 7
    """A journal or an archive is not what was written."""
