"""The local supervisor: what `make up`, `make replay` and the end-to-end tests run the system with."""

from services.supervisor.catalogue import SERVICES, Program
from services.supervisor.lock import AlreadyRunning, Holder, RunLock
from services.supervisor.progress import Progress, Silent, Terminal
from services.supervisor.restarts import RestartPolicy
from services.supervisor.summary import Summary
from services.supervisor.supervisor import NotReady, Supervisor, SupervisorError

__all__ = [
    "SERVICES",
    "AlreadyRunning",
    "Holder",
    "NotReady",
    "Program",
    "Progress",
    "RestartPolicy",
    "RunLock",
    "Silent",
    "Summary",
    "Supervisor",
    "SupervisorError",
    "Terminal",
]
