"""Places in a configuration: key paths and the values at them."""

from collections.abc import Iterator, Mapping
from typing import Any

KeyPath = tuple[str | int, ...]


def path_text(path: KeyPath) -> str:
    """Return `instruments[0].exchange` for `("instruments", 0, "exchange")`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def value_at(tree: object, path: KeyPath) -> tuple[bool, Any]:
    """Return whether there is a value at `path`, and the value."""
    for part in path:
        match tree, part:
            case dict(), str() if part in tree:
                tree = tree[part]
            case list(), int() if 0 <= part < len(tree):
                tree = tree[part]
            case _:
                return False, None
    return True, tree


def leaves(tree: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every leaf with its path; an empty table or list is a leaf."""
    match tree:
        case Mapping() if tree:
            for key, value in tree.items():
                yield from leaves(value, (*path, str(key)))
        case list() | tuple() if tree:
            for index, value in enumerate(tree):
                yield from leaves(value, (*path, index))
        case _:
            yield path, tree
