"""Command-line flags that every program of the system understands."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tradebus.config.environment import BadText, typed
from tradebus.config.keypath import KeyPath
from tradebus.config.problem import Problem, shown


@dataclass(frozen=True, slots=True)
class Flags:
    """The highest layer of the configuration; what is None or empty was not given."""

    config: Path | None = None
    mode: str | None = None
    recording: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    """Each as `section.key=value`."""

    @classmethod
    def parse(cls, argv: Sequence[str], *, program: str) -> Self:
        """Read the flags from a command line; a wrong one ends the program with the usual exit code 2."""
        parser = ArgumentParser(program)
        cls.add_to(parser)
        return cls.of(parser.parse_args(argv))

    @staticmethod
    def add_to(parser: ArgumentParser) -> None:
        """Add the flags to a program's own."""
        parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="configuration file")
        parser.add_argument("--mode", help="demo, replay, paper or live")
        parser.add_argument("--recording", action="append", default=[], metavar="PATH", help="replay: a recording")
        parser.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="any setting, by key path"
        )

    @classmethod
    def of(cls, arguments: Namespace) -> Self:
        """Return the flags among parsed arguments."""
        return cls(arguments.config, arguments.mode, arguments.recording, arguments.settings)

    def assignments(self, problems: list[Problem]) -> Iterator[tuple[KeyPath, Any, str]]:
        """Yield path, value and name of every flag that sets something. What cannot be read goes to `problems`."""
        if self.mode:
            yield ("mode",), self.mode, "flag --mode"
        if self.recording:
            yield ("recording",), list(self.recording), "flag --recording"
        for text in self.settings:
            key, equals, value = text.partition("=")
            path: KeyPath = tuple(key.strip().split("."))
            if not equals or not all(path):
                problems.append(Problem("flag --set", "", "section.key=value", shown(text)))
            elif path == ("allow_live",):
                problems.append(Problem("flag --set", "allow_live", "the variable TRADEBUS_ALLOW_LIVE", shown(text)))
            else:
                try:
                    yield path, typed(path, value), "flag --set"
                except BadText as error:
                    problems.append(Problem("flag --set", key, str(error), shown(value)))
