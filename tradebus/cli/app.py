"""The `tradebus` command."""

from typing import Annotated

import typer

from tradebus import __version__
from tradebus.cli import audit, config, ctl, doctor, key, state

app = typer.Typer(
    name="tradebus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Run trading strategies live, on paper and in backtests with one engine.",
)
app.add_typer(state.app, name="state")
app.add_typer(ctl.app, name="ctl")
app.add_typer(audit.app, name="audit")
app.add_typer(config.app, name="config")
app.add_typer(key.app, name="key")
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tradebus {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take what stands before a command."""
