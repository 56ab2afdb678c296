"""The same numbers as MONAI's metrics and as brute force over all pairs of points."""

import itertools

import numpy as np
import pytest
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from uumamba.metrics import METRICS, assd_mm, dice, hausdorff95_mm, hausdorff_mm, metrics_for, surface_dice

# MONAI 1.6 passes itself an argument that it has deprecated
pytestmark = pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")

Mask = NDArray[np.bool_]
SPACINGS_MM = [(1.0, 1.0, 1.0), (1.37, 1.37, 10.0), (0.5, 2.5, 1.2)]


def blobs(seed: int, shape: tuple[int, ...] = (24, 22, 10)) -> tuple[Mask, Mask]:
    """Two smooth masks that resemble each other as a prediction does its reference."""
    random = np.random.default_rng(seed)
    field = gaussian_filter(random.standard_normal(shape), 3)
    other = field + 0.4 * gaussian_filter(random.standard_normal(shape), 2)
    return field > field.mean(), other > other.mean() + 0.3 * other.std()


def one_hot(mask: Mask) -> torch.Tensor:
    return torch.from_numpy(np.stack([~mask, mask])[None]).float()


@pytest.mark.parametrize("spacing", SPACINGS_MM)
@pytest.mark.parametrize("seed", range(4))
def test_as_monai(seed: int, spacing: tuple[float, float, float]) -> None:
    masks = blobs(seed)
    pair = [one_hot(mask) for mask in masks]
    expected = {
        "dice": compute_dice(*pair, include_background=False),
        "hd_mm": compute_hausdorff_distance(*pair, spacing=spacing),
        "hd95_mm": compute_hausdorff_distance(*pair, percentile=95, spacing=spacing),
        "assd_mm": compute_average_surface_distance(*pair, symmetric=True, spacing=spacing),
        "nsd": compute_surface_dice(*pair, class_thresholds=[2.0], spacing=spacing, use_subvoxels=True),
    }
    assert tuple(expected) == metrics_for(tubular=False)
    for name, value in expected.items():
        assert METRICS[name].function(*masks, spacing) == pytest.approx(value.item(), rel=1e-5), name


def test_contours_in_2d_as_monai() -> None:
    masks = blobs(7, (40, 36))
    spacing = (0.8, 1.7)
    expected = compute_surface_dice(
        *(one_hot(mask) for mask in masks), class_thresholds=[2.0], spacing=spacing, use_subvoxels=True
    )
    assert surface_dice(*masks, spacing) == pytest.approx(expected.item(), rel=1e-5)


def border_points(mask: Mask, spacing: tuple[float, ...]) -> list[NDArray[np.float64]]:
    """Voxels with a face neighbour outside, one by one."""
    padded = np.pad(mask, 1)
    points = []
    for index in itertools.product(*map(range, mask.shape)):
        steps = [np.eye(mask.ndim, dtype=int)[axis] * sign for axis in range(mask.ndim) for sign in (1, -1)]
        if mask[index] and not all(padded[tuple(np.array(index) + 1 + step)] for step in steps):
            points.append(np.array(index) * spacing)
    return points


@pytest.mark.parametrize("spacing", SPACINGS_MM)
def test_as_brute_force(spacing: tuple[float, float, float]) -> None:
    first, second = blobs(11, (8, 7, 5))
    points = [border_points(mask, spacing) for mask in (first, second)]
    there, back = (
        np.array([min(float(np.linalg.norm(a - b)) for b in others) for a in ours])
        for ours, others in (points, points[::-1])
    )
    assert hausdorff_mm(first, second, spacing) == pytest.approx(max(there.max(), back.max()))
    assert hausdorff95_mm(first, second, spacing) == pytest.approx(
        max(np.percentile(there, 95), np.percentile(back, 95))
    )
    assert assd_mm(first, second, spacing) == pytest.approx(np.concatenate([there, back]).mean())
    both = sum(bool(a and b) for a, b in zip(first.flat, second.flat, strict=True))
    assert dice(first, second, spacing) == pytest.approx(2 * both / (first.sum() + second.sum()))
