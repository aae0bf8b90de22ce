"""One request to the API and how its answer is read: no network here, so that both clients share it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from tradebus.client.errors import UnexpectedAnswer, error_of

T = TypeVar("T", bound=BaseModel)

OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request: method, path, query and body, and the model of its answer."""

    method: str
    path: str
    model: type[T]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_query(self, **query: object) -> "Call[T]":
        """Return the call with more in its query; what is None is left out."""
        return replace(self, query={**self.query, **query_of(**query)})

    def read(self, status: int, headers: Mapping[str, str], content: bytes) -> T:
        """Return the answer; raises ProblemError or UnexpectedAnswer."""
        data = read_json(status, headers, content)
        try:
            return self.model.model_validate(data)
        except ValidationError as error:
            raise UnexpectedAnswer(f"{self.path}: the answer is not what this version expects: {error}") from error


def query_of(**query: object) -> dict[str, str]:
    """Return query parameters as text, those that are None left out."""
    return {name: _text(value) for name, value in query.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(str(each) for each in value)
    return str(value)


def read_json(status: int, headers: Mapping[str, str], content: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON of a success; raises ProblemError or UnexpectedAnswer."""
    media_type = headers.get("content-type", "")
    if status not in OK:
        raise error_of(status, media_type, content, headers.get("retry-after"))
    try:
        return json.loads(content)
    except ValueError as error:
        raise UnexpectedAnswer(f"expected JSON, found {media_type or 'nothing'}: {error}") from error
