"""The plan: everything that preprocessing, network and inference must agree on for one configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, ValidationError

from uumamba.core.errors import InputError
from uumamba.core.files import read_json, write_text
from uumamba.core.labels import LabelSet
from uumamba.core.settings import Settings, first_problem
from uumamba.core.topology import Topology


class IntensityStatistics(Settings):
    """Foreground intensities of one channel over the training cases, in the images' units."""

    mean: float
    median: float
    std: float
    min: float
    max: float
    percentile_00_5: float
    percentile_99_5: float


class Channel(Settings):
    """One image channel and how it is normalised (nnU-Net's schemes by name)."""

    name: str
    normalization: Literal["z-score", "ct", "none"]
    mask_for_normalization: bool
    statistics: IntensityStatistics


class Plan(Settings):
    """One configuration of one data set, made by `data/planning.py` from nnU-Net's planner.

    All sizes are in network axis order. `axes[i]` is the canonical image axis (0 = x, 1 = y, 2 = z) that becomes
    network axis i; as in nnU-Net it is (2, 1, 0), slices first, unless another axis is the coarsest. With
    `configuration` "2d" the network sees the last two network axes, one slice; the topology has two
    axes. Spacing still has three: the first is the cases' median, along which nothing is resampled.

    With `orientation` "stored" images are taken in the axes that their files store, as nnU-Net does: the image axes
    here are then the stored ones. Imported networks need it, which never saw an image turned to canonical axes.
    """

    dataset: str
    configuration: Literal["2d", "3d_fullres"]
    labels: LabelSet
    channels: tuple[Channel, ...]
    orientation: Literal["canonical", "stored"] = "canonical"
    axes: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    median_shape: tuple[int, int, int]
    batch_size: int
    batch_dice: bool
    topology: Topology

    @property
    def patch_size(self) -> tuple[int, ...]:
        """Voxels along each axis that the network sees."""
        return self.topology.patch_size

    @property
    def spatial_dims(self) -> int:
        """2 or 3: the number of spatial axes that the network sees."""
        return self.topology.spatial_dims

    def patch_axes(self, image_axes: Sequence[int]) -> tuple[int, ...]:
        """Indices into `patch_size` of image axes (0 = x, 1 = y, 2 = z), without those that no patch has."""
        return tuple(index for index, axis in enumerate(self.seen_axes) if axis in image_axes)

    @property
    def seen_axes(self) -> tuple[int, ...]:
        """The image axis (0 = x, 1 = y, 2 = z) of each axis of the patch."""
        return self.axes[-self.spatial_dims :]


class PlanningSettings(Settings):
    """What the plans and folds are made for.

    `memory_gb` is the GPU memory that nnU-Net's planner fits patch and batch to; `folds` and `split_seed` make the
    cross-validation folds. Of a data set without folds or a test split of its own, `test_fraction` of the patients are
    kept out of all folds, to test on.
    """

    configurations: tuple[Literal["2d", "3d_fullres"], ...] = ("2d", "3d_fullres")
    memory_gb: PositiveFloat = 8.0
    folds: int = Field(default=5, ge=2)
    split_seed: NonNegativeInt = 0
    test_fraction: float = Field(default=0.0, ge=0.0, lt=1.0)


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan as JSON."""
    write_text(path, plan.model_dump_json(indent=2) + "\n")


def read_plan(path: Path) -> Plan:
    """Read a plan; raises `InputError` if the file is missing or is no plan."""
    try:
        return Plan.model_validate(read_json(path))
    except ValidationError as error:
        raise InputError(f"{path}: not a plan ({first_problem(error)}); run `uumamba preprocess` again") from None
