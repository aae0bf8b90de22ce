"""The archive of an engine's audit journal: every stored batch in compressed segment files, exact and searchable."""
