"""Hold what all views share: they read core objects by attribute and are never changed."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import AliasPath, BaseModel, ConfigDict

from services.audit.api.views.values import Names, names_in
from services.audit.projections import kind_name
from tradebus.core.model.record import Record


class View(BaseModel):
    """Base of all views. ``SHOWS`` names the core class that a view is of; a test compares their fields."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    SHOWS: ClassVar[type[Record] | None] = None
    UNDER: ClassVar[Mapping[str, str]] = {}
    """Fields of that class that are shown under another name than their own, put there by who makes the view."""

    @classmethod
    def of(cls, value: object, names: Names) -> Self:
        """Return the view of a core object."""
        return cls.model_validate(value, context=names_in(names))


def have_docstrings(*kinds: type[View]) -> None:
    """Take the descriptions of these generic views' fields as read, for every view that is made of them.

    Otherwise pydantic looks for the source of each, in which it can only fail, through all frames of the import: that
    took nearly half of the service's start.
    """
    for kind in kinds:
        kind.model_config["use_attribute_docstrings"] = False


def key(name: str) -> AliasPath:
    """Say that a value stands in the object's order key."""
    return AliasPath("key", name)


def tag_of(value: object) -> str:
    """Return which alternative of a union a value is: of a core object, of a view, or of JSON."""
    if isinstance(value, Record):
        return kind_name(type(value))
    if isinstance(value, Mapping):
        return str(value.get("type"))
    tag: Any = getattr(value, "type", "")
    return str(tag)
