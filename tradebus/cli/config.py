"""`tradebus config`: show, validate, schema."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tradebus.config import Loaded

app = typer.Typer(no_args_is_help=True, help="What the configuration says, whether it is right, and its schema.")

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration file.")]
ModeOption = Annotated[str | None, typer.Option("--mode", help="demo, replay, paper or live.")]
RecordingOption = Annotated[list[str] | None, typer.Option("--recording", help="Replay: a recording; repeatable.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting; repeatable.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all is well.")]


@app.command()
def show(
    config: ConfigOption = None,
    mode: ModeOption = None,
    recording: RecordingOption = None,
    settings: SetOption = None,
    *,
    origin: Annotated[bool, typer.Option("--origin", help="Also where each value comes from.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the effective configuration: files, environment and flags merged, defaults filled in."""
    from tradebus.cli.output import mode_text, stderr, stdout
    from tradebus.config import toml

    with _reporting(as_json=as_json):
        loaded = _load(config, mode, recording, settings)
    if as_json:
        _show_json(loaded, origin=origin)
    elif origin:
        _show_origins(loaded)
    else:
        stderr().print("mode", mode_text(loaded.settings.mode), "from", ", ".join(map(str, loaded.files)))
        stdout().print(toml.dump(loaded.settings.as_data()), end="", markup=False)


@app.command()
def validate(
    config: ConfigOption = None,
    mode: ModeOption = None,
    recording: RecordingOption = None,
    settings: SetOption = None,
    *,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check the configuration and list every problem; the exit status is 3 if there is one."""
    from tradebus.cli.output import mode_text, print_json, stderr
    from tradebus.config.risk import make_risk
    from tradebus.config.strategies import make_strategies

    with _reporting(as_json=as_json):
        loaded = _load(config, mode, recording, settings)
        make_strategies(loaded.settings)
        make_risk(loaded.settings)
    if as_json:
        print_json({"valid": True, "mode": loaded.settings.mode.value, "files": [str(path) for path in loaded.files]})
    elif not quiet:
        count = len(loaded.settings.instruments)
        words = f"with {count} {'instrument' if count == 1 else 'instruments'}"
        stderr().print("valid: mode", mode_text(loaded.settings.mode), words)


@app.command()
def schema() -> None:
    """Write the JSON schema of a configuration file, for editors."""
    from tradebus.cli.output import print_json
    from tradebus.config import json_schema

    print_json(json_schema())


def _load(config: Path | None, mode: str | None, recording: list[str] | None, settings: list[str] | None) -> "Loaded":
    from tradebus.config import Flags, load

    return load(Flags(config, mode, recording or [], settings or []))


@contextmanager
def _reporting(*, as_json: bool) -> Iterator[None]:
    """End with exit status 3 and every problem when the configuration is wrong."""
    from tradebus.cli.output import print_problems
    from tradebus.config import ConfigError, ExitCode

    try:
        yield
    except ConfigError as error:
        print_problems(error, as_json=as_json)
        raise typer.Exit(ExitCode.CONFIG_INVALID) from None


def _show_json(loaded: "Loaded", *, origin: bool) -> None:
    from tradebus.cli.output import print_json

    if not origin:
        print_json(loaded.settings.model_dump(mode="json", exclude_none=True))
        return
    print_json([{"path": item.path, "value": item.value, "origin": item.where} for item in loaded.origins])


def _show_origins(loaded: "Loaded") -> None:
    from tradebus.cli.output import mode_text, print_rows, stderr

    rows = [(item.path, "" if item.value is None else str(item.value), item.where) for item in loaded.origins]
    stderr().print("mode", mode_text(loaded.settings.mode))
    print_rows(("setting", "value", "origin"), rows)
