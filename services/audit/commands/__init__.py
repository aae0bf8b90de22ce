"""Take operators' commands: checked, kept under their key, sent to the engine once, followed to what became of them.

REST and gRPC are two ways in; both come here.
"""

from services.audit.commands.asked import Asked, Sender
from services.audit.commands.desk import CommandDesk, Progress, Standing
from services.audit.commands.errors import CommandError, FieldError, InvalidCommand, KeyConflict, NotTaken, TooMany
from services.audit.commands.ledger import Ledger

__all__ = [
    "Asked",
    "CommandDesk",
    "CommandError",
    "FieldError",
    "InvalidCommand",
    "KeyConflict",
    "Ledger",
    "NotTaken",
    "Progress",
    "Sender",
    "Standing",
    "TooMany",
]
