"""The --labels file: what is read, and one clear line for what is wrong."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.evaluation.label_file import read_label_match, read_structure_numbers
from uumamba.evaluation.label_match import LabelMatch, same_labels

ACDC = LabelSet(names=("background", "RV", "MYO", "LV"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.yaml", "RV: 1\nMYO: 2\nLV: 3\n"),
        ("labels.yml", "LV: 3\nbackground: 0\nMYO: 2\nRV: 1\n"),
        ("labels.json", '{"RV": 1,\n\t"MYO": 2, "LV": 3}'),
        ("dataset.json", '{"labels": {"background": 0, "RV": 1, "MYO": 2, "LV": 3}, "numTraining": 5}'),
    ],
)
def test_reads(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_label_match(tmp_path / name) == same_labels(ACDC)


def test_reads_the_ignore_label(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text("vessel: 1\nignore: 2\n")
    expected = same_labels(LabelSet(names=("background", "vessel"), ignore=2))
    assert read_label_match(tmp_path / "labels.yaml") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- RV\n- MYO\n", "must map structure names to numbers, got list; write for example `RV: 1`"),
        ("", "must map structure names to numbers, got NoneType"),
        ("RV: 1\nLV: 3\n", r"numbers must be 0 \(background\), 1, 2 ... without gap or repeat, got \{'RV': 1, 'LV': 3"),
        ("RV: 1\nLV: 1\n", "without gap or repeat"),
        ("background: 0\n", "label names must be distinct, begin with 'background' and name a structure"),
        ("RV: one\n", "RV: must be one whole number, got 'one'"),
        ("RV: true\n", "RV: must be one whole number, got True"),
        ("background: 4\nRV: 1\n", r"numbers must be 0 \(background\), 1, 2 ... .* got \{'background': 4, 'RV': 1\}"),
        ("background: 1\nRV: 0\n", "label names must be distinct, begin with 'background'"),
        ("RV: 1\nignore: 1\n", "the ignore label 1 must lie behind the last structure 1; write for example"),
        ("RV: 1\nRV: 2\n", "the key 'RV' is given twice"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_label_match(path)
    assert "labels.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    for name in ("labels.yaml", "labels.json"):
        with pytest.raises(InputError, match=name):
            read_label_match(tmp_path / name)


def match(tmp_path: Path, text: str, dataset: LabelSet | None = None) -> LabelMatch:
    path = tmp_path / "labels.yaml"
    path.write_text(text)
    return read_label_match(path, dataset)


def test_one_mapping_names_both_sides(tmp_path: Path) -> None:
    assert match(tmp_path, "RV: 1\nMYO: 2\nLV: 3\n") == same_labels(ACDC)
    optional = match(tmp_path, "labels: {RV: 1, MYO: 2, LV: 3}\noptional: [MYO]\n")
    assert optional == same_labels(ACDC, optional=["MYO"])
    vessels = match(tmp_path, "labels: {RV: 1, MYO: 2, LV: 3}\ntubular: [LV, RV]\n")
    assert vessels == same_labels(ACDC, tubular=["RV", "LV"])


def test_each_side_has_its_own_mapping(tmp_path: Path) -> None:
    found = match(
        tmp_path,
        "predictions: {RV: 1, MYO: 2, LV: 3, heart: [1, 2, 3]}\n"
        "references: {background: 0, LV: 500, MYO: [205, 206], ignore: 9}\noptional: [MYO]\n",
    )
    assert found.predictions == {"RV": (1,), "MYO": (2,), "LV": (3,), "heart": (1, 2, 3)}
    assert found.references == {"LV": (500,), "MYO": (205, 206)}
    assert (found.optional, found.ignore) == (frozenset({"MYO"}), 9)
    assert found.structures == ("MYO", "LV")
    assert found.only_in_predictions == ("RV", "heart")


def test_a_data_set_numbers_the_predictions(tmp_path: Path) -> None:
    found = match(tmp_path, "references: {LV: 1, MYO: 2}\n", ACDC)
    assert found == LabelMatch({"RV": (1,), "MYO": (2,), "LV": (3,)}, {"LV": (1,), "MYO": (2,)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "references: {LV: 1}\n",
            "predictions: is missing; name their numbers too, or give their data set by --dataset",
        ),
        ("predictions: {LV: 1}\n", "references: is missing; write for example `references: {LV: 1"),
        (
            "predictions: {LV: 1}\nreferences: {LV: 1}\nspare: 1\n",
            "spare: no such key; a label file with two sides has",
        ),
        ("predictions: {LV: 1}\nreferences: [LV]\n", "references: must map structure names to numbers, got .'LV'"),
        ("predictions: {}\nreferences: {LV: 1}\n", "predictions: must map structure names to numbers, got {}"),
        ("predictions: {LV: 1}\nreferences: {background: 0}\n", "references: names no structure"),
        ("predictions: {LV: 1}\nreferences: {background: 3, LV: 1}\n", "references: background: must be 0, got 3"),
        ("predictions: {LV: 1}\nreferences: {LV: 0}\n", "references: LV: must be a whole number from 1 to 65535, or"),
        ("predictions: {LV: 1}\nreferences: {LV: 70000}\n", "or a list of them, got 70000"),
        ("predictions: {LV: 1}\nreferences: {LV: [1, two]}\n", "LV: must be a whole number .* got .1, 'two'."),
        ("predictions: {LV: 1}\nreferences: {LV: []}\n", "LV: must be a whole number"),
        ("predictions: {LV: 1}\nreferences: {LV: true}\n", "LV: must be a whole number .* got True"),
        (
            "predictions: {LV: 1}\nreferences: {LV: 1, MYO: 1}\n",
            "references: LV and MYO have the same number 1; change",
        ),
        ("predictions: {LV: 1, ignore: 2}\nreferences: {LV: 1}\n", "predictions: ignore: only references have voxels"),
        (
            "predictions: {LV: 1}\nreferences: {LV: [1, 2], ignore: 2}\n",
            "LV: its number 2 is to be ignored; change one",
        ),
        ("predictions: {LV: 1}\nreferences: {LV: 1, ignore: [2, 3]}\n", "ignore: must be one number, got .2, 3."),
        (
            "predictions: {LV: 1}\nreferences: {lv: 1}\n",
            r"no name in common \(LV against lv\); give one structure one name",
        ),
        ("predictions: {LV: 1}\nreferences: {LV: 1}\noptional: MYO\n", "optional: must be a list of names, got 'MYO'"),
        (
            "predictions: {LV: 1}\nreferences: {LV: 1}\noptional: [MYO]\n",
            "optional: MYO is not compared; compared are LV",
        ),
        ("labels: {LV: 1}\ntubular: LV\n", r"tubular: must be a list of names, got 'LV'; write for example `\[LV\]`"),
        (
            "predictions: {LV: 1}\nreferences: {LV: 1}\ntubular: [MYO]\n",
            "tubular: MYO is not compared; compared are LV",
        ),
        ("labels: {LV: 1}\noptional: [MYO]\n", "optional: MYO is not compared; compared are LV"),
    ],
)
def test_says_what_is_wrong_with_two_sides(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        match(tmp_path, text)
    assert "labels.yaml: " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["RV: 1\n", "predictions: {LV: 1}\nreferences: {LV: 1}\n"])
def test_with_a_data_set_the_file_gives_the_references_alone(tmp_path: Path, text: str) -> None:
    with pytest.raises(
        InputError, match="with --dataset the predictions have the data set's numbers, so the file gives"
    ):
        match(tmp_path, text, ACDC)


def test_the_data_sets_vessels_are_kept(tmp_path: Path) -> None:
    """Those that are compared, beside those that the file names."""
    path = tmp_path / "labels.yaml"
    path.write_text("references: {LV: 1, MYO: 2}\ntubular: [MYO]\n", encoding="utf-8")
    assert read_label_match(path, ACDC, tubular=["LV", "RV"]).tubular == {"LV", "MYO"}
    path.write_text("references: {LV: 1, MYO: 2}\n", encoding="utf-8")
    assert read_label_match(path, ACDC, tubular=["LV", "RV"]).tubular == {"LV"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.yaml", "heart: [1, 2, 3]\nleft: [2, 3]\nLV: 3\nignore: 4\n"),
        ("dataset.json", '{"labels": {"background": 0, "heart": [1, 2, 3], "left": [2, 3], "LV": 3, "ignore": 4}}'),
    ],
)
def test_regions(tmp_path: Path, name: str, text: str) -> None:
    """All voxels that have one of the numbers, on both sides; which number a network writes does not matter here."""
    (tmp_path / name).write_text(text)
    numbers = {"heart": (1, 2, 3), "left": (2, 3), "LV": (3,)}
    assert read_label_match(tmp_path / name) == LabelMatch(numbers, numbers, ignore=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "heart: [1, 2]\nLV: two\n",
            "labels: LV: must be a whole number from 1 to 65535, or a list of them, got 'two'",
        ),
        ("heart: [1, 2]\nall: [2, 1]\n", "labels: heart and all have the same number 2, 1; change one"),
        ("heart: [1, 2]\nignore: 2\n", "labels: heart: its number 2 is to be ignored; change one"),
        ("heart: [1, 2]\nbackground: [0]\n", r"labels: background: must be 0, got \[0\]"),
    ],
)
def test_regions_that_are_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.yaml").write_text(text)
    with pytest.raises(InputError, match=r"labels\.yaml: " + message):
        read_label_match(tmp_path / "labels.yaml")


def test_a_data_set_with_regions_names_the_predictions(tmp_path: Path) -> None:
    regions = LabelSet(names=("background", "heart", "LV"), regions=((1, 2, 3), (3,)), written=(1, 3))
    assert same_labels(regions).predictions == {"heart": (1, 2, 3), "LV": (3,)}
    (tmp_path / "labels.yaml").write_text("references: {LV: 1}\n")
    match = read_label_match(tmp_path / "labels.yaml", regions)
    assert (match.structures, match.predictions["LV"], match.references["LV"]) == (("LV",), (3,), (1,))


def test_structures_of_any_label_map_may_have_any_numbers(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text("background: 0\naorta: 52\niliac: [65, 66]\n")
    assert read_structure_numbers(path) == {"aorta": (52,), "iliac": (65, 66)}
    path.write_text("labels: {background: 0, LAD: 3}\n")
    assert read_structure_numbers(path) == {"LAD": (3,)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aorta: 1\niliac: 1\n", "aorta and iliac have the same number 1; change one"),
        ("aorta: 1.5\n", "labels: aorta: must be a whole number from 1 to 65535, or a list of them, got 1.5"),
        ("- aorta\n", "labels: must map structure names to numbers"),
    ],
)
def test_says_what_is_wrong_with_the_numbers_of_structures(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_structure_numbers(path)
