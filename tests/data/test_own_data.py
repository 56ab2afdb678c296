"""Anybody's data: what each layout lists, and what is said of every slip in it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.own_data import NAMES, write_decathlon, write_nnunet, write_table
from uumamba.core.errors import InputError
from uumamba.data.case_reading import read_case_images, read_case_labels
from uumamba.data.datasets.listing import Listing
from uumamba.data.datasets.table import DATASETS, LAYOUTS, find_dataset
from uumamba.data.splits import Fold

WRITERS: dict[str, Callable[[Path], None]] = {
    "nnunet": lambda root: write_nnunet(root / "boxes"),
    "decathlon": lambda root: write_decathlon(root / "boxes"),
    "csv": lambda root: write_table(root / "boxes.csv"),
}


def spec_of(layout: str, root: Path) -> str:
    return f"{layout}:{root / 'boxes'}" + (".csv" if layout == "csv" else "")


def problems(listing: Listing) -> list[str]:
    """What is said, without the folder's own path."""
    return [f"{problem.file.name}: {problem.what}" for problem in listing.problems]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_lists_its_cases(layout: str, tmp_path: Path) -> None:
    WRITERS[layout](tmp_path)
    dataset = find_dataset(spec_of(layout, tmp_path))
    assert dataset.name == "boxes"
    assert dataset.description.labels.names == ("background", "one", "two")
    assert dataset.description.mirrored_axes == (0, 1, 2)
    listing = dataset.list_cases(None)
    assert listing.problems == ()
    assert tuple(case.name for case in listing.training) == NAMES
    assert [case.name for case in listing.test] == ([] if layout == "csv" else ["unseen"])
    for case in listing.training:
        (image,), labels = read_case_images(case), read_case_labels(case)
        np.testing.assert_allclose(image.data, labels.data, atol=0.6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_without_its_place_is_an_error(layout: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere(\.csv)?: no such"):
        find_dataset(f"{layout}:{tmp_path / 'nowhere'}" + (".csv" if layout == "csv" else ""))


def test_what_dataset_may_be() -> None:
    with pytest.raises(InputError, match=r"no such layout; there are acdc, .*nnunet:DIR, decathlon:DIR, csv:FILE"):
        find_dataset("dicom:folder")
    with pytest.raises(InputError, match=r"no such data set; there are acdc"):
        find_dataset("liver")
    with pytest.raises(InputError, match=r"--dataset csv:: names no place behind the colon"):
        find_dataset("csv:")


def test_a_name_of_the_table_is_taken(tmp_path: Path) -> None:
    write_table(tmp_path / "acdc.csv")
    with pytest.raises(InputError, match=r"its name acdc is that of ACDC, cine cardiac MRI in short axis; rename it"):
        find_dataset(f"csv:{tmp_path / 'acdc.csv'}")


def test_data_is_named_once(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv")
    with pytest.raises(InputError, match=r"--dataset names .*boxes\.csv already; leave --data out"):
        find_dataset(f"csv:{tmp_path / 'boxes.csv'}").list_cases(tmp_path)
    with pytest.raises(InputError, match=r"--data: is missing; name the folder of ACDC"):
        DATASETS["acdc"].list_cases(None)


@pytest.mark.parametrize("layout", ["nnunet", "decathlon"])
def test_several_channels(layout: str, tmp_path: Path) -> None:
    {"nnunet": write_nnunet, "decathlon": write_decathlon}[layout](tmp_path / "boxes", channels=2)
    dataset = find_dataset(spec_of(layout, tmp_path))
    assert dataset.description.channels == ("T1", "T2")
    case = dataset.list_cases(None).training[0]
    first, second = read_case_images(case)
    assert first.data.shape == second.data.shape == (16, 14, 12)
    assert (second.data.mean() - first.data.mean() > 0.9) == (layout == "decathlon")


def test_channels_of_a_table_are_columns(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv")
    text = (tmp_path / "boxes.csv").read_text()
    (tmp_path / "boxes.csv").write_text(text.replace("case,image,label", "case,image_CT,label"))
    assert find_dataset(f"csv:{tmp_path / 'boxes.csv'}").description.channels == ("CT",)


def test_a_frame_that_is_not_there(tmp_path: Path) -> None:
    write_decathlon(tmp_path / "boxes", channels=2)
    content = json.loads((tmp_path / "boxes" / "dataset.json").read_text())
    content["modality"]["2"] = "T3"
    (tmp_path / "boxes" / "dataset.json").write_text(json.dumps(content))
    case = find_dataset(f"decathlon:{tmp_path / 'boxes'}").list_cases(None).training[0]
    with pytest.raises(InputError, match=r"has 2 place\(s\) along its fourth axis, number 3 was asked for"):
        read_case_images(case)


def test_nnunet_slips_are_all_named(tmp_path: Path) -> None:
    folder = tmp_path / "boxes"
    write_nnunet(folder, channels=2)
    (folder / "imagesTr" / "case0_0001.nii.gz").unlink()
    (folder / "labelsTr" / "case1.nii.gz").unlink()
    for channel in range(2):
        (folder / "imagesTr" / f"case2_{channel:04d}.nii.gz").unlink()
    (folder / "imagesTr" / "case3_0000.nii.gz").rename(folder / "imagesTr" / "case3.nii.gz")
    listing = find_dataset(f"nnunet:{folder}").list_cases(None)
    assert problems(listing) == [
        "case3.nii.gz: its name must end in the channel's number, _0000 to _0001",
        "imagesTr: channel 0001 of case0 is missing",
        "case1_0000.nii.gz: has no label map in labelsTr",
        "imagesTr: channel 0000 of case3 is missing",
        "case2.nii.gz: has no image in imagesTr",
    ]
    with pytest.raises(InputError, match=r"^5 problems with the data:\n  .*case3\.nii\.gz: its name"):
        listing.require_usable()


def test_nnunet_folds_that_lie_there_are_taken(tmp_path: Path) -> None:
    folder = tmp_path / "boxes"
    write_nnunet(folder)
    halves = [{"train": list(NAMES[:3]), "val": list(NAMES[3:])}, {"train": list(NAMES[3:]), "val": list(NAMES[:3])}]
    (folder / "splits_final.json").write_text(json.dumps(halves))
    assert find_dataset(f"nnunet:{folder}").list_cases(None).folds == (
        Fold(training=NAMES[:3], validation=NAMES[3:]),
        Fold(training=NAMES[3:], validation=NAMES[:3]),
    )
    halves[0]["val"].append("case9")
    (folder / "splits_final.json").write_text(json.dumps(halves))
    listing = find_dataset(f"nnunet:{folder}").list_cases(None)
    assert problems(listing) == ["splits_final.json: names case9, which is no training case"]
    (folder / "splits_final.json").write_text("[1]")
    listing = find_dataset(f"nnunet:{folder}").list_cases(None)
    assert problems(listing) == ["splits_final.json: is no list of folds with train and val"]
    for content in ([], [{"train": list(NAMES), "val": []}]):
        (folder / "splits_final.json").write_text(json.dumps(content))
        listing = find_dataset(f"nnunet:{folder}").list_cases(None)
        assert problems(listing) == ["splits_final.json: has no fold, or one without cases on both sides"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "dataset.json: no such file, but it names labels and channels"),
        ("[]", "dataset.json: must hold an object, got list"),
    ],
)
def test_nnunet_without_a_description(content: str | None, message: str, tmp_path: Path) -> None:
    write_nnunet(tmp_path / "boxes")
    (tmp_path / "boxes" / "dataset.json").unlink()
    if content is not None:
        (tmp_path / "boxes" / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=message):
        find_dataset(f"nnunet:{tmp_path / 'boxes'}")


def test_nnunet_files_that_are_not_read(tmp_path: Path) -> None:
    write_nnunet(tmp_path / "boxes")
    content = json.loads((tmp_path / "boxes" / "dataset.json").read_text())
    (tmp_path / "boxes" / "dataset.json").write_text(json.dumps(content | {"file_ending": ".png"}))
    listing = find_dataset(f"nnunet:{tmp_path / 'boxes'}").list_cases(None)
    assert problems(listing) == ["dataset.json: files end in .png; read are .nii.gz, .nii, .nrrd, .mha"]


def test_decathlon_slips_are_all_named(tmp_path: Path) -> None:
    folder = tmp_path / "boxes"
    write_decathlon(folder)
    content = json.loads((folder / "dataset.json").read_text())
    (folder / "labelsTr" / "case0.nii.gz").unlink()
    content["training"][1] = {"image": "./imagesTr/case1.nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(content))
    listing = find_dataset(f"decathlon:{folder}").list_cases(None)
    assert problems(listing) == [
        "case0.nii.gz: no such file, but dataset.json lists it",
        "dataset.json: training holds {'image': './imagesTr/case1.nii.gz'}, which has no image and label",
        "case1.nii.gz: is not used: dataset.json does not list its case",
    ]
    (folder / "dataset.json").write_text(json.dumps({"labels": {}}))
    with pytest.raises(InputError, match=r"dataset\.json: has no list `training`; take the file that was published"):
        find_dataset(f"decathlon:{folder}")
    (folder / "dataset.json").write_text(json.dumps({"training": [], "labels": {"one": 1}}))
    with pytest.raises(InputError, match=r"labels must map numbers to names, got \{'one': 1\}"):
        find_dataset(f"decathlon:{folder}")
    (folder / "dataset.json").unlink()
    with pytest.raises(InputError, match=r"dataset\.json: no such file, but it names labels and channels"):
        find_dataset(f"decathlon:{folder}")


def test_a_table_gives_patients_folds_and_details(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv", columns="case,image,label,patient,fold,scanner")
    listing = find_dataset(f"csv:{tmp_path / 'boxes.csv'}").list_cases(None)
    assert [case.patient for case in listing.training] == ["0", "1", "0", "1", "0", "1"]
    assert listing.training[1].details == {"scanner": "1"}
    assert listing.folds == (
        Fold(training=NAMES[1::2], validation=NAMES[0::2]),
        Fold(training=NAMES[0::2], validation=NAMES[1::2]),
    )


def test_a_table_may_keep_cases_for_a_test(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv", columns="case,image,label,fold")
    text = (tmp_path / "boxes.csv").read_text()
    (tmp_path / "boxes.csv").write_text(text.replace("case5_seg.nii.gz,1", ",test"))
    listing = find_dataset(f"csv:{tmp_path / 'boxes.csv'}").list_cases(None)
    assert [case.name for case in listing.training] == list(NAMES[:5])
    assert [(case.name, case.label_map) for case in listing.test] == [("case5", None)]
    assert listing.problems == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("case1,case1", "case0,case1", "line 3: the case case0 is there already"),
        ("case1,case1.nii.gz", "case1,", "line 3: image is empty"),
        (",case1_seg.nii.gz", ",", "line 3: label is empty"),
        ("case1,case1.nii.gz", "case1,gone.nii.gz", "no such file, but boxes.csv names it in line 3"),
        ("case1,case1", "a/b,case1", "line 3: the case 'a/b' cannot name a file"),
        ("seg.nii.gz,1", "seg.nii.gz,first", "the fold of case1 is 'first'"),
        ("seg.nii.gz,0", "seg.nii.gz,2", "no case is in fold 0"),
        ("seg.nii.gz,1", "seg.nii.gz,0", "all cases are in fold 0, so none is left to train on"),
        ("seg.nii.gz,1", "seg.nii.gz,", "the fold of case1 is ''"),
    ],
)
def test_slips_in_a_table(old: str, new: str, problem: str, tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv", columns="case,image,label,fold")
    text = (tmp_path / "boxes.csv").read_text()
    assert old in text
    (tmp_path / "boxes.csv").write_text(text.replace(old, new))
    listing = find_dataset(f"csv:{tmp_path / 'boxes.csv'}").list_cases(None)
    assert [each.what for each in listing.problems] == [problem]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("case,picture,label", r"needs the column image \(or image_CT, image_T1 ...\); it has case, picture, label"),
        ("case,image,mask", r"needs the column label; it has case, image, mask"),
        ("image_CT,image,label", r"has image beside image_CT; it has"),
        ("image,image,label", r"has the column image twice; rename one"),
    ],
)
def test_a_table_without_its_columns(columns: str, message: str, tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv", columns=columns)
    with pytest.raises(InputError, match=message):
        find_dataset(f"csv:{tmp_path / 'boxes.csv'}")


def test_a_table_without_a_case(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv")
    (tmp_path / "boxes.csv").write_text("image,label\n")
    listing = find_dataset(f"csv:{tmp_path / 'boxes.csv'}").list_cases(None)
    assert problems(listing) == ["boxes.csv: lists no case to train on"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"boxes\.yaml: no such file, but it must name the labels of boxes\.csv; write for example `labels: "),
        ("lables: {one: 1}", r"boxes\.yaml: .*labels.*; write for example"),
        ("labels: {background: 0, two: 2}", r"boxes\.yaml: label numbers must be consecutive"),
    ],
)
def test_labels_of_a_table_must_be_named(content: str | None, message: str, tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv")
    (tmp_path / "boxes.yaml").unlink()
    if content is not None:
        (tmp_path / "boxes.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        find_dataset(f"csv:{tmp_path / 'boxes.csv'}")


def test_what_the_file_beside_a_table_may_say(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv", labels="{background: 0, left box: 1, right box: 2}")
    description = find_dataset(f"csv:{tmp_path / 'boxes.csv'}").description
    assert (description.mirrored_axes, description.tubular) == ((1, 2), ())
    with (tmp_path / "boxes.yaml").open("a") as file:
        file.write("mirrored_axes: [2]\nsurface_tolerance_mm: 2.5\ntitle: Two boxes\nlicence: CC0\ncitation: me\n")
        file.write("tubular: [left box]\n")
    description = find_dataset(f"csv:{tmp_path / 'boxes.csv'}").description
    assert (description.mirrored_axes, description.surface_tolerance_mm) == ((2,), 2.5)
    assert (description.title, description.licence, description.citation) == ("Two boxes", "CC0", "me")
    assert description.tubular == ("left box",)


def test_tubular_are_structures(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv")
    with (tmp_path / "boxes.yaml").open("a") as file:
        file.write("tubular: [two, three]\n")
    message = r"boxes\.yaml: tubular: 'three' is no structure; there are one, two; correct the name"
    with pytest.raises(InputError, match=message):
        find_dataset(f"csv:{tmp_path / 'boxes.csv'}")


def test_mirrored_axes_are_axes(tmp_path: Path) -> None:
    write_table(tmp_path / "boxes.csv")
    with (tmp_path / "boxes.yaml").open("a") as file:
        file.write("mirrored_axes: [1, 3]\n")
    with pytest.raises(InputError, match=r"boxes\.yaml: mirrored_axes\.1: .*0, 1 or 2"):
        find_dataset(f"csv:{tmp_path / 'boxes.csv'}")


def test_a_test_case_of_the_decathlon_is_a_path(tmp_path: Path) -> None:
    write_decathlon(tmp_path / "boxes")
    path = tmp_path / "boxes" / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"test": [{"image": "./imagesTs/unseen.nii.gz"}]}))
    (problem,) = problems(find_dataset(f"decathlon:{tmp_path / 'boxes'}").list_cases(None))
    assert problem == "dataset.json: test holds {'image': './imagesTs/unseen.nii.gz'}, which is no image's path"
