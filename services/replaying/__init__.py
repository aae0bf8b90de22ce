"""Run recordings through the services and say what came of it: `make replay`."""
