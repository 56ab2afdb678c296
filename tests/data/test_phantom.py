"""The phantom: known volumes, ACDC's layout and header, everything from the seed."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.acdc import TINY, write_fake
from uumamba.data.datasets.acdc import GROUPS, index
from uumamba.data.phantom import PhantomSize, write_phantom_acdc
from uumamba.data.phantom_heart import GROUP_ANATOMY, Heart, draw_heart
from uumamba.imaging.files import read_image, read_label_map


def count_ml(heart: Heart) -> tuple[float, float, float]:
    """Volumes of right cavity, myocardium and left cavity, by counting points 2 x 2 x 0.5 mm apart."""
    in_plane = np.arange(-89.0, 90.0, 2.0)
    depth = heart.base + np.arange(0.25, heart.apex - heart.base, 0.5)
    labels = heart.label_map(in_plane[:, None, None], in_plane[:, None], depth)
    right, wall, left = np.bincount(labels.ravel(), minlength=4)[1:] * 2.0 / 1000
    return float(right), float(wall), float(left)


@pytest.mark.parametrize("group", sorted(GROUP_ANATOMY))
def test_volumes_agree_with_their_formulas(group: str) -> None:
    diastole, systole, ejection_fraction = draw_heart(group, np.random.default_rng(5))
    volumes = []
    for heart in (diastole, systole):
        right, wall, left = count_ml(heart)
        assert left == pytest.approx(heart.cavity_ml(), rel=0.02)
        assert wall == pytest.approx(heart.myocardium_ml(), rel=0.02)
        volumes.append((right, left))
    (right_ed, left_ed), (right_es, left_es) = volumes
    assert 1 - left_es / left_ed == pytest.approx(ejection_fraction, abs=0.01)
    assert 0.1 < 1 - right_es / right_ed < 0.8


@settings(max_examples=30)
@given(group=st.sampled_from(sorted(GROUP_ANATOMY)), seed=st.integers(0, 10_000))
def test_contraction_keeps_the_wall_and_the_apex(group: str, seed: int) -> None:
    diastole, systole, ejection_fraction = draw_heart(group, np.random.default_rng(seed))
    assert systole.cavity_ml() == pytest.approx((1 - ejection_fraction) * diastole.cavity_ml())
    assert systole.myocardium_ml() == pytest.approx(diastole.myocardium_ml())
    assert systole.equator + systole.length == pytest.approx(diastole.equator + diastole.length)
    assert systole.wall > diastole.wall
    low, high = GROUP_ANATOMY[group].volume_ml
    assert 0.99 * low < diastole.cavity_ml() < 1.01 * high


def test_groups_are_those_of_acdc() -> None:
    assert sorted(GROUP_ANATOMY) == sorted(GROUPS)


def test_the_tree_is_read_by_acdcs_adapter(tmp_path: Path) -> None:
    truth = write_fake(tmp_path, patients=5, test_patients=2)
    assert [patient.name for patient in truth] == [*(f"patient00{n}" for n in range(1, 6)), "patient101", "patient102"]
    cases = index(tmp_path).training
    assert [case.details["group"] for case in cases[::2]] == [patient.group for patient in truth[:5]] == list(GROUPS)
    assert len(index(tmp_path).test) == 4
    assert len({read_image(case.images[0]).spacing_mm for case in cases}) == 5
    assert len({read_image(case.images[0]).shape for case in cases}) > 1


def test_the_header_has_acdcs_trap_and_the_reader_repairs_it(tmp_path: Path) -> None:
    write_fake(tmp_path, patients=1, test_patients=0)
    case = index(tmp_path).training[0]
    assert case.label_map is not None
    for image in (read_image(case.images[0]), read_label_map(case.label_map)):
        assert image.spacing_mm[0] == pytest.approx(6.0, rel=0.1)
        assert any("pixdim" in repair for repair in image.repairs)


def test_measured_volumes_are_near_the_truth(tmp_path: Path) -> None:
    truth = write_phantom_acdc(tmp_path, patients=5, seed=1, size=PhantomSize(64, 3.6, 10.0))
    cases = index(tmp_path).training
    for patient, diastole, systole in zip(truth, cases[::2], cases[1::2], strict=True):
        volumes = []
        for case in (diastole, systole):
            assert case.label_map is not None
            labels = read_label_map(case.label_map)
            volumes.append(np.count_nonzero(labels.data == 3) * np.prod(labels.spacing_mm) / 1000)
        assert volumes[0] == pytest.approx(patient.end_diastolic_ml, rel=0.08)
        assert 1 - volumes[1] / volumes[0] == pytest.approx(patient.ejection_fraction, abs=0.06)


def test_blood_is_bright_and_muscle_dark(tmp_path: Path) -> None:
    write_phantom_acdc(tmp_path, patients=2, seed=0, size=PhantomSize(64, 3.75, 12.0))
    for case in index(tmp_path).training:
        assert case.label_map is not None
        image, labels = read_image(case.images[0]).data, read_label_map(case.label_map).data
        right, wall, left = (np.median(image[labels == number]) for number in (1, 2, 3))
        assert left > 1.7 * wall
        assert right > 1.5 * wall
        assert (image >= 0).all()


def test_equal_seeds_give_equal_files_and_other_seeds_others(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_phantom_acdc(tmp_path / name, patients=1, seed=seed, size=TINY)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        assert len(files) == 5
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert digests[0] == digests[1]
    assert not set(digests[0]) & set(digests[2])


def test_a_patient_does_not_depend_on_how_many_there_are(tmp_path: Path) -> None:
    alone = write_phantom_acdc(tmp_path / "one", patients=1, seed=0, size=TINY)
    among = write_phantom_acdc(tmp_path / "two", patients=2, seed=0, size=TINY)
    assert alone[0] == among[0]
    name = Path("database/training/patient001/patient001_frame01.nii.gz")
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
