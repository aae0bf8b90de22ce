"""What is wrong with a configuration, said so that it can be put right."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from tradebus.config.keypath import KeyPath, path_text

FOUND_CHARACTERS_MAX = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, what was expected and what was found.

    ``where`` is a file, an environment variable, ``flag --x`` or ``settings`` for values given by a
    program. ``path`` is the key path (``instruments[0].exchange``), empty for a whole file.
    """

    where: str
    path: str
    expected: str
    found: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the problem as one line."""
        place = f"{self.where}: {self.path}" if self.path else self.where
        text = f"{place}: expected {self.expected}, found {self.found}"
        return f"{text}. {self.hint}" if self.hint else text


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem whose source is not known yet, only its place in the configuration."""

    path: KeyPath
    expected: str
    found: str
    hint: str = ""

    def at(self, where: str) -> Problem:
        """Return the problem as found in `where`."""
        return Problem(where, path_text(self.path), self.expected, self.found, self.hint)


class ConfigError(Exception):
    """Configuration that must not be used; carries every problem found, not just the first.

    Deliberately no ``ValueError``: pydantic would swallow it into an error of its own.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        assert problems, "a ConfigError without a problem says nothing"
        self.problems: list[Problem] = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        """Return one line a problem."""
        return "\n".join(str(problem) for problem in self.problems)


def did_you_mean(found: str, known: Sequence[str]) -> str:
    """Return "Did you mean `x`?" when one of ``known`` is close to ``found``, else an empty text."""
    close = get_close_matches(found.lower(), known, n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`?" if close else ""


def one_of(known: Sequence[str]) -> str:
    """Return the choices as words: "`a`", "`a` or `b`", "`a`, `b` or `c`"; "nothing" of none."""
    quoted = [f"`{name}`" for name in known]
    if not quoted:
        return "nothing"
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def shown(value: object) -> str:
    """Return a value as it is shown in a problem: short, and text in quotes."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return f"a table with {', '.join(f'`{key}`' for key in list(value)[:8])}" if value else "an empty table"
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
        case str():
            text = repr(value)
        case _:
            text = str(value)
    return text if len(text) <= FOUND_CHARACTERS_MAX else f"{text[:FOUND_CHARACTERS_MAX]}..."
