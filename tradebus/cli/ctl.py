"""`tradebus ctl`: what an operator asks of the engine."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from tradebus.cli.api_options import (
    EXITS,
    URL,
    WAIT_S,
    DryRunOption,
    JsonOption,
    KeyOption,
    UrlOption,
    WaitOption,
    YesOption,
)

app = typer.Typer(no_args_is_help=True, help=f"Command the engine, with a key of the role operator. {EXITS}")
orders = typer.Typer(no_args_is_help=True, help="Open and cancel orders.")
positions = typer.Typer(no_args_is_help=True, help="Close positions.")
app.add_typer(orders, name="orders")
app.add_typer(positions, name="positions")

ExchangeOption = Annotated[list[str] | None, typer.Option("--exchange", help="Those of an exchange; repeatable.")]
InstrumentOption = Annotated[list[str] | None, typer.Option("--instrument", help="Those of an instrument; repeatable.")]
UnderlyingOption = Annotated[
    list[str] | None,
    typer.Option("--underlying", metavar="EXCHANGE:BASE/QUOTE", help="Those on a pair of assets; repeatable."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Everything.")]
OverrideOption = Annotated[bool, typer.Option("--override-risk", help="Send them even if risk refuses them.")]


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


class Side(StrEnum):
    """Buy or sell."""

    BUY = "buy"
    SELL = "sell"


class TimeInForce(StrEnum):
    """How long an order stays in force."""

    GOOD_UNTIL_CANCELLED = "good_until_cancelled"
    POST_ONLY = "good_until_cancelled_post_only"
    END_OF_DAY = "good_until_end_of_day"
    FILL_OR_KILL = "fill_or_kill"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"


@app.command()
def trading(
    switch: Annotated[Switch, typer.Argument(help="on or off.")],
    wait: WaitOption = WAIT_S,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Switch algorithmic trading on or off. Off never asks whether you are sure."""
    from tradebus.cli.commanding import Wanted, command

    state = "enabled" if switch is Switch.ON else "disabled"
    wanted = Wanted("trading-state", {"state": state}, f"switch trading {switch.value}", asks=switch is Switch.ON)
    command(url, key, wanted, wait_s=wait, dry_run=dry_run, yes=yes, as_json=as_json)


@orders.command("open")
def open_order(
    instrument: Annotated[str, typer.Argument(help="Its name: sim_alpha-btc_usdt.")],
    side: Annotated[Side, typer.Argument(help="buy or sell.")],
    quantity: Annotated[str, typer.Argument(help="In the instrument's unit.")],
    price: Annotated[str | None, typer.Option(help="Limit price, in quote. Without: a market order.")] = None,
    time_in_force: Annotated[
        TimeInForce, typer.Option("--time-in-force", help="How long it stays in force.")
    ] = TimeInForce.GOOD_UNTIL_CANCELLED,
    strategy: Annotated[str | None, typer.Option(help="Whose order it is to be.")] = None,
    cid: Annotated[str | None, typer.Option(help="Its client order id; the engine derives one otherwise.")] = None,
    wait: WaitOption = WAIT_S,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    override_risk: OverrideOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Open an order; it goes through the risk manager as a strategy's does."""
    from tradebus.cli.commanding import Wanted, command
    from tradebus.client.commands import order

    made = order(
        instrument,
        side.value,
        quantity,
        price=price,
        kind="market" if price is None else "limit",
        time_in_force=time_in_force.value,
        strategy=strategy,
        cid=cid,
    )
    at = "at the market" if price is None else f"at {price}"
    body = {"orders": [made], "override_risk": override_risk}
    wanted = Wanted("open-orders", body, f"{side.value} {quantity} of {instrument} {at}")
    command(url, key, wanted, wait_s=wait, dry_run=dry_run, yes=yes, as_json=as_json)


@orders.command("cancel")
def cancel_orders(
    cids: Annotated[list[str] | None, typer.Argument(metavar="[CID]...", help="Client order ids.")] = None,
    exchange: ExchangeOption = None,
    instrument: InstrumentOption = None,
    underlying: UnderlyingOption = None,
    wait: WaitOption = WAIT_S,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    everything: AllOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel the orders with these ids, or all active ones of an exchange, instrument or underlying, or of --all."""
    from tradebus.cli.commanding import Wanted, command, selected

    body: dict[str, Any] = {"cids": cids}
    if cids:
        words = f"cancel {', '.join(cids)}"
    else:
        selection, words = selected(exchange, instrument, underlying, everything=everything)
        body, words = {"filter": selection}, f"cancel every active order of {words}"
    command(url, key, Wanted("cancel-orders", body, words), wait_s=wait, dry_run=dry_run, yes=yes, as_json=as_json)


@positions.command("close")
def close_positions(
    exchange: ExchangeOption = None,
    instrument: InstrumentOption = None,
    underlying: UnderlyingOption = None,
    wait: WaitOption = WAIT_S,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    everything: AllOption = False,
    override_risk: OverrideOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the strategies to close positions, each the way it does."""
    from tradebus.cli.commanding import Wanted, command, selected

    selection, words = selected(exchange, instrument, underlying, everything=everything)
    body = {"filter": selection, "override_risk": override_risk}
    wanted = Wanted("close-positions", body, f"close the positions of {words}")
    command(url, key, wanted, wait_s=wait, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def kill(
    wait: WaitOption = WAIT_S,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    close: Annotated[bool, typer.Option("--close", help="Also close every position.")] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Switch trading off and cancel every order; ends with 0 only when the engine's journal says that both are done.

    Does not ask whether you are sure, except with --close. If a part fails the others are done all the same.
    """
    from tradebus.cli.commanding import Wanted, kill_all

    everything = {"filter": {"type": "all_instruments"}}
    parts = [
        Wanted("trading-state", {"state": "disabled"}, "switch trading off", asks=False),
        Wanted("cancel-orders", everything, "cancel every active order", asks=False),
    ]
    if close:
        parts.append(Wanted("close-positions", everything, "close every position"))
    kill_all(url, key, parts, wait_s=max(wait, 0.1), dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def shutdown(
    wait: WaitOption = WAIT_S,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    keep_trading: Annotated[bool, typer.Option("--keep-trading", help="Leave trading as it is.")] = False,
    keep_orders: Annotated[bool, typer.Option("--keep-orders", help="Leave the active orders.")] = False,
    close: Annotated[bool, typer.Option("--close", help="Close every position first.")] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Stop the engine in order: trading off, orders cancelled, its last tick. Needs a key of the role admin.

    Whoever runs the engine may start it again; trading stays off then.
    """
    from tradebus.cli.commanding import Wanted, command

    body = {"disable_trading": not keep_trading, "cancel_orders": not keep_orders, "close_positions": close}
    wanted = Wanted("shutdown", body, "stop the engine")
    command(url, key, wanted, wait_s=wait, dry_run=dry_run, yes=yes, as_json=as_json)
