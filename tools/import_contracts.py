"""A contract for import-linter that lists what may be imported, where naming all that may not has no end."""

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyContract(Contract):
    """Some packages import nothing but themselves and what is listed.

    - ``packages``: what the contract is about, with all below it.
    - ``allowed``: modules they may import; one of ours includes what is below it.
    - ``because``: the reason, told with every breach.
    """

    # A field describes the setting on the class and is its value on an instance.
    packages: Any = fields.SetField(subfield=fields.StringField())
    allowed: Any = fields.SetField(subfield=fields.StringField())
    because: Any = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - the interface's signature
        """Compare every direct import of the packages with the list."""
        packages = sorted(self.packages)
        permitted = [*packages, *self.allowed]
        breaches = [
            f"{detail['importer']}:{detail['line_number']} imports {imported}"
            for importer in sorted(graph.modules)
            if _is_in(importer, packages)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not _is_in(imported, permitted)
            for detail in graph.get_import_details(importer=importer, imported=imported)
        ]
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each import that is not on the list, and why there is a list."""
        for breach in check.metadata["breaches"]:
            output.print_error(breach, bold=False)
        output.print(f"Allowed: {', '.join(sorted(self.allowed))}. {self.because}")


def _is_in(module: str, packages: list[str]) -> bool:
    """Return whether a module is one of the packages or below one."""
    return any(module == package or module.startswith(package + ".") for package in packages)
