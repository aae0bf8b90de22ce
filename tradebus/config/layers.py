"""Layers of configuration merged into one tree that remembers where each value came from.

Low to high: file, overlay of the mode, `conf.d/*.toml`, environment, flags. A higher table adds to a lower one key
by key; any other value, lists included, replaces it. Environment variables and flags reach into lists by position.
"""

from copy import deepcopy
from typing import Any

from tradebus.config.keypath import KeyPath, leaves
from tradebus.config.problem import Finding, Problem

DEFAULT = "default"


class Sources:
    """Where every leaf of a configuration came from."""

    def __init__(self) -> None:
        self._origins: dict[KeyPath, str] = {}
        self._first: str | None = None

    def where(self, path: KeyPath) -> str:
        """Return the source of the value at `path`; of what is missing, the source of what surrounds it."""
        for length in range(len(path), 0, -1):
            part = path[:length]
            if part in self._origins:
                return self._origins[part]
            beneath = [where for key, where in self._origins.items() if key[:length] == part]
            if beneath:
                return beneath[0]
        return self._first or "settings"

    def origin(self, path: KeyPath) -> str:
        """Return the source of one leaf, or `default` where no layer says anything."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._origins:
                return self._origins[path[:length]]
        return DEFAULT

    def remember(self, path: KeyPath, value: object, where: str) -> None:
        """Note that the value at `path`, and all that is in it, came from `where`."""
        self._first = self._first or where
        self.forget(path)
        for leaf, _ in leaves(value, path):
            self._origins[leaf] = where

    def forget(self, path: KeyPath) -> None:
        """Drop what is known of `path` and of all that is in it."""
        for key in [key for key in self._origins if key[: len(path)] == path]:
            del self._origins[key]

    def __eq__(self, other: object) -> bool:
        """Return True for any other: settings are equal when their values are, whatever they came from."""
        return isinstance(other, Sources)

    __hash__ = None  # type: ignore[assignment]


class Tree:
    """Merged values and the source of every leaf."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources = Sources()

    def merge(self, layer: dict[str, Any], where: str) -> None:
        """Lay the tables of one file over what is there."""
        self._merge_table(self.values, layer, (), where)

    def set(self, path: KeyPath, value: object, where: str) -> Problem | None:
        """Set one value by its path, making tables on the way. Returns the problem if the path leads nowhere."""
        assert path, "a value needs a place"
        node: Any = self.values
        here: KeyPath = ()
        for part in path[:-1]:
            step = _step(node, part)
            if step is None:
                return _astray(node, (*here, part), where)
            here = (*here, step)
            if isinstance(node, dict) and not isinstance(node.get(step), dict | list):
                node[step] = {}
                self.sources.forget(here)
            node = node[step]
        step = _step(node, path[-1])
        if step is None:
            return _astray(node, (*here, path[-1]), where)
        if isinstance(node, dict):
            self._merge_table(node, {str(step): value}, here, where)
        else:
            node[step] = value
            self.sources.remember((*here, step), value, where)
        return None

    def _merge_table(self, node: dict[str, Any], layer: dict[str, Any], path: KeyPath, where: str) -> None:
        for key, value in layer.items():
            here = (*path, key)
            below = node.get(key)
            if isinstance(value, dict) and isinstance(below, dict):
                if value and not below:
                    self.sources.forget(here)
                self._merge_table(below, value, here, where)
                continue
            node[key] = deepcopy(value)
            self.sources.remember(here, value, where)


def _step(node: object, part: str | int) -> str | int | None:
    """Return the key or position that `part` names in `node`, or None when it names nothing there."""
    match node:
        case dict():
            return str(part)
        case list() if str(part).isdecimal() and int(part) < len(node):
            return int(part)
        case _:
            return None


def _astray(node: object, path: KeyPath, where: str) -> Problem:
    expected = f"a position from 0 to {len(node) - 1}" if isinstance(node, list) and node else "a table above it"
    return Finding(path, expected, str(path[-1])).at(where)
