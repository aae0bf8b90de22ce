"""Replay recordings through the services: ``make replay RECORDINGS="file ..."``.

Starts NATS and the four services on free ports, feeds the recordings at full speed without loss, lets the strategies
trade, waits for the replica, and prints a summary; the last line is one JSON object. What ended early, however it did,
goes on with ``--resume RUN`` and gives the same orders, fills and final state. Exit codes: 0 replica, fold and
counts agree with the engine and every line could be read; 1 something differs or failed; 2 usage.
"""

import asyncio
import json
import secrets
import shutil
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.replaying.outcome import Outcome
from services.replaying.run import STALLED_S, ReplayFailed, progress_bar, run_replay
from services.replaying.settings import replay_settings
from services.supervisor import SERVICES, Program, SupervisorError
from tradebus.config import ConfigError, ExitCode, Flags, Mode, RuntimeSettings, Settings, load_settings
from tradebus.config.risk import make_risk
from tradebus.config.strategies import make_strategies

SKIPPED_SHOWN = 6


def main(argv: Sequence[str] | None = None, programs: Sequence[Program] = SERVICES) -> int:
    """Run a replay as the command line says, with these programs as services; return the exit code."""
    parser = ArgumentParser("python -m services.replay", description=__doc__.partition("\n")[0])
    parser.add_argument("recordings", nargs="*", type=Path, help="raw recordings, their names begin with the exchange")
    parser.add_argument(
        "--config", type=Path, help="a configuration to trade by, instead of one made from the recordings"
    )
    parser.add_argument(
        "--resume", metavar="RUN", help="go on with a replay that ended early, with all that it began with"
    )
    parser.add_argument("--keep", action="store_true", help="keep streams and logs of the run")
    parser.add_argument("--hash-every-batch", action="store_true", help="compare the hashes at every batch")
    parser.add_argument("--timeout-s", type=float, default=STALLED_S, help="give up when nothing moved for so long")
    options = parser.parse_args(argv)
    run = options.resume or secrets.token_hex(4)
    talk = Console(stderr=True, highlight=False)
    try:
        if options.resume is not None:
            settings, folder = _begun(run, options.recordings, options.config)
        else:
            settings = _settings(options.recordings, options.config, run, options.hash_every_batch)
            folder = settings.runtime.data_dir / "replays" / run
        make_strategies(settings)
        make_risk(settings)
    except ConfigError as error:
        for problem in error.problems:
            talk.print(f"configuration: {problem}", markup=False)
        return ExitCode.CONFIG_INVALID
    except (LookupError, OSError, ValueError) as error:
        talk.print(f"cannot replay: {error}", markup=False)
        return ExitCode.USAGE
    try:
        with progress_bar() as bar:
            outcome = asyncio.run(
                run_replay(
                    settings,
                    folder,
                    programs=programs,
                    stalled_s=options.timeout_s,
                    bar=bar,
                    resume=options.resume is not None,
                )
            )
    except (ReplayFailed, SupervisorError) as error:
        talk.print(f"replay failed: {error}\nlogs: {folder / 'logs'}; to go on: --resume {run}", markup=False)
        return ExitCode.FAILURE
    except KeyboardInterrupt:
        talk.print(f"interrupted; everything was stopped. To go on: --resume {run}")
        return ExitCode.FAILURE
    return _tell(outcome, talk, folder, keep=options.keep)


def _settings(files: Sequence[Path], config: Path | None, run: str, hash_every_batch: bool) -> Settings:
    if not files:
        raise ValueError("expected recordings, or --resume with the name of a run, found neither")
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"no such recording: {', '.join(missing)}")
    resolved = [file.resolve() for file in files]
    if config is None:
        return replay_settings(resolved, run, hash_every_batch)
    settings = load_settings(Flags(config=config, mode="replay"))
    engine = settings.engine.model_copy(update={"hash_every": "batch"}) if hash_every_batch else settings.engine
    return settings.model_copy(
        update={
            "recording": resolved,
            "engine": engine,
            "runtime": settings.runtime.model_copy(update={"run": run}),
        }
    )


def _begun(run: str, files: Sequence[Path], config: Path | None) -> tuple[Settings, Path]:
    """Return what a replay that ended early runs with, and its folder."""
    if files or config is not None:
        raise ValueError("expected nothing beside --resume: a replay goes on with what it began with")
    folder = RuntimeSettings().data_dir / "replays" / run
    written = folder / "run" / "tradebus.toml"
    if not written.is_file():
        raise FileNotFoundError(f"no replay {run!r} to go on with: expected {written}")
    return load_settings(Flags(config=written, mode=Mode.REPLAY.value)), folder


def _tell(outcome: Outcome, talk: Console, folder: Path, *, keep: bool) -> int:
    data = outcome.as_data()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    skipped = ", ".join(f"{kind} {count:,}" for kind, count in sorted(outcome.skipped.items())[:SKIPPED_SHOWN])
    pnl = ", ".join(f"{amount} {asset}" for asset, amount in outcome.pnl_realised.items())
    replica = "equal" if outcome.is_equal else f"NOT EQUAL: {outcome.replica_hash}"
    rows = {
        "events": f"{outcome.events:,} ({data['events_per_s']:,} a second)",
        "skipped": skipped or "nothing",
        "orders": f"{outcome.orders:,}, cancels {outcome.cancels:,}, fills {outcome.fills:,}",
        "realised PnL": pnl or "nothing",
        "ticks": f"{outcome.engine_sequence + 1:,}",
        "state hash": outcome.engine_hash,
        "replica": replica,
        "digest": outcome.digest,
        "fold": "equal" if outcome.fold_equal else "NOT EQUAL",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    Console(highlight=False).print(table)
    complaints = outcome.complaints
    for complaint in complaints:
        talk.print(f"not good: {complaint}", style="bold red", markup=False)
    if keep or complaints:
        talk.print(f"streams and logs: {folder}", markup=False)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(data))  # the last line, for programs
    return ExitCode.FAILURE if complaints else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
