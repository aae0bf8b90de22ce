"""From pydantic's errors to findings that say what was expected and what was found."""

import re
from collections.abc import Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from tradebus.config.keypath import KeyPath, value_at
from tradebus.config.problem import Finding, did_you_mean, one_of, shown
from tradebus.config.values import PATTERN_WORDS
from tradebus.core.model.identifiers import ExchangeId

_OURS = frozenset({"decimal_input", "address_input", "parameter_input", "one_form", "unique_ids", "one_kind"})
_WORDS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "path_type": "a path",
}
_QUOTED = re.compile(r"'([^']*)'")


def findings(error: ValidationError, raw: Mapping[str, Any], model: type[BaseModel]) -> list[Finding]:
    """Return one finding per place that pydantic complained about, in the order of the model."""
    found: dict[KeyPath, Finding] = {}
    for item in error.errors(include_url=False):
        finding = _finding(item, raw, model)
        earlier = found.get(finding.path)
        if earlier is None:
            found[finding.path] = finding
        elif finding.expected not in earlier.expected:
            # The branches of a union complain one by one about the same place.
            found[finding.path] = Finding(
                finding.path, f"{earlier.expected} or {finding.expected}", earlier.found, earlier.hint or finding.hint
            )
    return list(found.values())


def _finding(item: Mapping[str, Any], raw: Mapping[str, Any], model: type[BaseModel]) -> Finding:
    kind: str = item["type"]
    path = _real_path(item["loc"], raw, missing=kind == "missing")
    exists, value = value_at(raw, path)
    context: Mapping[str, Any] = item.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys(model, path[:-1])
        name = str(path[-1])
        return Finding(path, f"a known key: {one_of(known)}", f"`{name}`", did_you_mean(name, known))
    if kind == "missing":
        return Finding(path, "a value", "nothing")
    if item["loc"] and item["loc"][-1] == "[key]":
        value = path[-1]
    if kind in {"enum", "literal_error"}:
        choices = _QUOTED.findall(str(context.get("expected", "")))
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        expected = "an exchange id, as in `binance_spot`" if _is_exchange(choices) else one_of(choices)
        return Finding(path, expected, shown(value), hint)
    found = str(context["found"]) if kind == "unique_ids" else shown(value) if exists else shown(item.get("input"))
    return Finding(path, _expected(kind, context, item["msg"]), found)


def _expected(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind in _OURS:
        return message
    if kind == "string_pattern_mismatch":
        return PATTERN_WORDS.get(context["pattern"], f"text like {context['pattern']}")
    if kind in _WORDS:
        return _WORDS[kind]
    return message.removeprefix("Input should be ").removeprefix("Value should be ")


def _is_exchange(choices: list[str]) -> bool:
    return ExchangeId.BINANCE_SPOT.value in choices


def _real_path(location: tuple[str | int, ...], raw: Mapping[str, Any], *, missing: bool) -> KeyPath:
    """Return the place in the file: pydantic's, without the names of union branches and the like."""
    path: KeyPath = ()
    single = value_at(raw, ("engine", "strategy"))[0]
    if single and location[:3] == ("engine", "strategies", 0):
        location = ("engine", "strategy_params" if "params" in location else "strategy")
    for position, part in enumerate(location):
        exists, _ = value_at(raw, (*path, part))
        is_missing_key = missing and position == len(location) - 1
        if exists or is_missing_key:
            path = (*path, part)
    return path


def _keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that the table at `path` may have."""
    models: list[type[BaseModel]] = [model]
    for part in path:
        following: list[type[BaseModel]] = []
        for one in models:
            if isinstance(part, int):
                following.append(one)
                continue
            for name, info in one.model_fields.items():
                if part in {name, info.alias}:
                    following += _models_in(info.annotation)
        models = following or models
    known = {info.alias or name for one in models for name, info in one.model_fields.items()} - {"allow_live"}
    return sorted(known.union(*(getattr(one, "OTHER_KEYS", ()) for one in models)))


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the models inside an annotation: of `dict[X, Model] | None` that is `Model`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return []
    origin = get_origin(annotation)
    if origin is Annotated or origin in {Union, UnionType, list, dict, tuple}:
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []
