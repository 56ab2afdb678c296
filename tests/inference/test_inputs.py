"""What is taken of files and folders, and what is left out and said."""

import re
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.inference.inputs import COLUMNS, find_inputs, output_path


def touch(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_an_acdc_tree(tmp_path: Path) -> None:
    root = tmp_path / "database"
    touch(
        root,
        *(f"training/patient00{n}/patient00{n}_{what}" for n in (1, 2) for what in (
            "4d.nii.gz", "frame01.nii.gz", "frame01_gt.nii.gz", "frame12.nii.gz", "frame12_gt.nii.gz")),
        "training/patient001/Info.cfg",
    )  # fmt: skip
    found = find_inputs([root], tmp_path / "out")
    assert [path.name for path in found.images] == [
        "patient001_frame01.nii.gz",
        "patient001_frame12.nii.gz",
        "patient002_frame01.nii.gz",
        "patient002_frame12.nii.gz",
    ]
    assert sorted((path.name, reason) for path, reason in found.left_out) == [
        ("patient001_4d.nii.gz", "time series by its name"),
        ("patient001_frame01_gt.nii.gz", "label map by its name"),
        ("patient001_frame12_gt.nii.gz", "label map by its name"),
        ("patient002_4d.nii.gz", "time series by its name"),
        ("patient002_frame01_gt.nii.gz", "label map by its name"),
        ("patient002_frame12_gt.nii.gz", "label map by its name"),
    ]


@pytest.mark.parametrize("name", ["a_labels.mha", "a_SEG.nii", "1.label.nii.gz", "a_4d.nii", "a_4D.nii", ".a.nii.gz"])
def test_left_out_of_a_folder_but_taken_when_named(name: str, tmp_path: Path) -> None:
    (path, image) = touch(tmp_path, name, "image.nrrd")
    assert find_inputs([tmp_path], tmp_path / "out").images == (image,)
    assert find_inputs([path], tmp_path / "out").images == (path,)


def test_other_files_and_hidden_folders_are_no_images(tmp_path: Path) -> None:
    (image, *_) = touch(tmp_path, "a.nii.gz", "b.txt", "c.png", ".cache/d.nii.gz", "__MACOSX/._a.nii.gz")
    found = find_inputs([tmp_path], tmp_path / "out")
    assert found.images == (image,)
    assert found.left_out == ()


def test_order_is_as_given_and_nothing_is_taken_twice(tmp_path: Path) -> None:
    a, b, c = touch(tmp_path, "in/a.nii.gz", "in/b.nii.gz", "c.nii.gz")
    found = find_inputs([c, b, tmp_path / "in", tmp_path / "in" / ".." / "c.nii.gz"], tmp_path / "out")
    assert found.images == (c, b, a)


def test_label_maps_of_this_and_of_earlier_batches_are_left_out(tmp_path: Path) -> None:
    (image, *_) = touch(tmp_path, "scan.nii.gz", "now/scan.nii.gz", "earlier/scan.nii.gz")
    (tmp_path / "earlier" / "cases.csv").write_text(",".join(COLUMNS) + "\n")
    found = find_inputs([tmp_path], tmp_path / "now")
    assert found.images == (image,)
    assert {reason for _, reason in found.left_out} == {"label map of a batch"}


def test_a_users_own_table_of_cases_hides_nothing(tmp_path: Path) -> None:
    (image,) = touch(tmp_path, "scan.nii.gz")
    (tmp_path / "cases.csv").write_text("case,image,label\n")
    assert find_inputs([tmp_path], tmp_path / "out").images == (image,)


def test_images_in_a_folder_inside_the_output_are_taken(tmp_path: Path) -> None:
    (image,) = touch(tmp_path, "images/scan.nii.gz")
    assert find_inputs([tmp_path / "images"], tmp_path).images == (image,)


def test_output_is_nifti_whatever_the_input() -> None:
    assert output_path(Path("a/scan.v2.mha"), Path("out")) == Path("out/scan.v2.nii.gz")


def test_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.nii: no such file or folder"):
        find_inputs([tmp_path / "none.nii"], tmp_path)


def test_no_image_tells_what_was_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a_gt.nii.gz", "a_4d.nii.gz")
    with pytest.raises(InputError, match=r"no image \(.*\.nii\.gz.*left out 2 files: label map by its name, time"):
        find_inputs([tmp_path], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rf"no image .* in {re.escape(str(tmp_path / 'empty'))}$"):
        find_inputs([tmp_path / "empty"], tmp_path / "out")


def test_two_images_of_one_stem(tmp_path: Path) -> None:
    touch(tmp_path, "a/scan.nii.gz", "b/scan.mha")
    with pytest.raises(
        InputError, match=r"a/scan\.nii\.gz and .*b/scan\.mha would both be written to .*scan\.nii\.gz;"
    ):
        find_inputs([tmp_path], tmp_path / "out")


def test_an_image_is_never_overwritten(tmp_path: Path) -> None:
    (image,) = touch(tmp_path, "scan.nii.gz")
    with pytest.raises(InputError, match="its label map would overwrite it; give another --output"):
        find_inputs([image], tmp_path)


def test_a_name_that_is_no_image(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match=r"notes\.txt"):
        find_inputs([path], tmp_path / "out")
