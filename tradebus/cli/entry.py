"""The entry point of the `tradebus` command."""

import os
import sys


def main() -> None:
    """Run the command line; where its libraries are not installed, say what to install."""
    # Help in frames takes a third longer to come than plain help.
    os.environ.setdefault("TYPER_USE_RICH", "0")
    try:
        from tradebus.cli.app import app

        app(prog_name="tradebus")
    except ModuleNotFoundError as error:
        sys.stderr.write(f"`tradebus` needs the module `{error.name}`: pip install 'tradebus[cli]'\n")
        raise SystemExit(1) from None
