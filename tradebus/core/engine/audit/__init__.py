"""Ticks, replicas, canonical text and hashes."""
