"""The three roles of the API: each may do what those before it may."""

from enum import StrEnum


class Role(StrEnum):
    """What a caller may do: a viewer reads, an operator commands, an admin looks after keys and stops the engine."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Return whether who has this role may do what needs the other one."""
        order = list(Role)
        return order.index(self) >= order.index(other)
