"""No expression of the compiled core reads an attribute of a value that dies before the expression is done.

mypyc (2.4) borrows a ``Final`` attribute that is an operand of a larger expression: it takes no reference and counts on
the object it belongs to. Where a comprehension follows in the same expression and the object is a local's last use, or
the result of a call, the object is freed first and the operand with it: ``pair(made().items, [x for x in y])`` crashes
or, worse, gives other values. Give the attribute, or the comprehension, a name of its own before.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradebus._build import PACKAGE, core_sources

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp)


def operands(node: ast.AST) -> list[ast.expr]:
    """Return the operands of an expression in the order in which they are evaluated."""
    match node:
        case ast.Call():
            return [*node.args, *(keyword.value for keyword in node.keywords)]
        case ast.Tuple() | ast.List() | ast.Set():
            return node.elts
        case ast.BinOp():
            return [node.left, node.right]
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return [part for pair in pairs for part in pair if part is not None]
        case _:
            return []


def made_here(function: ast.FunctionDef) -> set[str]:
    """Return the names that a function gives to what calls return: nobody else need hold that."""
    names: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def borrowed(function: ast.FunctionDef) -> Iterator[ast.expr]:
    """Yield the attributes that are borrowed while a comprehension runs."""
    names = made_here(function)
    for node in ast.walk(function):
        parts = operands(node)
        for i, part in enumerate(parts):
            if not isinstance(part, ast.Attribute):
                continue
            owner = part.value
            is_fleeting = isinstance(owner, ast.Call) or (isinstance(owner, ast.Name) and owner.id in names)
            later = (inner for other in parts[i + 1 :] for inner in ast.walk(other))
            if is_fleeting and any(isinstance(inner, COMPREHENSIONS) for inner in later):
                yield part


def found_in(source: str) -> list[str]:
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [ast.unparse(part) for function in functions for part in borrowed(function)]


@pytest.mark.parametrize("path", core_sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_attributes_are_held_while_comprehensions_run(path: Path) -> None:
    assert found_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("pair(box.items, [x for x in y])", ["box.items"]),
        ("pair(make().items, {x: x for x in y})", ["make().items"]),
        ("(box.items, [x for x in y])", ["box.items"]),
        ("box.items + [x for x in y]", ["box.items"]),
        ("pair([x for x in y], box.items)", []),
        ("pair(y.items, [x for x in y])", []),
        ("pair(box.items, make())", []),
    ],
)
def test_what_counts_as_borrowed(expression: str, found: list[str]) -> None:
    assert found_in(f"def f(y):\n    box = make()\n    return {expression}\n") == found
