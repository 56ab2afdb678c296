"""What is taken of files, folders, patterns and tables, what is left out and said, and how the cases are named."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.inference.case_table import COLUMNS
from uumamba.inference.inputs import Inputs, find_inputs, find_tables, label_map_path, require_inputs

TABLE = ",".join(COLUMNS) + "\n"
TWO = ("T1", "T2")


def touch(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def images(found: Inputs) -> list[Path]:
    """The images of cases that have one each."""
    return [image for case in found.cases for (image,) in [case.images]]


def names(found: Inputs) -> list[str]:
    return [case.case for case in found.cases]


def test_an_acdc_tree(tmp_path: Path) -> None:
    root = tmp_path / "database"
    touch(
        root,
        *(f"training/patient00{n}/patient00{n}_{what}" for n in (1, 2) for what in (
            "4d.nii.gz", "frame01.nii.gz", "frame01_gt.nii.gz", "frame12.nii.gz", "frame12_gt.nii.gz")),
        "training/patient001/Info.cfg",
    )  # fmt: skip
    found = find_inputs([root], tmp_path / "out")
    assert names(found) == ["patient001_frame01", "patient001_frame12", "patient002_frame01", "patient002_frame12"]
    assert sorted((path.name, reason) for path, reason in found.left_out) == [
        ("patient001_4d.nii.gz", "time series beside its frames"),
        ("patient001_frame01_gt.nii.gz", "label map by its name"),
        ("patient001_frame12_gt.nii.gz", "label map by its name"),
        ("patient002_4d.nii.gz", "time series beside its frames"),
        ("patient002_frame01_gt.nii.gz", "label map by its name"),
        ("patient002_frame12_gt.nii.gz", "label map by its name"),
    ]


@pytest.mark.parametrize("beside", ["b_frame01.nii.gz", "a_frame01_gt.nii.gz", "deep/a_frame01.nii.gz", "a.nii.gz"])
def test_a_time_series_without_its_frames_is_taken(beside: str, tmp_path: Path) -> None:
    (series, _) = touch(tmp_path, "a_4d.nii.gz", beside)
    assert series in images(find_inputs([tmp_path], tmp_path / "out"))


@pytest.mark.parametrize("name", ["a_labels.mha", "a_SEG.nii", "1.label.nii.gz", "image_4D.nii", ".a.nii.gz"])
def test_left_out_of_folders_and_patterns_but_taken_when_named(name: str, tmp_path: Path) -> None:
    (path, image) = touch(tmp_path, name, "image_frame1.nrrd")
    for given in (tmp_path, tmp_path / "*", tmp_path / "**" / "*"):
        assert images(find_inputs([given], tmp_path / "out")) == [image]
    assert images(find_inputs([path], tmp_path / "out")) == [path]


def test_a_pattern_that_the_shell_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "study/a.nii.gz", "study/b.nii.gz", "study/c.mha", "study/notes.txt", "study/deep/d.nii.gz")
    monkeypatch.chdir(tmp_path)
    assert names(find_inputs([Path("study/*.nii.gz")], Path("out"))) == ["a", "b"]
    assert names(find_inputs([Path("study/[bc].*")], Path("out"))) == ["b", "c"]
    assert names(find_inputs([Path("stu?y")], Path("out"))) == ["a", "b", "c", "d"]
    assert names(find_inputs([Path("study/*")], Path("out"))) == ["a", "b", "c", "d"]
    touch(tmp_path, "study/scan [2].nii")
    assert names(find_inputs([Path("study/scan [2].nii")], Path("out"))) == ["scan [2]"]
    with pytest.raises(InputError, match=r"study/\*\.nrrd: fits no file and no folder"):
        require_inputs([Path("study/*.nrrd")])


def test_other_files_and_hidden_folders_are_no_images(tmp_path: Path) -> None:
    (image, *_) = touch(tmp_path, "a.nii.gz", "b.txt", "c.png", ".cache/d.nii.gz", "__MACOSX/._a.nii.gz")
    found = find_inputs([tmp_path], tmp_path / "out")
    assert images(found) == [image]
    assert found.left_out == ()


def test_order_is_as_given_and_nothing_is_taken_twice(tmp_path: Path) -> None:
    a, b, c = touch(tmp_path, "in/a.nii.gz", "in/b.nii.gz", "c.nii.gz")
    found = find_inputs([c, b, tmp_path / "in", tmp_path / "in" / ".." / "c.nii.gz"], tmp_path / "out")
    assert images(found) == [c, b, a]


def test_label_maps_of_this_and_of_earlier_batches_are_left_out(tmp_path: Path) -> None:
    (image, *_) = touch(
        tmp_path, "scan.nii.gz", "now/scan.nii.gz", "earlier/scan.nii.gz", "earlier/a/b.nii.gz",
        "earlier/a/b_entropy.nii.gz", "part/scan.nii.gz",
    )  # fmt: skip
    (tmp_path / "earlier" / "cases.csv").write_text(TABLE + "a/b,ok\n")
    (tmp_path / "part" / "cases_1_of_2.csv").write_text(TABLE)
    found = find_inputs([tmp_path], tmp_path / "now")
    assert images(found) == [image]
    assert {reason for _, reason in found.left_out} == {"label map of a batch"}
    with pytest.raises(InputError, match="no image"):
        find_inputs([tmp_path / "earlier" / "a"], tmp_path / "now")


def test_a_users_own_table_of_cases_hides_nothing(tmp_path: Path) -> None:
    (image,) = touch(tmp_path, "scan.nii.gz")
    (tmp_path / "cases.csv").write_text("case,image,label\n")
    assert images(find_inputs([tmp_path], tmp_path / "out")) == [image]
    assert find_tables(tmp_path) == ()


def test_images_in_a_folder_inside_the_output_are_taken(tmp_path: Path) -> None:
    (image,) = touch(tmp_path, "images/scan.nii.gz")
    (tmp_path / "cases.csv").write_text(TABLE + "scan,ok\n")
    assert images(find_inputs([tmp_path / "images"], tmp_path)) == [image]


def test_output_is_nifti_whatever_the_input(tmp_path: Path) -> None:
    (image,) = touch(tmp_path, "a/scan.v2.mha")
    (case,) = find_inputs([image], tmp_path / "out").cases
    assert label_map_path(case.case, Path("out")) == Path("out/scan.v2.nii.gz")


def test_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.nii: no such file or folder"):
        find_inputs([tmp_path / "none.nii"], tmp_path)


def test_no_image_tells_what_was_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a_gt.nii.gz", "b_seg.nii.gz")
    with pytest.raises(InputError, match=r"no image \(.*\.nii\.gz.*left out 2 files: label map by its name$"):
        find_inputs([tmp_path], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=rf"no image .* in {re.escape(str(tmp_path / 'empty'))}$"):
        find_inputs([tmp_path / "empty"], tmp_path / "out")


@pytest.mark.parametrize("given", [(".",), ("b", "a"), ("a/scan.nii.gz", "b", "c.nii")])
def test_images_of_one_stem_are_told_apart_by_their_folders(given: Sequence[str], tmp_path: Path) -> None:
    touch(tmp_path, "a/scan.nii.gz", "b/scan.mha", "b/deep/scan.nii", "c.nii")
    found = find_inputs([tmp_path / name for name in given], tmp_path / "out")
    assert set(names(found)) - {"c"} == {"a/scan", "b/scan", "b/deep/scan"}
    assert label_map_path("b/deep/scan", Path("out")) == Path("out/b/deep/scan.nii.gz")


def test_two_images_that_nothing_tells_apart(tmp_path: Path) -> None:
    touch(tmp_path, "scan.nii.gz", "scan.mha")
    with pytest.raises(InputError, match=r"scan\.mha and .*scan\.nii\.gz would both be written to"):
        find_inputs([tmp_path], tmp_path / "out")


def test_an_image_is_never_overwritten(tmp_path: Path) -> None:
    (image,) = touch(tmp_path, "scan.nii.gz")
    with pytest.raises(InputError, match="its label map would overwrite it; give another --output"):
        find_inputs([image], tmp_path)


def test_a_name_that_is_no_image(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match=r"notes\.txt"):
        find_inputs([path], tmp_path / "out")


def test_only_some_cases(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "b.nii.gz")
    assert names(find_inputs([tmp_path], tmp_path / "out", only=["b"])) == ["b"]
    with pytest.raises(InputError, match=r"no image of c, d \(2 in all\)"):
        find_inputs([tmp_path], tmp_path / "out", only=["d", "b", "c"])


def test_numbered_files_are_the_channels_of_one_case(tmp_path: Path) -> None:
    files = touch(tmp_path, "x/b_0000.nii", "x/b_0001.nii", "x/a_0000.nii", "x/a_0001.nii", "y/a_0001.nii", "y/c.nii")
    found = find_inputs([tmp_path], tmp_path / "out", channels=TWO)
    cases = {case.case: case.images for case in found.cases}
    assert cases == {
        "x/a": (files[2], files[3]),
        "b": (files[0], files[1]),
        "y/a": (tmp_path / "y" / "a_0000.nii", files[4]),
        "c": (files[5],),
    }
    assert set(names(find_inputs([tmp_path / "x"], tmp_path / "out"))) == {"a_0000", "a_0001", "b_0000", "b_0001"}


def test_a_channel_too_many_is_kept_for_the_error(tmp_path: Path) -> None:
    files = touch(tmp_path, "a_0000.nii", "a_0001.nii", "a_0002.nii")
    (case,) = find_inputs([tmp_path], tmp_path / "out", channels=TWO).cases
    assert case.images == tuple(files)


def test_cases_of_a_table(tmp_path: Path) -> None:
    (scan, other) = touch(tmp_path, "images/scan.nii.gz", "more/scan.nii.gz")
    (tmp_path / "study.csv").write_text(
        "image,case,height_cm,phase\nimages/scan.nii.gz,Anna,172,ED\nmissing.nii.gz,,,\n,,180,\nwrong.dcm,,,ES\n"
    )
    found = find_inputs([tmp_path / "study.csv", tmp_path / "more"], tmp_path / "out")
    assert [(case.case, case.images, dict(case.details)) for case in found.cases] == [
        ("scan", (other,), {}),
        ("Anna", (scan,), {"height_cm": "172", "phase": "ED"}),
        ("missing", (tmp_path / "missing.nii.gz",), {}),
        ("line_4", (), {"height_cm": "180"}),
        ("wrong.dcm", (tmp_path / "wrong.dcm",), {"phase": "ES"}),
    ]


def test_two_rows_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "study.csv").write_text("case,image\nAnna,a.nii\nAnna,b.nii\n")
    with pytest.raises(InputError, match=r"a\.nii and .*b\.nii would both be written to .*Anna\.nii\.gz"):
        find_inputs([tmp_path / "study.csv"], tmp_path / "out")


def test_tables_of_shards_come_before_the_whole(tmp_path: Path) -> None:
    for name in ("cases.csv", "cases_2_of_2.csv", "cases_1_of_2.csv", "cases_old.csv"):
        (tmp_path / name).write_text(TABLE)
    assert [path.name for path in find_tables(tmp_path)] == ["cases_1_of_2.csv", "cases_2_of_2.csv", "cases.csv"]


def test_cases_are_found_by_what_marks_their_images_and_by_their_series(tmp_path: Path) -> None:
    touch(tmp_path, "1.img.nii.gz", "11.img.nii.gz", "subject001_CTA.mha", "A1B2C3_sa.nii.gz", "x_frame01.nii.gz")
    only = ["1", "subject001", "A1B2C3_sa_frame01", "A1B2C3_sa_frame12", "x_frame01"]
    found = find_inputs([tmp_path], tmp_path / "out", only=only)
    assert names(found) == ["1.img", "A1B2C3_sa", "subject001_CTA", "x_frame01"]
    with pytest.raises(InputError, match=r"no image of x_frame02 \(1 in all\)"):
        find_inputs([tmp_path], tmp_path / "out", only=["x_frame01", "x_frame02"])
