"""How the command line talks: data on stdout, everything else on stderr, colour only on a terminal."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    # These take a while to import; who only shows help does without.
    from rich.console import Console
    from rich.text import Text

    from tradebus.config import ConfigError, Mode

LIVE: Final = "live"
_MODE_STYLES: Final = {LIVE: "bold white on red", "paper": "bold yellow", "demo": "bold green"}


def stdout() -> "Console":
    """Return a console for data; made anew for each use, as tests replace the stream."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, soft_wrap=True)


def stderr() -> "Console":
    """Return a console for talk."""
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def print_json(data: Any) -> None:  # noqa: ANN401 - whatever can be JSON
    """Write data as JSON, indented on a terminal and one line elsewhere."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(data, indent=indent, ensure_ascii=False) + "\n")


def mode_text(mode: "Mode | str") -> "Text":
    """Return the mode as it is always shown: `LIVE` in red."""
    from rich.text import Text

    name = str(getattr(mode, "value", mode))
    return Text(name.upper() if name == LIVE else name, style=_MODE_STYLES.get(name, "bold"))


def print_problems(error: "ConfigError", *, as_json: bool) -> None:
    """Write every problem of a configuration: as data on stdout with `--json`, else as talk."""
    if as_json:
        fields = ("where", "path", "expected", "found", "hint")
        problems = [{name: getattr(problem, name) for name in fields} for problem in error.problems]
        print_json({"valid": False, "problems": problems})
        return
    from rich.text import Text

    console = stderr()
    count = len(error.problems)
    console.print(Text(f"configuration: {count} {'problem' if count == 1 else 'problems'}", style="bold red"))
    for problem in error.problems:
        console.print(Text(f"  {problem}"))


def print_rows(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Write a table on a terminal, elsewhere a line a row with tabs between, for other programs."""
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(row) + "\n" for row in rows)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    stdout().print(table)
