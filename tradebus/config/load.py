"""Read the configuration: all layers, all problems at once, and where each value came from."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from tradebus.config import cross, environment, explain
from tradebus.config.flags import Flags
from tradebus.config.keypath import leaves, path_text
from tradebus.config.layers import Tree
from tradebus.config.parts import Parts
from tradebus.config.problem import ConfigError, Finding, Problem
from tradebus.config.sections.modes import Mode
from tradebus.config.settings import Settings

DEFAULT_FILE: Final = Path("config/tradebus.toml")


@dataclass(frozen=True, slots=True)
class Origin:
    """One effective setting: its key path, its value, and the file, variable or flag that set it."""

    path: str
    value: Any
    where: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings with the account of how they came about."""

    settings: Settings
    files: list[Path]
    """What was read, lowest layer first."""
    origins: list[Origin]


def load_settings(
    argv: Sequence[str] | Flags = (), environ: Mapping[str, str] | None = None, *, program: str = "tradebus"
) -> Settings:
    """Return the settings from file, `conf.d`, environment (the process's own by default) and flags.

    Raises ConfigError with every problem found; wrong flags end the program with exit code 2, as argparse does.
    """
    flags = argv if isinstance(argv, Flags) else Flags.parse(argv, program=program)
    return load(flags, environ).settings


def load(flags: Flags | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Return settings, files read and origins. Raises ConfigError with every problem found."""
    flags = flags or Flags()
    environ = os.environ if environ is None else environ
    problems: list[Problem] = []
    tree = Tree()
    above = [*environment.assignments(environ, problems), *flags.assignments(problems)]
    files = _read_files(_config_file(flags, environ), _mode_above(above), tree, problems)
    if not files or any(problem.path == "" and problem.where in map(str, files) for problem in problems):
        # Without a readable file nearly everything else would be reported missing.
        raise ConfigError(problems)
    for path, value, where in above:
        if (problem := tree.set(path, value, where)) is not None:
            problems.append(problem)
    settings, findings = _check(tree.values)
    problems += [finding.at(tree.sources.where(finding.path)) for finding in findings]
    if problems:
        raise ConfigError(problems)
    assert settings is not None, "no settings means findings"
    settings.came_from(tree.sources)
    origins = [
        Origin(path_text(path), value, tree.sources.origin(path))
        for path, value in leaves(settings.model_dump(mode="json"))
    ]
    return Loaded(settings, files, origins)


def _check(values: dict[str, Any]) -> tuple[Settings | None, list[Finding]]:
    try:
        return Settings(**values), []
    except ValidationError as error:
        found = explain.findings(error, values, Settings)
        wrong = {finding.path for finding in found}
        # What is wrong in itself is not reported again as missing or unknown.
        return None, found + [finding for finding in cross.check(Parts.from_raw(values)) if finding.path not in wrong]
    except ConfigError:
        return None, cross.check(Parts.from_raw(values))


def _config_file(flags: Flags, environ: Mapping[str, str]) -> tuple[Path, str]:
    """Return the main file and who named it."""
    if flags.config is not None:
        return flags.config, "flag --config"
    if named := environ.get(environment.CONFIG, "").strip():
        return Path(named), environment.CONFIG
    return DEFAULT_FILE, ""


def _mode_above(above: list[tuple[Any, Any, str]]) -> str | None:
    """Return the mode that environment or flags ask for."""
    return next((str(value) for path, value, _ in reversed(above) if path == ("mode",)), None)


def _read_files(named: tuple[Path, str], mode_above: str | None, tree: Tree, problems: list[Problem]) -> list[Path]:
    """Merge the main file, the overlay of the mode beside it and `conf.d/*.toml`; return what was read."""
    main, named_by = named
    if not main.is_file():
        found = "something else" if main.exists() else "no such file"
        hint = "" if named_by else "Name one with TRADEBUS_CONFIG or --config."
        problems.append(Problem(named_by or "configuration", "", f"a configuration file at {main}", found, hint))
        return []
    parsed = [(path, _parse(path, problems)) for path in (main, *sorted((main.parent / "conf.d").glob("*.toml")))]
    mode = mode_above or next((values["mode"] for _, values in reversed(parsed) if "mode" in values), Mode.DEMO.value)
    overlay = main.with_name(f"{main.stem}.{mode}{main.suffix}")
    if mode in set(Mode) and overlay.is_file():
        parsed.insert(1, (overlay, _parse(overlay, problems)))
    for path, values in parsed:
        if "allow_live" in values:
            expected = "this switch in the environment variable TRADEBUS_ALLOW_LIVE only"
            problems.append(Problem(str(path), "allow_live", expected, "it in a file"))
        tree.merge({key: value for key, value in values.items() if key != "allow_live"}, str(path))
    return [path for path, _ in parsed]


def _parse(path: Path, problems: list[Problem]) -> dict[str, Any]:
    """Return the tables of one file; a file that cannot be read is one problem."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(str(path), "", "TOML", str(error)))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(str(path), "", "a readable UTF-8 file", str(error)))
    return {}
