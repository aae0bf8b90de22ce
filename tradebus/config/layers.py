"""Layers of configuration merged into one tree that remembers where each value came from.

Low to high: file, overlay of the mode, `conf.d/*.toml`, environment, flags. A higher table adds to a lower one key
by key; any other value, lists included, replaces it. Environment variables and flags reach into lists by position.
"""

from copy import deepcopy
from typing import Any

from tradebus.config.keypath import KeyPath, leaves
from tradebus.config.problem import Finding, Problem

DEFAULT = "default"


class Tree:
    """Merged values and the source of every leaf."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._origins: dict[KeyPath, str] = {}
        self._first = "settings"

    def merge(self, layer: dict[str, Any], where: str) -> None:
        """Lay the tables of one file over what is there."""
        if not self._origins:
            self._first = where
        self._merge_table(self.values, layer, (), where)

    def set(self, path: KeyPath, value: object, where: str) -> Problem | None:
        """Set one value by its path, making tables on the way. Returns the problem if the path leads nowhere."""
        assert path, "a value needs a place"
        node: Any = self.values
        for depth, part in enumerate(path):
            here = path[: depth + 1]
            last = depth == len(path) - 1
            if isinstance(node, list):
                if not (isinstance(part, str) and part.isdigit() and int(part) < len(node)):
                    return Finding(here, f"a position below {len(node)}, as in 0", str(part)).at(where)
                path = (*path[:depth], int(part), *path[depth + 1 :])
                here = path[: depth + 1]
                if last:
                    node[int(part)] = value
                else:
                    node = node[int(part)]
            elif last:
                node[part] = value
            else:
                if not isinstance(node.get(part), dict | list):
                    node[part] = {}
                    self._forget(here)
                node = node[part]
        self._forget(path)
        self._remember(path, value, where)
        return None

    def where(self, path: KeyPath) -> str:
        """Return the source of the value at `path`; of what is missing, the source of what surrounds it."""
        for length in range(len(path), 0, -1):
            part = path[:length]
            if part in self._origins:
                return self._origins[part]
            beneath = [where for key, where in self._origins.items() if key[:length] == part]
            if beneath:
                return beneath[0]
        return self._first

    def origin(self, path: KeyPath) -> str:
        """Return the source of one leaf, or `default` where no layer says anything."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._origins:
                return self._origins[path[:length]]
        return DEFAULT

    def _merge_table(self, node: dict[str, Any], layer: dict[str, Any], path: KeyPath, where: str) -> None:
        for key, value in layer.items():
            here = (*path, key)
            below = node.get(key)
            if isinstance(value, dict) and isinstance(below, dict) and value and below:
                self._merge_table(below, value, here, where)
                continue
            node[key] = deepcopy(value)
            self._forget(here)
            self._remember(here, value, where)

    def _forget(self, path: KeyPath) -> None:
        for key in [key for key in self._origins if key[: len(path)] == path]:
            del self._origins[key]

    def _remember(self, path: KeyPath, value: object, where: str) -> None:
        for leaf, _ in leaves(value, path):
            self._origins[leaf] = where
