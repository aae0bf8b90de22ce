"""Send commands, having asked whoever sits there, and tell what became of them."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.text import Text

from tradebus.cli.asking import asking, code_of, tell
from tradebus.cli.output import LIVE, mode_text, print_json, stderr, stdout
from tradebus.client import Client, ClientError
from tradebus.client.commands import selection
from tradebus.client.models import CommandProgressView
from tradebus.config.exits import ExitCode

_STYLES = {"applied": "bold green", "rejected": "bold red", "accepted": "yellow", "lost": "bold red", "valid": "cyan"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command: where it is posted, its body, and what it does in words. ``asks``: whether to ask before it."""

    path: str
    body: Mapping[str, Any]
    words: str
    asks: bool = True


def command(
    url: str, key: str | None, wanted: Wanted, *, wait_s: float, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Send a command and tell what became of it; ends with the documented exit status."""
    with asking(url, key, as_json=as_json, confirm_live=True) as client:
        if wanted.asks and not dry_run:
            _ask(client, [wanted], yes=yes)
        progress = client.command(wanted.path, wanted.body, wait_s=wait_s, dry_run=dry_run)
    if as_json:
        print_json(progress.model_dump(mode="json"))
    else:
        _tell(wanted, progress)


def kill_all(
    url: str, key: str | None, parts: Sequence[Wanted], *, wait_s: float, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Send every part, whatever becomes of the others; ends with the worst of their statuses."""
    worst = ExitCode.OK
    done: list[CommandProgressView] = []
    with asking(url, key, as_json=as_json, confirm_live=True) as client:
        asked = [part for part in parts if part.asks]
        if asked and not dry_run:
            _ask(client, asked, yes=yes)
        for part in parts:
            try:
                progress = client.command(part.path, part.body, wait_s=wait_s, dry_run=dry_run)
            except ClientError as error:
                worst = max(worst, code_of(error))
                stderr().print(Text(f"{part.words}:", "bold"))
                tell(error, as_json=False)
                continue
            done.append(progress)
            if not as_json:
                _tell(part, progress)
    if as_json:
        print_json({"done": [each.model_dump(mode="json") for each in done], "exit": int(worst)})
    if worst:
        raise typer.Exit(worst)


def selected(
    exchanges: Sequence[str] | None,
    instruments: Sequence[str] | None,
    underlyings: Sequence[str] | None,
    *,
    everything: bool,
) -> tuple[dict[str, Any], str]:
    """Return the filter that was asked for, and its words; ends with a usage error where it is none, or several."""
    given = [list(each) for each in (exchanges, instruments, underlyings) if each]
    if len(given) + everything != 1:
        raise typer.BadParameter("expected one of --exchange, --instrument, --underlying and --all")
    if everything:
        return selection(), "all instruments"
    pairs = [_underlying(text) for text in underlyings or ()]
    chosen = selection(exchanges=exchanges or (), instruments=instruments or (), underlyings=pairs)
    return chosen, ", ".join(given[0])


def _underlying(text: str) -> tuple[str, str, str]:
    exchange, _, pair = text.partition(":")
    base, _, quote = pair.partition("/")
    if not (exchange and base and quote):
        raise typer.BadParameter(f"--underlying: expected EXCHANGE:BASE/QUOTE, found {text!r}")
    return exchange, base, quote


def _ask(client: Client, wanted: Sequence[Wanted], *, yes: bool) -> None:
    """Ask whoever sits there, naming the mode; ends with a usage error where nobody does."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("expected --yes, as there is nobody to ask")
    mode = str(client.get("/v1/trading").get("mode", ""))
    words = "; ".join(part.words for part in wanted)
    stderr().print(Text.assemble("mode ", mode_text(mode), f" at {client.url}: {words}"))
    question = f"Type {LIVE} to go on" if mode == LIVE else "Go on?"
    if mode == LIVE:
        if typer.prompt(question, err=True) != LIVE:
            raise typer.Exit(ExitCode.FAILURE)
    elif not typer.confirm(question, err=True):
        raise typer.Exit(ExitCode.FAILURE)


def _tell(wanted: Wanted, progress: CommandProgressView) -> None:
    at = "" if progress.sequence is None else f" at sequence {progress.sequence}"
    status = (progress.status, _STYLES.get(progress.status, "bold"))
    stdout().print(Text.assemble(status, f"{at}: {wanted.words}", f"  ({progress.id})" if progress.id else ""))
    for name, cids in (("opened", progress.opened), ("cancelled", progress.cancelled)):
        for cid in cids:
            stdout().print(Text(f"  {name} {cid}"))
    for reason in progress.declined:
        stderr().print(Text(f"  declined: {reason}", "yellow"))
    if progress.status == "accepted":
        stderr().print(Text(f"  on its way; it expires {progress.expires}", "yellow"))
