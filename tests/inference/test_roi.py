"""The coarse network's plan follows from the other's: a patch is about the whole image."""

import math

import pytest

from uumamba.core.errors import ConfigError
from uumamba.data.plan import Plan
from uumamba.inference.roi import RoiDescription, RoiSettings, coarse_plan
from uumamba.models.baselines import NnunetPlainSettings

CORONARIES = ((275, 512, 512), (0.5, 0.35, 0.35))
AORTA = ((698, 443, 443), (1.0, 1.0, 1.0))
SHORT_AXIS = ((10, 256, 216), (10.0, 1.5, 1.5))
HIPPOCAMPUS = ((36, 50, 35), (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("grid", "spacing"),
    [(CORONARIES, (2.05,) * 3), (AORTA, (6.45,) * 3), (SHORT_AXIS, (10.0, 3.0, 3.0)), (HIPPOCAMPUS, (2.0,) * 3)],
)
def test_the_median_image_is_about_one_patch(grid: tuple[tuple[int, ...], ...], spacing: Plan, plan: Plan) -> None:
    shape, fine = grid
    coarse = coarse_plan(plan.model_copy(update={"median_shape": shape, "spacing_mm": fine}), RoiSettings())
    assert coarse.spacing_mm == pytest.approx(spacing, abs=0.01)
    assert coarse.spatial_dims == 3
    assert coarse.labels.names == ("background", "region")
    assert (coarse.channels, coarse.axes, coarse.dataset) == (plan.channels, plan.axes, plan.dataset)
    assert math.prod(coarse.patch_size) < 1.5 * 80**3
    for patch, size, whole, old, new in zip(
        coarse.patch_size, coarse.median_shape, shape, fine, coarse.spacing_mm, strict=True
    ):
        assert abs(size - whole * old / new) <= 0.5
        assert size <= patch < size + 16 or patch == 8


def test_settings_choose_spacing_width_and_batch(plan: Plan) -> None:
    settings = RoiSettings(spacing_mm=6.0, base_features=8, batch_size=5)
    coarse = coarse_plan(plan.model_copy(update={"median_shape": (40, 256, 256)}), settings)
    assert coarse.spacing_mm == (8.0, 6.0, 6.0)  # no slice is averaged away
    assert coarse.batch_size == 5
    assert (coarse.topology.features[0], max(coarse.topology.features)) == (8, 64)
    with pytest.raises(
        ConfigError, match=r"inference\.roi\.spacing_mm 1\.5: must be coarser than the plan's finest spacing, 1\.5 mm"
    ):
        coarse_plan(plan, RoiSettings(spacing_mm=1.5))


def test_what_is_ignored_is_ignored_by_the_coarse_network_too(plan: Plan) -> None:
    labels = plan.labels.model_copy(update={"ignore": 3})
    assert coarse_plan(plan.model_copy(update={"labels": labels}), RoiSettings()).labels.ignore == 2
    assert coarse_plan(plan, RoiSettings()).labels.ignore is None


def test_a_sentence_says_how_good_it_is(plan: Plan) -> None:
    roi = RoiDescription(
        plan=coarse_plan(plan, RoiSettings()), network=NnunetPlainSettings(), margin_mm=20, smallest_share=0.02
    )
    assert roi.sentence == (
        "a coarse network (voxels of 8 x 3 x 3 mm) finds it, 20 mm are added on all sides; not validated."
    )
    found = {"cases": ("a", "b"), "recall": 0.995, "lowest_recall": 0.99, "image_share": 0.125, "not_found": 1}
    assert roi.model_copy(update=found).sentence.endswith(
        "in 2 validation cases it held 99.50% of the labelled voxels, 99.00% in the worst case, and found nothing in "
        "1, and was 12.5% of the image."
    )
    nothing = found | {"recall": None, "lowest_recall": None, "not_found": 0}
    assert "in 2 validation cases the references hold no structure, and was" in roi.model_copy(update=nothing).sentence
