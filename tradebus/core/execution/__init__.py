"""Execution: between the venue's names and our indices, what clients answer, and what can go wrong."""
