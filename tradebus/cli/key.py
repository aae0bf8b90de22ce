"""`tradebus key`: make, list and revoke the keys of the REST API, on the audit service's file and without asking it."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from tradebus.access import ApiKey, KeyFile, KeyFileError, Role
from tradebus.cli.output import print_json, print_problems, print_rows, stderr

app = typer.Typer(no_args_is_help=True, help="Keys of the REST API: who may read, command, and look after keys.")

FileOption = Annotated[
    Path | None, typer.Option("--file", "-f", help="The file of keys; without it the one that the configuration names.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]

NS_PER_DAY: Final = 86_400_000_000_000
DAYS_MAX: Final = 3_650


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is, or what for.")],
    role: Annotated[Role, typer.Option("--role", "-r", help="What it may do.")] = Role.VIEWER,
    days: Annotated[int | None, typer.Option("--days", min=1, max=DAYS_MAX, help="After how many it expires.")] = None,
    file: FileOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, this once; a running audit service knows it at once."""
    now_ns = time.time_ns()
    expires_ns = None if days is None else now_ns + days * NS_PER_DAY
    try:
        made = _file(file, config, as_json=as_json).add(name, role, now_ns, expires_ns)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except KeyFileError as error:
        raise _failed(error) from None
    if as_json:
        print_json({**_shown(made.key, None), "key": made.text})
        return
    stderr().print(f"key {made.key.id} for {made.key.name}, role {made.key.role.value}; it is shown this once:")
    sys.stdout.write(f"{made.text}\n")  # nothing but the key, for a variable or a file


@app.command("list")
def list_keys(file: FileOption = None, config: ConfigOption = None, *, as_json: JsonOption = False) -> None:
    """List all keys with their roles, last uses and ends; the keys themselves are not kept."""
    try:
        where = _file(file, config, as_json=as_json)
        keys, uses = where.read(), where.last_uses()
    except KeyFileError as error:
        raise _failed(error) from None
    rows = [_shown(key, uses.get(key.id)) for key in keys.values()]
    if as_json:
        print_json(rows)
        return
    columns = ("id", "name", "role", "created", "last_used", "expires", "revoked")
    print_rows(columns, [tuple(str(row[column] or "-") for column in columns) for row in rows])


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as in `tradebus key list`.")],
    file: FileOption = None,
    config: ConfigOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a key worthless; a running audit service refuses it from its next request on."""
    try:
        key = _file(file, config, as_json=as_json).revoke(key_id, time.time_ns())
    except KeyFileError as error:
        raise _failed(error) from None
    if key is None:
        from tradebus.config import ExitCode

        stderr().print(f"there is no key {key_id}", markup=False)
        raise typer.Exit(ExitCode.FAILURE)
    if as_json:
        print_json(_shown(key, None))
    else:
        stderr().print(f"key {key.id} of {key.name} is revoked")


def _file(file: Path | None, config: Path | None, *, as_json: bool) -> KeyFile:
    if file is not None:
        return KeyFile(file)
    from tradebus.config import ConfigError, ExitCode, Flags, load

    try:
        return KeyFile(load(Flags(config, None, [], [])).settings.api_keys_file())
    except ConfigError as error:
        print_problems(error, as_json=as_json)
        raise typer.Exit(ExitCode.CONFIG_INVALID) from None


def _failed(error: KeyFileError) -> typer.Exit:
    from tradebus.config import ExitCode

    stderr().print(f"failed: {error}", markup=False)
    return typer.Exit(ExitCode.FAILURE)


def _shown(key: ApiKey, last_used_ns: int | None) -> dict[str, str | None]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role.value,
        "created": _time(key.created_ns),
        "last_used": _time(last_used_ns),
        "expires": _time(key.expires_ns),
        "revoked": _time(key.revoked_ns),
    }


def _time(time_ns: int | None) -> str | None:
    return None if time_ns is None else datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).isoformat()
