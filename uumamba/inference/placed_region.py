"""A region of interest in a preprocessed case and in the image that it came from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uumamba.data.plan import Plan
from uumamba.data.preprocess import Geometry, PreprocessedCase, plan_spacing
from uumamba.data.restoration import Part, part_of
from uumamba.inference.input_check import on_network_axes
from uumamba.inference.prediction import Flag
from uumamba.inference.region import Region, RegionFinder, region_flags, search


@dataclass(frozen=True)
class PlacedRegion:
    """What is segmented of a case: its `region` on the network's grid, the `part` of both grids that holds it."""

    region: Region
    part: Part
    whole: Geometry
    plan: Plan

    @property
    def geometry(self) -> Geometry:
        """That of the case with all but this part cropped away."""
        return self.part.crop(self.whole)

    def data_of(self, prepared: PreprocessedCase) -> Tensor:
        """The network's input, (channel, *network axes): a view, on the grid and with the statistics of the whole."""
        return torch.from_numpy(prepared.data[:, *(slice(*bounds) for bounds in self.part.network)])

    def flags(self, labels: NDArray[np.integer]) -> tuple[Flag, ...]:
        """As `region_flags`, of a label map on the image's own grid (x, y, z)."""
        ends = zip(self.part.image, self.whole.shape_after_crop, strict=True)
        open_ends = [(start > 0, stop < size) for (start, stop), size in ends]
        return region_flags(self.region, on_network_axes(labels, self.geometry, self.plan), open_ends)


def place(
    finders: Sequence[RegionFinder], prepared: PreprocessedCase, plan: Plan, *, patch_size: Sequence[int]
) -> PlacedRegion:
    """Search a case of `plan` as `search` does."""
    geometry, (_, first, second, third) = prepared.geometry, prepared.data.shape
    region = search(finders, prepared.data, plan_spacing(geometry, plan), patch_size=patch_size)
    return PlacedRegion(region, part_of(region.bounds, (first, second, third), geometry, plan), geometry, plan)
