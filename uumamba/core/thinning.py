"""The skeleton of a mask by thinning: lines one voxel wide, with exactly the mask's topology.

Layers are peeled from the six sides in turn, as Lee, Kashyap and Chu do (1994); a voxel goes only if it is simple and
not the end of a line at that very moment. scikit-image's `skeletonize` asks the second only before a layer is peeled,
and so loses whole pieces of an even width, a vessel of 2 x 2 voxels for one
(github.com/scikit-image/scikit-image/issues/3757).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from uumamba.core.compiled import side_by_side
from uumamba.core.errors import InputError

Mask = NDArray[np.bool_]


def skeleton(mask: Mask) -> Mask:
    """The skeleton of a boolean mask, 2D or 3D, part of it: as many components, tunnels and cavities.

    Components hang together by 26 (in 2D 8) neighbours. A ball becomes a point or little more, a tube a line through
    its middle that may end its width before the tube does. Which of equally good voxels stay depends on the order of
    the axes. What lies outside the image is outside the mask.
    """
    from uumamba.core.thinning_kernels import FACE_OF_AXIS, SHARING, TOUCHING, WHAT, peel

    if mask.dtype != np.bool_ or mask.ndim not in (2, 3):
        raise InputError(f"a skeleton needs a boolean mask, 2D or 3D, got {mask.dtype} of shape {mask.shape}")
    solid = mask if mask.ndim == 3 else mask[..., None]
    thin = np.zeros_like(solid)
    if not mask.any():
        return thin.reshape(mask.shape)
    box = find_objects(solid.view(np.uint8))[0]
    padded = np.ascontiguousarray(np.pad(solid[box], 1), dtype=np.uint8)
    steps = (np.array(list(np.ndindex(3, 3, 3))) - 1) @ np.array(padded.strides)
    # along an axis with a single voxel every voxel is border, and a layer would be all there is
    faces = [face for pair, size in zip(FACE_OF_AXIS, solid[box].shape, strict=True) for face in pair if size > 1]
    if faces:
        side_by_side(WHAT, peel, [(padded.reshape(-1), _in_turn(padded), steps, np.array(faces), (TOUCHING, SHARING))])
    thin[box] = padded[1:-1, 1:-1, 1:-1]
    return thin.reshape(mask.shape)


def _in_turn(padded: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The flat places of all voxels, every other one along each axis at a time.

    Row by row, a strip two voxels wide would be eaten up from its end: each voxel there may go after the one before.
    """
    strides = np.array(padded.strides)
    found = []
    for start in np.ndindex(2, 2, 2):
        voxels = np.argwhere(padded[tuple(slice(first, None, 2) for first in start)])
        found.append((2 * voxels + start) @ strides)
    return np.concatenate(found)
