"""Benchmarks: every speed that is claimed somewhere is measured here (`make bench`)."""
