"""The simulator drives the services' own code: it holds no copy of what it is there to test."""

import ast
import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

from tests.simulation.venue_world import VenueWorld
from tests.simulation.world import Menu, run_seed

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

DRIVEN = (
    "services.engine.stepper",
    "services.engine.journal",
    "services.engine.live",
    "services.engine.market_inlet",
    "services.engine.account_inlet",
    "services.engine.command_inlet",
    "services.engine.trading_policy",
    "services.engine.recovery",
    "services.engine.snapshotting",
    "services.engine.snapshot_store",
    "services.engine.leadership",
    "services.engine.proof",
    "services.engine.pruned_front",
    "services.execution.account",
    "services.execution.account_journal",
    "services.execution.owner",
    "services.execution.sharing",
    "tradebus.bus.leases",
    "services.audit.fold",
    "services.audit.follower",
    "services.audit.archivist",
    "services.audit.past",
    "services.audit.pruner",
    "tradebus.journal.pruning",
    "tradebus.journal.archive.writer",
    "tradebus.journal.archive.checkpoints",
    "tradebus.journal.writer",
)

DRIVEN_AT_VENUES = (
    "services.engine.outbox",
    "services.execution.request_ledger",
    "services.execution.resolving",
    "services.execution.venue_account",
    "services.execution.venue_execution",
)


def class_names(folder: Path) -> dict[str, Path]:
    """Return the classes that the modules of a folder define."""
    return {
        node.name: path
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    }


def test_no_class_of_the_services_is_defined_again() -> None:
    ours = class_names(FOLDER)
    theirs = class_names(ROOT / "services") | class_names(ROOT / "tradebus" / "journal")
    assert not [f"{name}: {theirs[name]}" for name in ours if name in theirs]


def called_by(run: Callable[[], object], names: Iterable[str]) -> set[str]:
    """Return which of these modules are called while something runs."""
    called: set[str] = set()
    files = {str(Path(importlib.import_module(name).__file__ or "")): name for name in names}

    def profile(frame: FrameType, event: str, argument: object) -> None:
        name = files.get(frame.f_code.co_filename)
        if name is not None:
            called.add(name)

    kept = sys.getprofile()
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(kept)
    return called


def test_every_module_that_decides_is_run() -> None:
    """Note which modules are called while some seeds run in which programs are killed."""
    called = called_by(lambda: [run_seed(seed, Menu(kills=6)) for seed in (3, 4, 5)], DRIVEN)
    assert called == set(DRIVEN)


def test_every_module_of_a_venue_s_account_is_run() -> None:
    """Note the same of a venue's account; only some kills leave a request in doubt."""
    called = called_by(
        lambda: [run_seed(seed, Menu(kills=6), VenueWorld) for seed in (3, 4, 5)],
        DRIVEN_AT_VENUES,
    )
    assert called == set(DRIVEN_AT_VENUES)
