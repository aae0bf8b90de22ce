"""Read what a stream is asked for: topics, instruments, rate, and where to go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.audit.api.problems import ParameterProblem, near_matches, shown
from services.audit.api.stream.event import ALL_TOPICS, Mark, Topic, mark_from_text
from services.audit.api.stream.selection import Selection
from services.audit.api.views.values import Names

LAST_EVENT_ID: Final = "Last-Event-ID"


class WrongQuery(Exception):
    """What is asked for cannot be; ``errors`` lists everything that is wrong with it."""

    def __init__(self, errors: Sequence[ParameterProblem]) -> None:
        super().__init__(", ".join(f"{each.name}: expected {each.expected}" for each in errors))
        self.errors: Final = list(errors)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for, as text; none is all, and no place to go on from."""

    where: str
    """Query or message: what errors name."""
    topics: Sequence[str] | None
    instruments: Sequence[str] | None
    max_rate: float
    mark: str | None
    mark_name: str
    mark_where: str


def read_query(names: Names, asked: Asked) -> tuple[Selection, Mark | None]:
    """Return what is selected, and behind which mark it begins. Raises WrongQuery."""
    wrong: list[ParameterProblem] = []
    topics = _choose(asked.where, "topics", asked.topics, [topic.value for topic in Topic], wrong)
    instruments = _choose(asked.where, "instruments", asked.instruments, names.instruments, wrong)
    mark = _mark(asked, wrong)
    if wrong:
        raise WrongQuery(wrong)
    selection = Selection(
        ALL_TOPICS if topics is None else frozenset(Topic(name) for name in topics),
        None if instruments is None else frozenset(names.instruments.index(name) for name in instruments),
        asked.max_rate,
    )
    return selection, mark


def list_of(text: str | None) -> list[str] | None:
    """Return the names in a list with commas."""
    return None if text is None else [name.strip() for name in text.split(",")]


def _mark(asked: Asked, wrong: list[ParameterProblem]) -> Mark | None:
    if not asked.mark:
        return None
    try:
        return mark_from_text(asked.mark)
    except ValueError:
        expected = "the id of an event, a sequence such as 1234 or 1234.0"
        found = shown(asked.mark)
        wrong.append(ParameterProblem(where=asked.mark_where, name=asked.mark_name, expected=expected, found=found))
        return None


def _choose(
    where: str, what: str, asked: Sequence[str] | None, known: Sequence[str], wrong: list[ParameterProblem]
) -> list[str] | None:
    if asked is None:
        return None
    expected = "one of " + ", ".join(known) if what == "topics" else "instruments of this journal"
    for name in asked:
        if name.lower() not in known:
            near = near_matches(name, known)
            wrong.append(
                ParameterProblem(where=where, name=what, expected=expected, found=shown(name), near=near or None)
            )
    return [name.lower() for name in asked]
