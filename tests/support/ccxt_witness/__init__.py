"""ccxt as an independent witness: a connector of other people, in an environment of its own."""

from tests.support.ccxt_witness.environment import REQUIREMENT, WitnessUnavailable, witness_python

__all__ = ["REQUIREMENT", "WitnessUnavailable", "witness_python"]
