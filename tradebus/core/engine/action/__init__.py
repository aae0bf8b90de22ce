"""What the engine does with requests."""
