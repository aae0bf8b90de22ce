"""Start a program that ends when its parent does: `python -I -S launch.py PARENT_PID PROGRAM ARGUMENT...`.

Runs as a script of its own and is replaced by the program, so that it costs no process and nothing runs between fork
and exec of the supervisor. On Linux the kernel then sends SIGTERM to the program when the supervisor is gone, however
it went (kill -9 included). Elsewhere there is no such call and the program is simply started.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Ask for the signal, make sure that the parent has not gone before, become the program."""
    parent, program = int(argv[0]), argv[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
        if os.getppid() != parent:
            raise SystemExit("the supervisor ended before its program began")
    os.execvp(program[0], program)  # noqa: S606 - no shell on purpose; what to run is the supervisor's


if __name__ == "__main__":
    main(sys.argv[1:])
