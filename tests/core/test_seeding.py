import numpy as np

from uumamba.core.seeding import derive_generator, derive_seed


def test_the_same_parts_draw_the_same_and_others_differ() -> None:
    assert derive_seed(1, "sample", 2) == derive_seed(1, "sample", 2)
    seeds = {derive_seed(seed, purpose, index) for seed in range(5) for purpose in ("a", "b") for index in range(50)}
    assert len(seeds) == 500
    assert np.array_equal(derive_generator(3, 4).random(5), derive_generator(3, 4).random(5))
