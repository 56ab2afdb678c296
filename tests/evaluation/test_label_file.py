"""The --labels file: what is read, and one clear line for what is wrong."""

from pathlib import Path

import pytest

from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.evaluation.label_file import read_label_set


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
    assert read_label_set(tmp_path / name) == LabelSet(names=("background", "RV", "MYO", "LV"))


def test_reads_the_ignore_label(tmp_path: Path) -> None:
    (tmp_path / "labels.yaml").write_text("vessel: 1\nignore: 2\n")
    assert read_label_set(tmp_path / "labels.yaml") == LabelSet(names=("background", "vessel"), ignore=2)


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
        ("RV: [1, 2]\n", r"RV: must be one whole number, got \[1, 2\]"),
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
        read_label_set(path)
    assert "labels.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    for name in ("labels.yaml", "labels.json"):
        with pytest.raises(InputError, match=name):
            read_label_set(tmp_path / name)
