"""The options of commands that ask the API, and how they end."""

from typing import Annotated, Final

import typer

URL: Final = "http://127.0.0.1:8000"

UrlOption = Annotated[str, typer.Option("--url", envvar="TRADEBUS_URL", help="Where the API is.")]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="TRADEBUS_KEY", show_envvar=True, help="An API key; better in the environment."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
WaitOption = Annotated[
    float, typer.Option("--wait", "-w", min=0, metavar="SECONDS", help="For what becomes of it; 0 does not wait.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only check it; send nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

WAIT_S: Final = 10.0

EXITS: Final = (
    "Ends with 0 when it is done, 1 on failure, 2 for wrong arguments, 4 when the API is not reachable or not ready, "
    "5 when the engine rejected it, 6 when nothing became of it in time."
)
