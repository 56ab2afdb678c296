"""Plans: those of nnU-Net itself, from its own reading of the same files."""

import json
import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import DatasetFingerprintExtractor
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.case import Case
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.data.plan import Plan, read_plan, write_plan
from uumamba.data.planning import CaseFingerprint, fingerprint_case, plan_dataset, samples_per_case
from uumamba.imaging.files import read_image, read_label_map
from uumamba.imaging.image import Image

TWO = LabelSet(names=("background", "ball"))
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "acdc"


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, ...]:
    """Ten cases of the phantom, anisotropic enough that slices are treated apart."""
    root = tmp_path_factory.mktemp("phantom")
    write_phantom_acdc(root, patients=5, seed=0, size=PhantomSize(64, 3.5, 12.0))
    return ACDC.index(root).training


def fingerprints(cases: Sequence[Case], total: int) -> list[CaseFingerprint]:
    """Fingerprints of cases with `total` foreground voxels drawn from all."""
    samples = samples_per_case(len(cases), total)
    return [
        fingerprint_case([read_image(case.images[0])], read_label_map(case.label_map), samples=samples)
        for case in cases
        if case.label_map is not None
    ]


def plan(cases: Sequence[CaseFingerprint], folder: Path, **changes: Any) -> dict[str, Plan]:
    """Plans of cases as a data set called "fake" with one channel."""
    arguments: dict[str, Any] = {"dataset": "fake", "labels": TWO, "channels": ("MRI",)} | changes
    return plan_dataset(cases, folder, **arguments)


def made_up(count: int = 4, **changes: Any) -> list[CaseFingerprint]:
    """Fingerprints without images."""
    values: dict[str, Any] = {"shape": (60, 80, 100), "spacing_mm": (1.0, 1.0, 1.0), "relative_size": 1.0} | changes
    intensities = values.pop("intensities", np.arange(100, dtype=np.float32)[None])
    return [CaseFingerprint(intensities=intensities, **values) for _ in range(count)]


def nnunet_itself(cases: Sequence[Case], folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], Any]:
    """Fingerprint and plans by nnU-Net alone: its reader, its aggregation, its planner."""
    name = "Dataset001_acdc"
    monkeypatch.setenv("nnUNet_raw", str(folder / "raw"))
    monkeypatch.setenv("nnUNet_preprocessed", str(folder / "preprocessed"))
    (folder / "raw" / name).mkdir(parents=True)
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {name: number for number, name in enumerate(ACDC.description.labels.names)},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
        "dataset": {case.name: {"images": [str(case.images[0])], "label": str(case.label_map)} for case in cases},
    }
    (folder / "raw" / name / "dataset.json").write_text(json.dumps(description))
    extractor = DatasetFingerprintExtractor(name, num_processes=1)
    extractor.show_progress_bar = False
    extractor.num_foreground_voxels_for_intensitystats = 100_000
    fingerprint = extractor.run()
    return fingerprint, ExperimentPlanner(name).plan_experiment()


def test_equal_to_nnunet_reading_the_same_files(
    cases: tuple[Case, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint, plans = nnunet_itself(cases, tmp_path, monkeypatch)
    plan_dataset(
        fingerprints(cases, 100_000),
        tmp_path,
        dataset="acdc",
        labels=ACDC.description.labels,
        channels=ACDC.description.channels,
    )
    ours = json.loads((tmp_path / "plans.json").read_text())
    our_fingerprint = json.loads((tmp_path / "dataset_fingerprint.json").read_text())
    np.testing.assert_allclose(our_fingerprint["spacings"], fingerprint["spacings"], rtol=1e-7)
    np.testing.assert_array_equal(our_fingerprint["shapes_after_crop"], fingerprint["shapes_after_crop"])
    theirs = fingerprint["foreground_intensity_properties_per_channel"][0]
    statistics = ours.pop("foreground_intensity_properties_per_channel")["0"]
    assert statistics == pytest.approx(theirs, rel=0.02)
    expected = json.loads(json.dumps(plans, default=list))
    expected.pop("foreground_intensity_properties_per_channel")
    for configuration in ("2d", "3d_fullres"):
        spacing = expected["configurations"][configuration].pop("spacing")
        assert ours["configurations"][configuration].pop("spacing") == pytest.approx(spacing, rel=1e-7)
    key = "original_median_spacing_after_transp"
    assert ours.pop(key) == pytest.approx(expected.pop(key), rel=1e-7)
    assert ours == expected


def test_nnunet_leaves_no_trace(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("nnUNet_raw", "the user's")
    monkeypatch.delenv("nnUNet_preprocessed", raising=False)
    before = dict(os.environ)
    plan(made_up(), tmp_path / "plans")
    assert dict(os.environ) == before
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in (tmp_path / "plans").iterdir()) == [
        "dataset.json",
        "dataset_fingerprint.json",
        "plans.json",
    ]
    assert multiprocessing.active_children() == []


def test_isotropic_images_keep_their_axes(tmp_path: Path) -> None:
    plans = plan(made_up(), tmp_path)
    full, flat = plans["3d_fullres"], plans["2d"]
    assert full.axes == flat.axes == (2, 1, 0)
    assert full.median_shape == flat.median_shape == (60, 80, 100)
    assert full.spacing_mm == flat.spacing_mm == (1.0, 1.0, 1.0)
    assert len(flat.patch_size) == 2
    assert full.topology.features[0] == 32
    assert (
        len(full.topology.features)
        == len(full.topology.kernels)
        == len(full.topology.strides)
        == len(full.topology.blocks_encoder)
    )
    assert len(full.topology.blocks_decoder) == len(full.topology.features) - 1


@pytest.mark.parametrize(("coarse", "axes"), [(0, (2, 1, 0)), (1, (1, 2, 0)), (2, (0, 2, 1))])
def test_the_coarsest_axis_comes_first(tmp_path: Path, coarse: int, axes: tuple[int, int, int]) -> None:
    spacing, shape = [1.0, 1.0, 1.0], [100, 110, 120]
    spacing[coarse], shape[coarse] = 8.0, 12
    full = plan(made_up(spacing_mm=tuple(spacing), shape=tuple(shape)), tmp_path)["3d_fullres"]
    assert full.axes == axes
    assert full.spacing_mm == (8.0, 1.0, 1.0)
    assert full.median_shape[0] == 12


def test_flat_images_have_a_plan_in_two_dimensions_only(tmp_path: Path) -> None:
    assert list(plan(made_up(shape=(1, 80, 100), spacing_mm=(10.0, 1.0, 1.0)), tmp_path)) == ["2d"]


def test_ct_is_normalised_as_ct_and_a_mask_is_used_after_a_large_crop(tmp_path: Path) -> None:
    (ct,) = plan(made_up(), tmp_path, channels=("CT",))["2d"].channels
    assert (ct.normalization, ct.mask_for_normalization) == ("ct", False)
    assert (ct.statistics.mean, ct.statistics.median, ct.statistics.max) == (49.5, 49.5, 99.0)
    (mri,) = plan(made_up(relative_size=0.5), tmp_path)["2d"].channels
    assert (mri.normalization, mri.mask_for_normalization) == ("z-score", True)


def test_less_memory_gives_a_smaller_patch(tmp_path: Path) -> None:
    large = made_up(shape=(200, 256, 256))
    usual, small = (plan(large, tmp_path, memory_target_gb=memory)["3d_fullres"] for memory in (8.0, 3.0))
    assert np.prod(small.patch_size) < np.prod(usual.patch_size)


def test_a_plan_survives_json(tmp_path: Path) -> None:
    full = plan(made_up(), tmp_path)["3d_fullres"]
    assert Plan.model_validate_json(full.model_dump_json()) == full


def test_the_ignore_label_is_told_to_nnunet(tmp_path: Path) -> None:
    plan(made_up(), tmp_path, labels=LabelSet(names=("background", "ball"), ignore=2))
    assert json.loads((tmp_path / "dataset.json").read_text())["labels"] == {"background": 0, "ball": 1, "ignore": 2}


@pytest.mark.parametrize("name", ["CTA", "ct angiography"])
def test_a_ct_by_another_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"channel '{name}' would not be normalised as CT, .*; call it 'CT'"):
        plan(made_up(), tmp_path, channels=(name,))


def test_no_labelled_voxel_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the 4 training cases has a labelled voxel; give label maps"):
        plan(made_up(intensities=np.zeros((1, 0), dtype=np.float32)), tmp_path)


@pytest.mark.parametrize(("cases", "samples"), [(1, 500_000), (20, 500_000), (200, 500_000), (1000, 100_000)])
def test_samples_per_case_are_nnunets_from_200_cases_on(cases: int, samples: int) -> None:
    assert samples_per_case(cases) == samples


def test_the_fingerprint_is_of_the_cropped_image() -> None:
    data = np.zeros((10, 10, 10), dtype=np.float32)
    data[2:8, 3:9, 1:6] = 7.0
    labels = (data > 0).astype(np.uint8)
    found = fingerprint_case(
        [Image(data, np.diag([1.0, 2.0, 3.0, 1.0]))], Image(labels, np.diag([1.0, 2.0, 3.0, 1.0])), samples=50
    )
    assert found.shape == (5, 6, 6)
    assert found.spacing_mm == (3.0, 2.0, 1.0)
    assert found.relative_size == 0.18
    assert found.intensities.shape == (1, 50)
    assert (found.intensities == 7.0).all()


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real ACDC images (shared/data/acdc) are not beside this checkout")
def test_the_published_plan_of_acdc(tmp_path: Path) -> None:
    cases = ACDC.index(SHARED).training
    plans = plan_dataset(
        fingerprints(cases, 2_000_000),
        tmp_path,
        dataset="acdc",
        labels=ACDC.description.labels,
        channels=ACDC.description.channels,
    )
    full = plans["3d_fullres"]
    assert (full.spacing_mm, full.patch_size, full.batch_size) == ((5.0, 1.5625, 1.5625), (20, 256, 224), 4)
    assert full.topology.strides == ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))
    assert full.topology.kernels == ((1, 3, 3), *[(3, 3, 3)] * 5)
    assert full.topology.features == (32, 64, 128, 256, 320, 320)
    assert full.topology.blocks_encoder == (2,) * 6
    assert plans["2d"].patch_size == (256, 224)


def test_regions_are_told_to_nnunet_whose_network_has_an_output_for_each(tmp_path: Path) -> None:
    regions = LabelSet(names=("background", "all", "inner"), regions=((1, 2), (2,)), written=(1, 2), ignore=3)
    plans = plan(made_up(), tmp_path, labels=regions)
    told = json.loads((tmp_path / "dataset.json").read_text())
    assert told["labels"] == {"background": 0, "all": [1, 2], "inner": 2, "ignore": 3}
    assert told["regions_class_order"] == [1, 2]
    assert {each.labels for each in plans.values()} == {regions}
    assert plans["2d"] == read_plan_again(plans["2d"], tmp_path / "plan.json")


def read_plan_again(plan: Plan, path: Path) -> Plan:
    write_plan(path, plan)
    return read_plan(path)


def test_an_ignore_label_that_nnunet_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs the ignore label right behind the last structure, 2, not 255"):
        plan(made_up(), tmp_path, labels=LabelSet(names=("background", "ball"), ignore=255))
