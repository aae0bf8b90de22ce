"""The guard in front of the core: what was compiled from other source is refused, and the choice is obeyed."""

import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tradebus import _build

SUFFIX = EXTENSION_SUFFIXES[0]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with a core of two modules, compiled and stamped (the compiled files hold no code)."""
    package = tmp_path / "tradebus"
    for name in ("__init__", "model/order"):
        source = package / "core" / f"{name}.py"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(f"# {name}\n")
        source.with_suffix(SUFFIX).touch()
    _build.library_path(package).touch()
    stamp(package)
    return package


def stamp(package: Path) -> None:
    _build.stamp_path(package).write_text(f"{_build.source_digest(package)} how\n")


def test_compiled_core_that_matches_its_source_is_accepted(package: Path) -> None:
    assert _build.mismatch(package) is None


def test_core_that_is_not_compiled_is_accepted(package: Path) -> None:
    for path in _build.compiled_files(package):
        path.unlink()
    (package / "core" / "__init__.py").write_text("# changed\n")
    assert _build.mismatch(package) is None


def test_changed_source_is_noticed_though_size_and_time_stay(package: Path) -> None:
    source = package / "core" / "model" / "order.py"
    before = source.stat()
    source.write_text("# model/0rder\n")
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    assert "the source is now" in str(_build.mismatch(package))


def test_new_and_removed_source_are_noticed(package: Path) -> None:
    new = package / "core" / "new.py"
    new.touch()
    assert _build.mismatch(package) is not None
    new.unlink()
    assert _build.mismatch(package) is None
    (package / "core" / "model" / "order.py").unlink()
    assert _build.mismatch(package) is not None


def test_moved_source_is_noticed(package: Path) -> None:
    source = package / "core" / "model" / "order.py"
    source.rename(package / "core" / "order.py")
    assert _build.mismatch(package) is not None


def test_compilation_without_stamp_is_refused(package: Path) -> None:
    _build.stamp_path(package).unlink()
    assert "no stamp" in str(_build.mismatch(package))


def test_empty_stamp_is_refused(package: Path) -> None:
    _build.stamp_path(package).write_text("")
    assert "(none)" in str(_build.mismatch(package))


def test_core_that_is_compiled_in_part_is_refused(package: Path) -> None:
    (package / "core" / "model" / f"order{SUFFIX}").unlink()
    assert "1 of 3 compiled files are missing" in str(_build.mismatch(package))


def test_left_over_library_is_refused_without_its_modules(package: Path) -> None:
    for path in _build.compiled_files(package)[:-1]:
        path.unlink()
    assert _build.mismatch(package) is not None


def test_other_python_version_is_not_concerned(package: Path) -> None:
    for path in _build.compiled_files(package):
        path.rename(str(path).replace(SUFFIX, ".cpython-399-other.so"))
    assert _build.mismatch(package) is None


def ask(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a fresh interpreter, with the core's variable set as given or not at all."""
    inherited = {name: value for name, value in os.environ.items() if name != _build.CORE_VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**inherited, **environment},
        cwd=_build.PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_interpreted_core_can_be_chosen_whatever_is_compiled() -> None:
    program = (
        "import sys, tradebus.core.model.order, tradebus.core._compiled as c;"
        "core = [m for n, m in sys.modules.items() if n.startswith('tradebus.core')];"
        "print(c.COMPILED, len(core) > 2, {m.__file__[-3:] for m in core})"
    )
    answer = ask(program, TRADEBUS_CORE="interpreted")
    assert answer.stdout.strip() == "False True {'.py'}", answer.stderr


def test_compiled_core_is_insisted_on() -> None:
    answer = ask("import tradebus.core._compiled as c; print(c.COMPILED)", TRADEBUS_CORE="compiled")
    if _build.compiled_files():
        assert answer.stdout.strip() == "True", answer.stderr
    else:
        assert answer.returncode == 1
        assert "make compile" in answer.stderr


def test_unknown_choice_is_refused() -> None:
    answer = ask("import tradebus", TRADEBUS_CORE="fast")
    assert answer.returncode == 1
    assert "TRADEBUS_CORE: expected 'compiled', 'interpreted' or nothing, found 'fast'" in answer.stderr


def test_importing_the_package_runs_the_guard(tmp_path: Path) -> None:
    copy = tmp_path / "tradebus"
    (copy / "core").mkdir(parents=True)
    for name in ("__init__.py", "_build.py"):
        (copy / name).write_text((_build.PACKAGE / name).read_text())
    (copy / "core" / "__init__.py").touch()
    (copy / "core" / f"__init__{SUFFIX}").touch()
    answer = ask(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tradebus")
    assert answer.returncode == 1
    assert "run `make compile`" in answer.stderr
