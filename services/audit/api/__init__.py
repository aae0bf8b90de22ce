"""The REST API: one module for each resource, pydantic views of core objects, one envelope."""
