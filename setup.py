"""Compile ``tradebus.core`` with mypyc as one unit; all else about the distribution stands in pyproject.toml.

- Building a wheel compiles where a C compiler and Python's headers are present. ``TRADEBUS_BUILD_CORE`` decides
  otherwise: ``compiled`` fails without them, ``interpreted`` does not compile.
- An editable installation does not compile. ``python setup.py compile_core`` (`make compile`) does, in place.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from setuptools import Command, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CHOICE_VARIABLE = "TRADEBUS_BUILD_CORE"

# By its path: importing the package would run the very check that a compilation has to satisfy first.
_spec = importlib.util.spec_from_file_location("_tradebus_build", ROOT / "tradebus" / "_build.py")
assert _spec is not None
assert _spec.loader is not None
_build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_build)


def missing_tool() -> str | None:
    """Name what a compilation needs and this machine lacks; None when nothing is missing."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"no C compiler (looked for `{compiler}`)"
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.exists():
        return f"no Python headers (looked for {header})"
    return None


def wheel_is_compiled() -> bool:
    """Return whether a wheel is being built and gets a compiled core; end the build when it should but cannot."""
    choice = os.environ.get(CHOICE_VARIABLE, "")
    missing = missing_tool()
    if choice not in {"", "compiled", "interpreted"}:
        sys.exit(f"{CHOICE_VARIABLE}: expected 'compiled', 'interpreted' or nothing, found {choice!r}")
    if choice == "compiled" and missing is not None:
        sys.exit(f"{CHOICE_VARIABLE}=compiled, but there is {missing}")
    # The other steps of a build (metadata, source archive, editable installation) come through here as well.
    return "bdist_wheel" in sys.argv and choice != "interpreted" and missing is None


def build_note() -> str:
    """Return the digest of how the core is built: another mypyc or other options ask for a new compilation."""
    return hashlib.blake2b(f"{version('mypy')}\0".encode() + Path(__file__).read_bytes(), digest_size=16).hexdigest()


def core_extensions() -> list[Any]:
    """Translate the core to C and return what is to be compiled: one library, and per module a pointer into it."""
    from mypyc.build import mypycify  # noqa: PLC0415 - present only where the core is compiled

    sources = [str(path.relative_to(ROOT)) for path in _build.core_sources()]
    # No configuration file: the one in pyproject.toml speaks of packages that a build does not need.
    options = ["--config-file=", "--strict", "--explicit-package-bases", "--no-warn-unused-ignores"]
    # Optimised lightly, without debug information and warnings of generated code: as fast to run, within what can be
    # measured (nearly all time is spent in Python's own library), and much quicker to compile.
    extensions = list(mypycify([*options, *sources], opt_level="1", group_name=_build.GROUP))
    for extension in extensions:
        extension.extra_compile_args = [*extension.extra_compile_args, "-g0", "-w"]
        for source in extension.sources:
            lighten(ROOT / source)
    return extensions


def lighten(source: Path) -> None:
    """Make a generated C file cheaper to compile; what it does stays the same.

    - Its indentation grows from line to line and is five sixths of the text.
    - The bodies of modules run once, at import; optimising them takes a third of the compiler's time.
    """
    text = "\n".join([line.lstrip(" ") for line in source.read_text(encoding="utf-8").split("\n")])
    body = re.compile(r"^(char CPyDef_\w+_____top_level__\(void\) \{)$", flags=re.MULTILINE)
    source.write_text(body.sub(r'__attribute__((optimize("O0"))) \1', text), encoding="utf-8")


class BuildCore(build_ext):
    """Compiles the core and leaves the stamp of the source that it was compiled from."""

    def finalize_options(self) -> None:
        """Compile on all cores: beside the one large file there is a small one for every module."""
        super().finalize_options()
        self.parallel = self.parallel or True
        # The large one first, so that it does not run alone at the end.
        self.extensions.sort(key=lambda extension: -sum((ROOT / source).stat().st_size for source in extension.sources))

    def run(self) -> None:
        """Compile, then write the stamp last: an interrupted compilation has none and is refused."""
        super().run()
        if self.extensions:
            if _build.source_digest() != DIGEST:
                sys.exit("the source of the core changed while it was compiled; compile again")
            stamp = _build.stamp_path(Path(self.build_lib, "tradebus"))
            stamp.write_text(f"{DIGEST} {build_note()}\n", encoding="ascii")


class CompileCore(Command):
    """Brings the compiled core in this checkout up to date, or removes it where it cannot be compiled."""

    description = "compile tradebus.core in place, where a C compiler is present"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = []

    def initialize_options(self) -> None:
        """Take no options."""

    def finalize_options(self) -> None:
        """Take no options."""

    def run(self) -> None:
        """Compile unless the stamp shows that it is done; never leave a compiled core that does not match."""
        (ROOT / "build").mkdir(exist_ok=True)
        with (ROOT / "build" / ".lock").open("w") as lock:
            # Two targets may start at once: the second waits, then finds the work done.
            fcntl.flock(lock, fcntl.LOCK_EX)
            missing = missing_tool()
            if missing is not None:
                remove_compiled()
                print(f"core: not compiled, {missing}; it runs interpreted, same results, several times slower")
            elif not self._is_up_to_date():
                remove_compiled()
                print(f"core: compiling {len(_build.core_sources())} modules with mypyc {version('mypy')}", flush=True)
                self._compile()

    def _is_up_to_date(self) -> bool:
        """Return whether everything is compiled, from this source and in this way."""
        if not _build.compiled_files() or _build.mismatch() is not None:
            return False
        return bool(_build.stamp_path().read_text(encoding="ascii").split()[1:] == [build_note()])

    def _compile(self) -> None:
        """Compile aside, then move the files in place, the stamp last."""
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
            began = time.monotonic()
            self.distribution.ext_modules = core_extensions()
            print(
                f"core: translated to C in {time.monotonic() - began:.0f} s; compiling that, up to a minute",
                flush=True,
            )
            command = self.reinitialize_command("build_ext")
            command.build_lib = folder
            self.run_command("build_ext")
            made = Path(folder, "tradebus")
            for path in _build.compiled_files(made):
                shutil.move(path, ROOT / path.relative_to(folder))
            shutil.move(_build.stamp_path(made), _build.stamp_path())
            print(f"core: compiled in {time.monotonic() - began:.0f} s", flush=True)


def remove_compiled() -> None:
    """Remove what was compiled for the running Python, the stamp first: without it the rest is refused."""
    for path in [_build.stamp_path(), *_build.compiled_files()]:
        path.unlink(missing_ok=True)


# Taken before the translation to C reads the first file.
DIGEST = _build.source_digest()

setup(
    ext_modules=core_extensions() if wheel_is_compiled() else [],
    cmdclass={"build_ext": BuildCore, "compile_core": CompileCore},
)
