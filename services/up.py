"""Start the whole system on this machine: `make up`, without Docker.

`python -m services.up` runs NATS and the four services in the foreground until Ctrl-C; `--detach` in the background
until `--stop`. It goes on with what an earlier run left; `--fresh` removes that first. Exit codes: 0 an ordered stop,
1 it could not start or not be kept running (a port in use, a crash loop, another one running here), 3 the configuration
is wrong, 6 in the background but not ready yet.
"""

import asyncio
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from services.runtime.run import print_problems
from services.supervisor import Supervisor, Terminal, background, foreground
from tradebus.config import ConfigError, ExitCode, Flags, RuntimeSettings, Settings, load_settings
from tradebus.config.risk import make_risk
from tradebus.config.sections.modes import Mode
from tradebus.config.strategies import make_strategies

_YES = frozenset({"1", "yes", "true"})


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says (and what `make` passes on: DETACH, FRESH, MODE); return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = ArgumentParser("python -m services.up", description=__doc__.partition("\n")[0])
    Flags.add_to(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--detach", action="store_true", help="run in the background; DETACH=1 does the same")
    how.add_argument("--foreground", action="store_true", help="run in the foreground, whatever DETACH says")
    how.add_argument("--stop", "--down", action="store_true", help="stop what runs in the background")
    parser.add_argument("--fresh", action="store_true", help="remove earlier journals first; FRESH=1 does the same")
    options = parser.parse_args(arguments)
    if options.mode is None and os.environ.get("MODE"):
        options.mode = os.environ["MODE"]
        arguments += ["--mode", options.mode]
    detach = options.detach or (not options.foreground and _is_yes("DETACH"))
    flags = Flags.of(options)
    if options.stop:
        return background.stop(_data_dir(flags), sys.stdout)
    try:
        settings = load_settings(flags)
        make_strategies(settings)
        make_risk(settings)
    except ConfigError as error:
        print_problems(error, sys.stderr)
        return ExitCode.CONFIG_INVALID
    if settings.mode is Mode.REPLAY:
        # A replay begins on empty streams: here it would remove what a demo or paper run left.
        print(
            'mode: expected demo, paper or live; recordings are replayed by make replay RECORDINGS="..."',
            file=sys.stderr,
        )
        return ExitCode.CONFIG_INVALID
    if detach:
        rest = [argument for argument in arguments if argument != "--detach"]
        command = [sys.executable, "-m", "services.up", "--foreground", *rest]
        return background.start(settings.runtime.data_dir, command, sys.stdout)
    return asyncio.run(_foreground(settings, fresh=options.fresh or _is_yes("FRESH")))


async def _foreground(settings: Settings, *, fresh: bool) -> int:
    progress = Terminal()
    supervisor = Supervisor(settings, progress=progress, fresh=fresh)
    return await foreground.run(supervisor, progress)


def _is_yes(name: str) -> bool:
    return os.environ.get(name, "").lower() in _YES


def _data_dir(flags: Flags) -> Path:
    """Return the data folder, the usual one where the configuration has become unreadable: stopping must work."""
    try:
        return load_settings(flags).runtime.data_dir
    except ConfigError:
        return RuntimeSettings().data_dir


if __name__ == "__main__":
    raise SystemExit(main())
