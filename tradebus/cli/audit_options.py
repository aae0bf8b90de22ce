"""The options that all `tradebus audit` commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

ArchiveOption = Annotated[
    Path | None, typer.Option("--archive", "-a", metavar="DIR", help="An archive's folder, .tradebus/audit/demo say.")
]
NatsOption = Annotated[
    str | None, typer.Option("--nats", metavar="URL", help="The server with the stream, nats://127.0.0.1:4222 say.")
]
EngineOption = Annotated[
    str | None, typer.Option("--engine", "-e", metavar="ID", help="The engine; the archive knows its own.")
]
StrategiesOption = Annotated[
    Path, typer.Option("--strategies", metavar="DIR", help="Where your strategies' classes are: part of the state.")
]

STRATEGIES: Final = Path("strategies")
