"""The engine: events in, ticks out."""
