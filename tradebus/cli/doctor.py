"""`tradebus doctor`: is everything there that Tradebus needs."""

from pathlib import Path
from typing import Annotated

import typer

from tradebus.cli.api_options import URL, JsonOption, KeyOption, UrlOption


def doctor(
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration file.")] = None,
    url: UrlOption = URL,
    key: KeyOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check versions, configuration, ports, NATS, the API, the key (never printed), disk and clock.

    Ends with 0 when nothing is wrong, 1 when something is. What does not run counts as a warning only.
    """
    from tradebus.cli.checks import run_checks

    run_checks(config, url, key, as_json=as_json)
