"""The Dice that a mask is expected to have, from the probabilities that it was made of."""


def expected_dice(probability_in_mask_sum: float, mask_voxels: float, probability_sum: float) -> float | None:
    """2 sum_mask p / (|mask| + sum p), in [0, 1]: Dice with each reference voxel replaced by its probability p.

    `probability_in_mask_sum` is the sum of the structure's probabilities over the voxels of its mask,
    `probability_sum` that over all voxels of the image. None if the mask is empty: there is nothing to trust or not.
    """
    if not mask_voxels:
        return None
    return 2 * probability_in_mask_sum / (mask_voxels + probability_sum)
