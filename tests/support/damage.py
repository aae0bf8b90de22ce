"""Damage a file as disks do: flip a bit, cut it, zero a block."""

import random
from pathlib import Path

BLOCK_BYTES = 512


def damage(rng: random.Random, path: Path) -> str:
    """Damage one place of a file that is not empty, and return what was done: the kind first."""
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content))
    how = rng.choice(("bit", "cut", "zeros"))
    end = min(len(content), at + rng.randint(1, BLOCK_BYTES))
    if how == "cut":
        del content[at:]
    elif how == "zeros" and any(content[at:end]):
        content[at:end] = bytes(end - at)
    else:
        how = "bit"
        content[at] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    return f"{how} at {at} of {path.name}"
