"""The simulator drives the services' own code: it holds no copy of what it is there to test."""

import ast
import sys
from pathlib import Path

from tests.simulation import world
from tests.simulation.world import run_seed

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
    "services.execution.account",
    "services.execution.account_journal",
    "services.execution.owner",
    "services.execution.sharing",
    "tradebus.bus.leases",
    "services.audit.fold",
    "services.audit.follower",
    "services.audit.archivist",
    "services.audit.past",
    "tradebus.journal.archive.writer",
    "tradebus.journal.archive.checkpoints",
    "tradebus.journal.writer",
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


def test_every_module_that_decides_is_run() -> None:
    """Note which modules are called while seeds run in which programs are killed."""
    called: set[str] = set()
    files = {str(Path(sys.modules[name].__file__ or "")): name for name in DRIVEN}

    def profile(frame, event, argument) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
        name = files.get(frame.f_code.co_filename)
        if name is not None:
            called.add(name)

    kept = sys.getprofile()
    sys.setprofile(profile)
    try:
        for seed in (3, 4, 5):
            run_seed(seed, world.Menu(kills=6))
    finally:
        sys.setprofile(kept)
    assert called == set(DRIVEN)
