"""Who asks, and whether they may: keys, roles, limits and the log of what was refused.

A route says which role it needs: ``caller: Annotated[Caller, Depends(operator)]`` or one of the short forms ``Viewer``,
``Operator``, ``Admin``. What is no route asks `Doorkeeper` itself.
"""

from services.audit.api.access.caller import AccessDenied, Caller, Denial
from services.audit.api.access.doorkeeper import Doorkeeper
from services.audit.api.access.keyring import Keyring
from services.audit.api.access.log import AccessLog
from services.audit.api.access.require import (
    Admin,
    Operator,
    Require,
    Viewer,
    admin,
    operator,
    require,
    role_of,
    viewer,
)
from tradebus.access import Role

__all__ = [
    "AccessDenied",
    "AccessLog",
    "Admin",
    "Caller",
    "Denial",
    "Doorkeeper",
    "Keyring",
    "Operator",
    "Require",
    "Role",
    "Viewer",
    "admin",
    "operator",
    "require",
    "role_of",
    "viewer",
]
