"""Labels and channels of dataset.json."""

from typing import Any

import pytest

from tests.fakes.nnunet_folder import dataset_json
from uumamba.core.errors import InputError
from uumamba.core.labels import LabelSet
from uumamba.data.nnunet_dataset import NnunetDataset, nnunet_labels, read_nnunet_dataset


def read(**changes: Any) -> NnunetDataset:
    """dataset.json with changes."""
    return read_nnunet_dataset(dataset_json() | changes, "dataset.json")


def test_labels_channels_licence() -> None:
    found = read(reference="Bernard et al., 2018")
    assert found.labels == LabelSet(names=("background", "cavity", "wall"))
    assert found.channels == ("cineMRI",)
    assert (found.licence, found.reference) == ("CC BY 4.0", "Bernard et al., 2018")


def test_labels_go_by_their_numbers() -> None:
    found = read(labels={"wall": 2, "ignore": 3, "background": 0, "cavity": 1})
    assert found.labels == LabelSet(names=("background", "cavity", "wall"), ignore=3)


def test_channels_by_their_older_name() -> None:
    content = dataset_json()
    content["modality"] = {"1": "T2", "0": "T1"}
    del content["channel_names"]
    assert read_nnunet_dataset(content, "dataset.json").channels == ("T1", "T2")


@pytest.mark.parametrize("ignore", [None, 3])
def test_round_trip(ignore: int | None) -> None:
    labels = LabelSet(names=("background", "cavity", "wall"), ignore=ignore)
    assert read(**nnunet_labels(labels)).labels == labels


TUMOUR = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": 3}


@pytest.mark.parametrize("ignore", [None, 4])
def test_regions(ignore: int | None) -> None:
    """In the order in which they stand there, and back."""
    ignored = {} if ignore is None else {"ignore": ignore}
    labels = read(labels=TUMOUR | ignored, regions_class_order=[1, 2, 3]).labels
    assert labels == LabelSet(
        names=("background", "whole", "core", "enhancing"),
        regions=((1, 2, 3), (2, 3), (3,)),
        written=(1, 2, 3),
        ignore=ignore,
    )
    assert nnunet_labels(labels) == {"labels": TUMOUR | ignored, "regions_class_order": [1, 2, 3]}
    assert read(**nnunet_labels(labels)).labels == labels


def test_lists_of_one_number_are_labels() -> None:
    assert read(labels={"background": 0, "cavity": [1], "wall": 2}).labels.regions is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"regions_class_order": None}, r"have regions \(whole, core, enhancing\), so regions_class_order .* got None"),
        ({"regions_class_order": [1, "2", 3]}, "regions_class_order must list the number that each of them writes"),
        ({"regions_class_order": [1, 2]}, "as many written numbers, got 3 and 2"),
        ({"labels": TUMOUR | {"core": [2, "3"]}}, "background must be 0 and regions lists of whole numbers"),
        ({"labels": TUMOUR | {"background": [0, 4]}}, "background must be 0"),
        ({"labels": TUMOUR | {"ignore": 3}}, "the ignore label 3 must lie behind the last structure 3"),
    ],
)
def test_regions_that_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=r"dataset\.json: .*" + message):
        read(**{"labels": TUMOUR, "regions_class_order": [1, 2, 3]} | changes)


def test_an_ignore_label_that_nnunet_refuses() -> None:
    labels = LabelSet(names=("background", "ball"), ignore=255)
    with pytest.raises(InputError, match="ignore label right behind the last structure, 2, not 255; number it so"):
        nnunet_labels(labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"labels": {f"zone {number}": number for number in range(257)}},
            "257 labels, and a label map .* holds 256 at",
        ),
        ({"labels": {"background": 0, "wall": 2}}, "consecutive whole numbers from 0, got background 0, wall 2"),
        ({"labels": {"background": 0, "wall": "1"}}, "consecutive whole numbers from 0, got background 0, wall '1'"),
        ({"labels": {"background": 0, "wall": 1, "ignore": "2"}}, "consecutive whole numbers from 0, got .*ignore '2'"),
        ({"labels": {"background": 0, "cavity": 1, "wall": 1}}, "consecutive whole numbers from 0"),
        ({"labels": {"wall": 0, "background": 1}}, "labels: label names must be distinct, begin with 'background'"),
        ({"labels": {"background": 0, "cavity": 1, "wall": 2, "ignore": 1}}, "ignore label 1 must lie behind"),
        ({"labels": ["background"]}, "no object labels; take the dataset.json that the network was trained with"),
        ({"channel_names": None}, "no object channel_names or modality"),
        ({"channel_names": {"1": "MRI"}}, "channels must be numbered from 0, got 1"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=r"dataset\.json: .*" + message):
        read(**changes)
