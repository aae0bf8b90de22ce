"""Show in what two states differ."""

from typing import Annotated, Any

from pydantic import WithJsonSchema

from services.audit.api.views.base import View
from services.audit.api.views.values import Time

_ANY_JSON = {"description": "any JSON; null where it is not there"}


class MomentView(View):
    """A tick and its engine time."""

    sequence: int
    time_engine: Time


class StateChangeView(View):
    """One place that differs."""

    path: str
    """A JSON pointer into `/v1/state`, in which an item of a list goes by its name, id or cid where it has one."""
    before: Annotated[Any, WithJsonSchema(_ANY_JSON)]
    after: Annotated[Any, WithJsonSchema(_ANY_JSON)]


class StateDiffView(View):
    """Everything in which one state differs from another, in the order of `/v1/state`."""

    before: MomentView
    after: MomentView
    changes: list[StateChangeView]
