"""The `tradebus` command."""

from typing import Annotated

import typer

from tradebus import __version__
from tradebus.cli import audit, config
from tradebus.cli.output import stdout

app = typer.Typer(
    name="tradebus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run trading strategies live, on paper and in backtests with one engine.",
)
app.add_typer(audit.app, name="audit")
app.add_typer(config.app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        stdout().print(f"tradebus {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take what stands before a command."""
