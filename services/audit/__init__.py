"""The audit service: an exact copy of the engine's state, kept from its journal, behind a REST API."""
