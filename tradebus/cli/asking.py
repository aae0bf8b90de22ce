"""Ask the API, and end with the documented exit status when it does not answer as wished."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from tradebus.cli.output import print_json, stderr
from tradebus.client import (
    Client,
    ClientError,
    CommandLost,
    CommandRejected,
    CommandTimeout,
    InvalidRequest,
    ProblemError,
    ServiceUnavailable,
    UnexpectedAnswer,
    Unreachable,
)
from tradebus.config.exits import ExitCode


@contextmanager
def asking(url: str, key: str | None, *, as_json: bool, confirm_live: bool = False) -> Iterator[Client]:
    """Give a client; what it raises ends the command with a line, or JSON, that says why."""
    try:
        with Client(url, key=key, confirm_live=confirm_live) as client:
            yield client
    except ClientError as error:
        fail(error, as_json=as_json)


def fail(error: ClientError, *, as_json: bool) -> NoReturn:
    """Say what went wrong and end with its exit status."""
    tell(error, as_json=as_json)
    raise typer.Exit(code_of(error)) from None


def tell(error: ClientError, *, as_json: bool) -> None:
    """Say what went wrong: on stderr, with ``--json`` as data."""
    if as_json:
        print_json(data_of(error))
        return
    console = stderr()
    if not isinstance(error, ProblemError):
        console.print(f"[bold red]failed:[/] {_plain(str(error))}")
        return
    console.print(f"[bold red]refused:[/] {_plain(error.detail)}")
    for each in error.errors:
        near = f"; near: {', '.join(each['near'])}" if each.get("near") else ""
        name = each.get("name") or each.get("where")
        console.print(f"  {name}: expected {each['expected']}, found {each.get('found')}{near}", markup=False)


def data_of(error: ClientError) -> dict[str, Any]:
    """Return an error as data."""
    if isinstance(error, ProblemError):
        return {"error": error.problem}
    if isinstance(error, CommandRejected | CommandTimeout | CommandLost):
        return {"error": {"detail": str(error)}, "command": error.progress.model_dump(mode="json")}
    return {"error": {"detail": str(error)}}


def code_of(error: ClientError) -> ExitCode:
    """Return the exit status for an error."""
    if isinstance(error, Unreachable | ServiceUnavailable | UnexpectedAnswer):
        return ExitCode.NOT_REACHABLE
    if isinstance(error, CommandRejected):
        return ExitCode.REJECTED
    if isinstance(error, CommandTimeout | CommandLost):
        return ExitCode.TIMED_OUT
    return ExitCode.USAGE if isinstance(error, InvalidRequest) else ExitCode.FAILURE


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
