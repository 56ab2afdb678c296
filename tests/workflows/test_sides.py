"""Structures with sides are never mirrored from left to right in training, whichever axis of the patch that is.

The image rises along x and along y. Of all that augmentation does only mirroring is on, and it always mirrors: along y
every patch must fall then, along x it must still rise.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes import program
from tests.fakes.aorta import write_fake
from uumamba.config import load_config
from uumamba.core.files import read_json
from uumamba.core.labels import LabelSet
from uumamba.core.processes import Processes
from uumamba.core.topology import Topology
from uumamba.data.datasets.own_description import describe_own
from uumamba.data.foreground import foreground_locations
from uumamba.data.plan import Channel, IntensityStatistics, Plan
from uumamba.data.splits import Fold
from uumamba.data.store import CaseRecord
from uumamba.data.work_folder import WorkFolder
from uumamba.inference.bundle import read_bundle
from uumamba.training.run_directory import RunDirectory
from uumamba.workflows.training_job import Job, build_data

SIDED, PLAIN = ("background", "Left renal", "Right renal"), ("background", "renal one", "renal two")
SHAPE_XYZ = (24, 20, 28)
STEP_X, STEP_Y, STEP_Z = 1.0, 30.0, 900.0
ONLY_MIRRORING = [
    f"augmentation.{kind}_probability=0"
    for kind in (
        *("rotation", "scaling", "noise", "blur", "brightness", "contrast"),
        *("low_resolution", "inverted_gamma", "gamma"),
    )
]
AXES = [(2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)]


def make_job(folder: Path, names: tuple[str, ...], axes: tuple[int, int, int], configuration: str) -> Job:
    """A run on one case whose axes lie in this order."""
    patch = (8, 8) if configuration == "2d" else (8, 8, 8)
    description = describe_own("sided", LabelSet(names=names), ("CT",))
    statistics = IntensityStatistics(mean=0, median=0, std=1, min=-1, max=1, percentile_00_5=-1, percentile_99_5=1)
    ones = (1,) * len(patch)
    plan = Plan(
        dataset="sided", configuration=configuration, labels=description.labels,
        channels=(Channel(name="CT", normalization="none", mask_for_normalization=False, statistics=statistics),),
        axes=axes, spacing_mm=(1.0, 1.0, 1.0), median_shape=SHAPE_XYZ, batch_size=4, batch_dice=True,
        topology=Topology(
            patch_size=patch, features=(4, 8), kernels=(ones, ones), strides=(ones, ones), blocks_encoder=(1, 1),
            blocks_decoder=(1,),
        ),
    )  # fmt: skip
    work = WorkFolder(folder / "sided")
    store = work.store(configuration)
    x, y, z = np.indices(SHAPE_XYZ)
    labels = np.where(x < SHAPE_XYZ[0] // 2, 1, 2).transpose(axes).astype(np.int8)[None]
    image = (STEP_X * x + STEP_Y * y + STEP_Z * z).transpose(axes).astype(np.float32)[None]
    record = CaseRecord(inputs="made", spacing_mm=(1.0, 1.0, 1.0))
    store.write("case", image, labels, record, foreground=foreground_locations(labels))
    config = load_config(
        None,
        [f"plan.configuration={configuration}", *ONLY_MIRRORING, "augmentation.mirror_probability=1",
         "hardware.workers=0", "training.iterations=6"],
    )  # fmt: skip
    return Job(
        config=config, folder=work, dataset=description, planned=plan, plan=plan, store=store, fold="0",
        cases=Fold(training=("case",), validation=()), directory=RunDirectory(folder / "run"),
        device=torch.device("cpu"), processes=Processes(),
    )  # fmt: skip


def slopes(job: Job) -> dict[int, set[float]]:
    """The steps between neighbours that all training patches have along each image axis that they see."""
    found: dict[int, set[float]] = {}
    for batch in build_data(job).training.epoch(0):
        image = batch["image"][:, 0]
        for axis, canonical in enumerate(job.plan.seen_axes, 1):
            inside = image.movedim(axis, -1)[..., 3:5].diff(dim=-1)
            found.setdefault(canonical, set()).update(np.unique(inside.numpy()).tolist())
    return found


@pytest.mark.parametrize("configuration", ["2d", "3d_fullres"])
@pytest.mark.parametrize("axes", AXES)
def test_training_patches_keep_their_sides(tmp_path: Path, axes: tuple[int, int, int], configuration: str) -> None:
    steps = {0: STEP_X, 1: STEP_Y, 2: STEP_Z}
    job = make_job(tmp_path, SIDED, axes, configuration)
    found = slopes(job)
    assert set(found) == set(job.plan.seen_axes)
    for axis, seen in found.items():
        assert steps[axis] * (1 if axis == 0 else -1) in seen
        assert steps[axis] * (-1 if axis == 0 else 1) not in seen


def test_without_sides_x_is_mirrored_so_that_the_test_above_would_see_it(tmp_path: Path) -> None:
    found = slopes(make_job(tmp_path, PLAIN, (2, 1, 0), "3d_fullres"))
    assert -STEP_X in found[0]
    assert STEP_X not in found[0]


def test_the_bundle_of_a_real_run_allows_no_mirroring_from_left_to_right(tmp_path: Path) -> None:
    write_fake(tmp_path / "data", numbers=(1, 4))
    where = ("--dataset", "aorta", "--work", tmp_path / "work")
    settings = program.settings(
        "planning.folds=2", "training.epochs=1", "training.iterations=1", "training.calibrate=false"
    )
    assert program.uumamba("preprocess", *where, "--data", tmp_path / "data", *settings) == 0
    assert program.uumamba("train", *where, "--name", "run", *settings) == 0
    bundle = read_bundle(tmp_path / "work" / "aorta" / "runs" / "run" / "fold_0").description
    assert bundle.mirrored_axes == (1, 2)
    assert bundle.plan.patch_axes(bundle.mirrored_axes) == (0,)  # slices of y and x: y alone
    assert read_json(tmp_path / "work" / "aorta" / "dataset.json")["mirrored_axes"] == [1, 2]
