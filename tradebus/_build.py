"""Decide which core runs, compiled or interpreted, and refuse a compiled one that its source has outrun.

Python prefers an extension module to the source beside it, and never asks which is newer: a compiled core
left over from yesterday would trade with yesterday's rules. So a compilation writes a stamp, the digest of the
source it was made from, and importing ``tradebus`` compares the two before anything of the core is loaded.
Contents are compared, not times: a checkout, a copy or a clock may set times to anything.

``TRADEBUS_CORE`` chooses: ``interpreted`` loads the source even where compiled modules lie beside it,
``compiled`` insists on them, and without it the compiled core is used where there is one.

Only the standard library is used: the build loads this file by its path, before anything is installed.
"""

import hashlib
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent

CORE_VARIABLE = "TRADEBUS_CORE"

# One shared library holds the whole core; the modules beside the sources only point into it. It lies beside the
# package, not in it: mypyc derives the place of every module from the place of the library.
GROUP = "tradebus_core"

_LIBRARY_MODULE = f"{GROUP}__mypyc"
_SUFFIX = EXTENSION_SUFFIXES[0]
_STAMP = f"_core{_SUFFIX.removesuffix('.so')}.stamp"

# What is compiled, as folders below the package: the core, and the messages on the hot path, which make its values.
COMPILED_FOLDERS = ("core", "wire/laid")
_COMPILED_MODULES = ("tradebus.core", "tradebus.wire.laid")


class StaleCoreError(RuntimeError):
    """The compiled core and its source do not belong together."""


def core_sources(package: Path = PACKAGE) -> list[Path]:
    """Return every source file that is compiled below ``package``, sorted by path."""
    return sorted(path for folder in COMPILED_FOLDERS for path in _files(package / folder, ".py"))


def compiled_files(package: Path = PACKAGE) -> list[Path]:
    """Return the compiled modules made for the running Python, sorted by path."""
    library = library_path(package)
    modules = [path for folder in COMPILED_FOLDERS for path in _files(package / folder, _SUFFIX)]
    return sorted([*modules, *([library] if library.exists() else [])])


def source_digest(package: Path = PACKAGE) -> str:
    """Return the digest (BLAKE2b, 128 bits, hex) of the paths and contents of all sources of the core."""
    digest = hashlib.blake2b(digest_size=16)
    for path in core_sources(package):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def library_path(package: Path = PACKAGE) -> Path:
    """Return where the shared library of the running Python's compiled core lies."""
    return package.parent / f"{_LIBRARY_MODULE}{_SUFFIX}"


def stamp_path(package: Path = PACKAGE) -> Path:
    """Return where the compilation notes what it was made from; each Python version has its own.

    The first word is the digest of the source, what follows is the build's own business.
    """
    return package / _STAMP


def mismatch(package: Path = PACKAGE) -> str | None:
    """Say how the compiled core below ``package`` differs from its source; None when they belong together.

    No compiled file at all is no mismatch: the core then runs interpreted, and says so.
    """
    compiled = compiled_files(package)
    if not compiled:
        return None
    try:
        stamp = stamp_path(package).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return f"{len(compiled)} compiled files of the core have no stamp {_STAMP} (an interrupted compilation?)"
    found = source_digest(package)
    if stamp[:1] != [found]:
        return f"the core was compiled from source {' '.join(stamp[:1]) or '(none)'}, the source is now {found}"
    expected = {library_path(package), *(path.with_name(path.stem + _SUFFIX) for path in core_sources(package))}
    missing = sorted(expected - set(compiled))
    if missing:
        return f"{len(missing)} of {len(expected)} compiled files are missing, first {missing[0].name}"
    return None


def guard() -> None:
    """Make the choice of ``TRADEBUS_CORE`` hold; called once, before anything of the core is imported.

    Raises StaleCoreError when the compiled core is not made from the source beside it, or is asked for and not
    there; ValueError when ``TRADEBUS_CORE`` has a value that means nothing.
    """
    choice = os.environ.get(CORE_VARIABLE, "")
    if choice == "interpreted":
        if not any(isinstance(finder, InterpretedCore) for finder in sys.meta_path):
            sys.meta_path.insert(0, InterpretedCore())
        return
    if choice not in {"", "compiled"}:
        raise ValueError(f"{CORE_VARIABLE}: expected 'compiled', 'interpreted' or nothing, found {choice!r}")
    problem = mismatch()
    if problem is not None:
        raise StaleCoreError(f"{problem}; run `make compile` (or set {CORE_VARIABLE}=interpreted)")
    if library_path().exists():
        _load_library()
    elif choice == "compiled":
        raise StaleCoreError(f"{CORE_VARIABLE}=compiled, but nothing is compiled for {_SUFFIX}; run `make compile`")


class InterpretedCore(MetaPathFinder):
    """Finds the modules of the core by their source only, as if no compiled module lay beside it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the source module's spec for ``tradebus.core`` and what is below it, None for all others."""
        if not any(fullname == name or fullname.startswith(f"{name}.") for name in _COMPILED_MODULES):
            return None
        for folder in path or ():
            spec = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(fullname, target)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def _load_library() -> None:
    """Load the shared library from beside this package, whatever the search path says.

    An editable installation puts only the package on the path, and a library of the same name elsewhere would be
    somebody else's.
    """
    if _LIBRARY_MODULE in sys.modules:
        return
    spec = spec_from_file_location(_LIBRARY_MODULE, library_path())
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[_LIBRARY_MODULE] = module
    spec.loader.exec_module(module)


def _files(folder: Path, suffix: str) -> list[Path]:
    """Return the files below ``folder`` whose names end with ``suffix``, caches left out."""
    found: list[Path] = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        found.extend(Path(where, name) for name in names if name.endswith(suffix))
    return found
