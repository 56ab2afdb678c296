"""Seeds that depend on nothing but their parts: no clock, no process, no order of calls."""

import hashlib

import numpy as np


def derive_seed(*parts: int | str) -> int:
    """A seed in [0, 2^32) from a seed and what tells this draw from others, e.g. `derive_seed(7, "sample", 12)`."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "little")


def derive_generator(*parts: int | str) -> np.random.Generator:
    """A generator of random numbers seeded by `derive_seed`."""
    return np.random.default_rng(derive_seed(*parts))
