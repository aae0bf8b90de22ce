"""What strategies are, and the plain way to close positions."""
