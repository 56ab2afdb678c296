"""ACDC's adapter: where patients are found, what Info.cfg says, and what is said when something is missing."""

from pathlib import Path

import pytest

from tests.fakes.acdc import write_fake
from uumamba.core.errors import InputError
from uumamba.data.case import Case
from uumamba.data.datasets.acdc import index

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "acdc"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A fake tree of four training patients and one test patient."""
    write_fake(tmp_path, patients=4, test_patients=1)
    return tmp_path


def index_training(root: Path) -> tuple[Case, ...]:
    """The training cases of a folder without a problem."""
    listing = index(root)
    listing.require_usable()
    return listing.training


def index_test(root: Path) -> tuple[Case, ...]:
    """The test cases of a folder."""
    return index(root).test


def info(root: Path) -> Path:
    """The first training patient's Info.cfg."""
    return root / "database" / "training" / "patient001" / "Info.cfg"


def test_two_cases_per_patient_in_the_order_of_frames(root: Path) -> None:
    cases = index_training(root)
    assert [case.patient for case in cases] == [f"patient{number:03d}" for number in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert [case.details["phase"] for case in cases[:2]] == ["ED", "ES"]
    assert cases[0].name == "patient001_frame01"


def test_end_diastole_is_not_always_the_first_frame(root: Path) -> None:
    diastole = index_training(root)[6]
    assert diastole.name == "patient004_frame04"
    assert diastole.details["phase"] == "ED"
    assert diastole.details["frame"] == 4


def test_details_come_from_info_cfg(root: Path) -> None:
    info(root).write_text("ED: 1\nES: 12\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n")
    folder = info(root).parent
    for path in folder.glob("patient001_frame*"):
        frame = "01" if "frame01" in path.name else "12"
        path.rename(folder / f"patient001_frame{frame}{path.name[len('patient001_frame01') :]}")
    assert index_training(root)[1].details == {
        "group": "DCM",
        "phase": "ES",
        "frame": 12,
        "height_cm": 184.0,
        "weight_kg": 95.0,
    }


@pytest.mark.parametrize("inside", ["", "database", "database/training", "database/testing"])
def test_the_root_may_be_any_folder_of_the_tree(root: Path, inside: str) -> None:
    assert len(index_training(root / inside)) == 8
    assert len(index_test(root / inside)) == 2


def test_a_folder_of_patients_under_another_name_is_training_data(root: Path) -> None:
    moved = (root / "database" / "training").rename(root / "my_copy")
    assert len(index_training(moved)) == 8
    assert index_test(moved) == ()


def test_references_of_the_test_split_may_be_withheld(root: Path) -> None:
    for path in (root / "database" / "testing").rglob("*_gt.nii.gz"):
        path.unlink()
    assert [case.label_map for case in index_test(root)] == [None, None]


def test_no_patients_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ACDC training patients here; give the folder that holds database/"):
        index_training(tmp_path)
    (tmp_path / "database" / "training").mkdir(parents=True)
    with pytest.raises(InputError, match=r"training: no patient folders \(patient001"):
        index_training(tmp_path)


def test_missing_info_cfg(root: Path) -> None:
    info(root).unlink()
    with pytest.raises(InputError, match=r"patient001/Info\.cfg: no such file, but it tells which frames"):
        index_training(root)


@pytest.mark.parametrize("key", ["ED", "ES", "Group", "Height", "Weight"])
def test_missing_key(root: Path, key: str) -> None:
    lines = info(root).read_text().splitlines(keepends=True)
    info(root).write_text("".join(line for line in lines if not line.startswith(key)))
    with pytest.raises(InputError, match=rf"patient001/Info\.cfg: the key '{key}' is missing \(found: .*NbFrame"):
        index_training(root)


@pytest.mark.parametrize("frame", ["first", "nan", "inf", "1.5", "0", "-1", ""])
@pytest.mark.parametrize("phase", ["ED", "ES"])
def test_a_frame_that_is_none(root: Path, phase: str, frame: str) -> None:
    lines = {"ED": "1", "ES": "12", phase: frame, "Group": "DCM", "Height": "184.0", "Weight": "95.0"}
    info(root).write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    with pytest.raises(
        InputError, match=rf"Info\.cfg: {phase} must be a frame, a whole number from 1 on, got '{frame}'; restore it"
    ):
        index_training(root)


@pytest.mark.parametrize("size", ["tall", "nan", "inf", "0", "-184.0", ""])
@pytest.mark.parametrize("key", ["Height", "Weight"])
def test_an_impossible_size(root: Path, key: str, size: str) -> None:
    lines = info(root).read_text().splitlines()
    info(root).write_text("\n".join(f"{key}: {size}" if line.startswith(key) else line for line in lines))
    with pytest.raises(InputError, match=rf"Info\.cfg: {key} must be a number above 0, got '{size}'; restore it"):
        index_training(root)


def test_one_frame_for_both_phases(root: Path) -> None:
    info(root).write_text("ED: 1\nES: 1\nGroup: DCM\nHeight: 184.0\nWeight: 95.0\n")
    with pytest.raises(InputError, match=r"Info\.cfg: ED and ES are both frame 1; they must differ"):
        index_training(root)


def test_missing_frame(root: Path) -> None:
    (info(root).parent / "patient001_frame01.nii.gz").unlink()
    with pytest.raises(
        InputError, match=r"patient001_frame01\.nii\.gz: no such file, but Info\.cfg says that ED is frame 1"
    ):
        index_training(root)


def test_missing_reference(root: Path) -> None:
    (info(root).parent / "patient001_frame01_gt.nii.gz").unlink()
    with pytest.raises(InputError, match=r"patient001_frame01_gt\.nii\.gz: no such file, but a training case needs"):
        index_training(root)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real ACDC images (shared/data/acdc) are not beside this checkout")
def test_the_real_training_patients() -> None:
    cases = index_training(REAL)
    assert len(cases) == 200
    assert len({case.patient for case in cases}) == 100
    diastole = next(case for case in cases if case.name == "patient090_frame04")
    assert (diastole.details["phase"], diastole.details["group"]) == ("ED", "RV")
    groups = [case.details["group"] for case in cases]
    assert {group: groups.count(group) for group in set(groups)} == dict.fromkeys(
        ("DCM", "HCM", "MINF", "NOR", "RV"), 40
    )
