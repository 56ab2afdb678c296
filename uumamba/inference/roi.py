"""The region of interest: a coarse network over the whole image says where the network of full resolution looks."""

import math
from collections.abc import Sequence

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from uumamba.core.errors import ConfigError
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings
from uumamba.data.coarse import FOREGROUND
from uumamba.data.plan import Plan
from uumamba.models.networks import NetworkSettings
from uumamba.models.topology import fitting_patch, plan_topology

STAGES, WIDEST = 5, 8
"""The coarse network's most stages, and its widest stage over its first."""
_VOXELS = 80**3
_LONGEST_PATCH = 128
_LEAST_FACTOR = 2.0


class RoiSettings(Settings):
    """How a coarse network is trained that finds the region of interest, and what is taken for it.

    `spacing_mm` is its voxel size, along an axis that is coarser already that one's; without it the median image has
    about 80^3 voxels, and they are at least twice as long as the finest. It trains for `epochs`, a fifth of
    `training.epochs` without it, on batches of `batch_size` whole images or patches of 128 voxels; `base_features` is
    its width. The region is the box around all components of what it finds that have at least `smallest_share` of the
    largest one's voxels, widened by `margin_mm` on all sides.
    """

    spacing_mm: PositiveFloat | None = None
    margin_mm: NonNegativeFloat = 20.0
    smallest_share: float = Field(default=0.02, ge=0, le=1)
    epochs: PositiveInt | None = None
    batch_size: PositiveInt = 2
    base_features: PositiveInt = 16


class InferenceSettings(Settings):
    """What a run's bundle does at inference that must be trained; without `roi` the whole image is searched."""

    roi: RoiSettings | None = None


class RoiDescription(Settings):
    """What a bundle says of its coarse network, beside whose tensors its own are.

    `recall` is the mean share of a reference's labelled voxels that lay in the region, over the validation `cases` that
    have any, `lowest_recall` that of the worst; `image_share` the mean share of the image that the region was. None
    without such cases. `not_found` counts cases in which nothing was found, so that all was searched.
    """

    plan: Plan
    network: NetworkSettings
    margin_mm: NonNegativeFloat
    smallest_share: float
    cases: tuple[str, ...] = ()
    recall: float | None = None
    lowest_recall: float | None = None
    image_share: float | None = None
    not_found: int = 0

    @property
    def sentence(self) -> str:
        """What is done and how good it is, for the log and the model card."""
        spacing = " x ".join(f"{value:g}" for value in self.plan.spacing_mm)
        done = f"a coarse network (voxels of {spacing} mm) finds it, {self.margin_mm:g} mm are added on all sides"
        if self.image_share is None:
            return f"{done}; not validated."
        held = "the references hold no structure"
        if self.recall is not None and self.lowest_recall is not None:
            held = f"it held {self.recall:.2%} of the labelled voxels, {self.lowest_recall:.2%} in the worst case"
        missed = f", and found nothing in {self.not_found}" if self.not_found else ""
        share = f"and was {self.image_share:.1%} of the image"
        return f"{done}; in {len(self.cases)} validation cases {held}{missed}, {share}."


def coarse_plan(plan: Plan, settings: RoiSettings) -> Plan:
    """The plan of the coarse network: two classes in 3D, on a grid where the median image is about one patch.

    Raises `ConfigError` if `settings.spacing_mm` is not coarser than the plan's finest spacing, or if the images are
    too small for a network.
    """
    spacing = _coarse_spacing(plan, settings.spacing_mm)
    sizes = zip(plan.median_shape, plan.spacing_mm, spacing, strict=True)
    first, second, third = (max(1, round(size * fine / coarse)) for size, fine, coarse in sizes)
    widths = {"base_features": settings.base_features, "max_features": WIDEST * settings.base_features}
    patch = fitting_patch([min(size, _LONGEST_PATCH) for size in (first, second, third)], spacing, max_stages=STAGES)
    return plan.model_copy(
        update={
            "configuration": "3d_fullres",
            "labels": LabelSet(
                names=("background", "region"), ignore=None if plan.labels.ignore is None else FOREGROUND + 1
            ),
            "spacing_mm": spacing,
            "median_shape": (first, second, third),
            "batch_size": settings.batch_size,
            "batch_dice": False,
            "topology": plan_topology(patch, spacing, max_stages=STAGES, **widths),
        }
    )


def _coarse_spacing(plan: Plan, wished_mm: float | None) -> tuple[float, float, float]:
    finest = min(plan.spacing_mm)
    if wished_mm is not None and wished_mm <= finest:
        raise ConfigError(
            f"inference.roi.spacing_mm {wished_mm:g}: must be coarser than the plan's finest spacing, {finest:g} mm; "
            "give a larger one, or leave it out"
        )
    length = wished_mm or max(_even_spacing(plan.median_shape, plan.spacing_mm), _LEAST_FACTOR * finest)
    first, second, third = (max(round(length, 2), fine) for fine in plan.spacing_mm)
    return first, second, third


def _even_spacing(shape: Sequence[int], spacing_mm: Sequence[float]) -> float:
    """The spacing at which the image has `_VOXELS` voxels, where axes that are coarser keep theirs."""
    kept: set[int] = set()
    while True:
        free = [axis for axis in range(3) if axis not in kept]
        if not free:
            return min(spacing_mm)
        room = _VOXELS / math.prod(shape[axis] for axis in kept)
        length = (math.prod(shape[axis] * spacing_mm[axis] for axis in free) / room) ** (1 / len(free))
        coarser = {axis for axis in free if spacing_mm[axis] > length}
        if not coarser:
            return float(length)
        kept |= coarser
