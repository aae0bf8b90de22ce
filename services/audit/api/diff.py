"""Find in what two states differ: place by place, lists by the names of their items."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from services.audit.api.moment import Moment
from services.audit.api.views.diff import MomentView, StateChangeView, StateDiffView
from services.audit.api.views.state import EngineStateView
from services.audit.api.views.values import time_text

_KEYS: Final = ("name", "id", "cid", "strategy")


class SeenState(NamedTuple):
    """A state as it was shown: what a later one is compared with."""

    sequence: int
    time_ns: int
    data: dict[str, Any]


def seen(moment: Moment) -> SeenState:
    """Return the state at a moment as it is shown."""
    data = EngineStateView.of_state(moment.state, moment.names).model_dump()
    return SeenState(moment.sequence, moment.time_ns, data)


def diff_view(before: SeenState, after: SeenState) -> StateDiffView:
    """Return in what one state differs from another."""
    return StateDiffView(
        before=_moment(before),
        after=_moment(after),
        changes=[
            StateChangeView(path=path, before=left, after=right)
            for path, left, right in differences(before.data, after.data)
        ],
    )


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:  # noqa: ANN401 - JSON
    """Yield the places in which two JSON values differ, with both values there; None where there is nothing."""
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_maps(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        named = _by_name(before), _by_name(after)
        if named[0] is not None and named[1] is not None:
            yield from _of_maps(named[0], named[1], path)
        elif len(before) == len(after):
            for number, (left, right) in enumerate(zip(before, after, strict=True)):
                yield from differences(left, right, f"{path}/{number}")
        else:
            yield path, before, after
    else:
        yield path, before, after


def _of_maps(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any, Any]]:
    for name in (*before, *(name for name in after if name not in before)):
        escaped = name.replace("~", "~0").replace("/", "~1")
        yield from differences(before.get(name), after.get(name), f"{path}/{escaped}")


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Return the items of a list by what names them, none where something does not."""
    for key in _KEYS:
        if all(isinstance(item, dict) and isinstance(item.get(key), str) for item in items):
            named = {item[key]: item for item in items}
            if len(named) == len(items):
                return named
            # Several exchanges have the same assets.
            whole = {f"{item.get('exchange')}-{item[key]}": item for item in items}
            return whole if len(whole) == len(items) else None
    return None


def _moment(state: SeenState) -> MomentView:
    return MomentView(sequence=state.sequence, time_engine=time_text(state.time_ns))
