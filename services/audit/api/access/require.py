"""What a route asks for: a caller with a role."""

from collections.abc import Iterator
from typing import Annotated, Final, final

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from starlette.requests import HTTPConnection

from services.audit.api.access.caller import AccessDenied, Caller
from services.audit.api.access.doorkeeper import Doorkeeper
from tradebus.access import Role

FOUND: Final = "tradebus.caller"
"""Where a connection's scope holds who it is from, a `Caller` or an `AccessDenied`, once that was looked up."""

DENIED: Final = "tradebus.denied"
"""Where it holds why the request was refused, if it was."""


@final
class Require:
    """A dependency, of HTTP and websocket routes alike: gives the caller, or ends the request with 401 or 403."""

    def __init__(self, role: Role) -> None:
        self.role: Final = role

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """Return the caller. Raises AccessDenied."""
        return self.admit(connection)

    def admit(self, connection: HTTPConnection) -> Caller:
        """Return the caller. Raises AccessDenied."""
        doorkeeper = connection.app.state.context.doorkeeper
        assert isinstance(doorkeeper, Doorkeeper)
        try:
            return doorkeeper.admit(found_in(connection, doorkeeper), self.role)
        except AccessDenied as denied:
            connection.scope[DENIED] = denied
            raise

    def admits_still(self, connection: HTTPConnection) -> bool:
        """Tell whether a connection that lasts would be admitted now: its key may have been revoked since."""
        connection.scope.pop(FOUND, None)
        try:
            self.admit(connection)
        except AccessDenied:
            return False
        return True


viewer: Final = Require(Role.VIEWER)
operator: Final = Require(Role.OPERATOR)
admin: Final = Require(Role.ADMIN)

Viewer = Annotated[Caller, Depends(viewer)]
Operator = Annotated[Caller, Depends(operator)]
Admin = Annotated[Caller, Depends(admin)]

_BY_ROLE: Final = {each.role: each for each in (viewer, operator, admin)}


def require(role: Role) -> Require:
    """Return the dependency for a role."""
    return _BY_ROLE[role]


def found_in(connection: HTTPConnection, doorkeeper: Doorkeeper) -> Caller | AccessDenied:
    """Return who a connection is from, looked up once."""
    found = connection.scope.get(FOUND)
    if not isinstance(found, Caller | AccessDenied):
        address = "unknown" if connection.client is None else connection.client.host
        found = doorkeeper.identify(key_in(connection), address)
        connection.scope[FOUND] = found
    return found


def key_in(connection: HTTPConnection) -> str | None:
    """Return the key that a request shows; None if it shows none."""
    shown = connection.headers.getlist("authorization")
    if not shown:
        return None
    scheme, _, key = shown[0].partition(" ")
    if len(shown) > 1 or scheme.lower() != "bearer":
        return ""  # it shows something, and that is no key
    return key.strip()


def needed_by(dependant: Dependant) -> Require | None:
    """Return what a route, or anything that it depends on, asks for: the highest role, None where it is open."""
    found = sorted(_all_needed(dependant), key=lambda each: list(Role).index(each.role))
    return found[-1] if found else None


def role_of(dependant: Dependant) -> Role | None:
    """Return the role that a route needs; None where it is open to all."""
    needed = needed_by(dependant)
    return None if needed is None else needed.role


def _all_needed(dependant: Dependant) -> Iterator[Require]:
    if isinstance(dependant.call, Require):
        yield dependant.call
    for each in dependant.dependencies:
        yield from _all_needed(each)
