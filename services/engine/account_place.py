"""Say how far an account's journal is in the state of an engine, so that it need not be read from its beginning."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountPlace:
    """A place in an account's journal: everything up to message ``position`` was handed to the engine.

    ``chain``, ``next_entry`` and ``owner_epoch`` are what the next message must follow; ``cause`` and ``ordinal`` the
    key of the last event up to there, zeros while there was none.
    """

    account: str
    position: int
    chain: str
    next_entry: int
    owner_epoch: int
    cause: int
    ordinal: int
