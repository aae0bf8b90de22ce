"""`tradebus state`: show, diff, watch."""

from typing import Annotated

import typer

from tradebus.cli.api_options import URL, JsonOption, KeyOption, UrlOption

app = typer.Typer(no_args_is_help=True, help="The replica of the engine's state: now, at any time, and as it changes.")

AtOption = Annotated[
    str | None, typer.Option("--at", metavar="SEQUENCE|TIME", help="As of a tick, or of a time (RFC 3339).")
]


@app.command()
def show(
    resource: Annotated[
        str,
        typer.Argument(
            help="trading, connectivity, assets, instruments, positions, orders, trades, ...; or one: instruments/NAME."
        ),
    ] = "state",
    at: AtOption = None,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show the state, or a part of it. Without a resource: a summary of everything."""
    from tradebus.cli.state_show import show_resource

    show_resource(url, key, resource, at, as_json=as_json)


@app.command()
def diff(
    first: Annotated[int, typer.Argument(min=0, metavar="FROM", help="The tick before.")],
    last: Annotated[int, typer.Argument(min=0, metavar="TO", help="The tick after.")],
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what changed in the state between two ticks."""
    from tradebus.cli.state_show import show_difference

    show_difference(url, key, first, last, as_json=as_json)


@app.command()
def watch(
    topics: Annotated[
        str | None,
        typer.Option(
            help="Only these, with commas: trading,connectivity,asset,order,position,trade,market,stats,command."
        ),
    ] = None,
    instruments: Annotated[str | None, typer.Option(help="Only these instruments, with commas.")] = None,
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End after so many events.")] = None,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Print what changes as it changes, until Ctrl-C; goes on by itself when the connection is lost."""
    from tradebus.cli.state_watch import watch_events

    watch_events(url, key, topics, instruments, count, as_json=as_json)
