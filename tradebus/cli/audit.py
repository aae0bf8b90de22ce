"""`tradebus audit`: verify, repair, export, tail, get; on an archive, a stream or both, without any service."""

from pathlib import Path
from typing import Annotated

import typer

from tradebus.cli.audit_options import STRATEGIES, ArchiveOption, EngineOption, NatsOption, StrategiesOption

app = typer.Typer(
    no_args_is_help=True,
    help="The audit journal: prove it, repair it, read it. Without --archive and --nats: the configured archive.",
)

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]


@app.command()
def verify(
    archive: ArchiveOption = None,
    nats: NatsOption = None,
    engine: EngineOption = None,
    strategies: StrategiesOption = STRATEGIES,
    *,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all is sound.")] = False,
) -> None:
    """Rebuild the state from the journal, compare every checksum, link and hash, and name every damage.

    With --archive and --nats also whether both hold the same. Ends with 0 when all is sound, 7 when something is not, 4
    when NATS is not reachable, 2 for wrong arguments, 1 when it cannot be read.
    """
    from tradebus.cli import audit_verify
    from tradebus.cli.audit_source import run

    run(lambda: audit_verify.verify(archive, nats, engine, strategies, as_json=as_json, quiet=quiet))


@app.command()
def repair(
    archive: ArchiveOption = None,
    nats: NatsOption = None,
    engine: EngineOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, only say what would be done.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring back from the stream what the archive lost, and append again what the stream lost at its end.

    Stop the audit service first, for a stream also the engine. Nothing is thrown away: what is replaced stays beside it
    under another name. Ends with 0 when nothing is left to do, 7 otherwise.
    """
    from tradebus.cli import audit_repair
    from tradebus.cli.audit_source import run

    run(lambda: audit_repair.repair(archive, nats, engine, yes=yes, as_json=as_json))


@app.command()
def export(
    archive: ArchiveOption = None,
    nats: NatsOption = None,
    engine: EngineOption = None,
    first: Annotated[int | None, typer.Option("--from", min=0, help="The first tick.")] = None,
    last: Annotated[int | None, typer.Option("--to", min=0, help="The last tick.")] = None,
    since: Annotated[str | None, typer.Option(help="From this engine time on, 2026-11-22T13:00 say; UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this engine time.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Instead of stdout.")] = None,
) -> None:
    """Write ticks as NDJSON, one tick a line, in the fields of the contract (audit.proto)."""
    from tradebus.cli import audit_ticks
    from tradebus.cli.audit_source import run

    run(lambda: audit_ticks.export(archive, nats, engine, (first, last), (since, until), output))


@app.command()
def tail(
    archive: ArchiveOption = None,
    nats: NatsOption = None,
    engine: EngineOption = None,
    count: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many.")] = 10,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the last ticks: a line each on a terminal, NDJSON elsewhere."""
    from tradebus.cli import audit_ticks
    from tradebus.cli.audit_source import run

    run(lambda: audit_ticks.tail(archive, nats, engine, count, is_followed=follow, as_json=as_json))


@app.command()
def get(
    sequence: Annotated[int, typer.Argument(min=0, help="The tick.")],
    archive: ArchiveOption = None,
    nats: NatsOption = None,
    engine: EngineOption = None,
) -> None:
    """Print one tick as JSON, wherever it is."""
    from tradebus.cli import audit_ticks
    from tradebus.cli.audit_source import run

    run(lambda: audit_ticks.get(archive, nats, engine, sequence))
