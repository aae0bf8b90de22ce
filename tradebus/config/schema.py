"""The configuration's JSON schema, for editors and checkers."""

from typing import Any

from tradebus.config.settings import Settings


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file. `allow_live` is no part of it: the environment sets it."""
    schema = Settings.model_json_schema(mode="validation")
    del schema["properties"]["allow_live"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
