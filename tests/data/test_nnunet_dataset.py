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
    assert read(labels=nnunet_labels(labels)).labels == labels


def test_an_ignore_label_that_nnunet_refuses() -> None:
    labels = LabelSet(names=("background", "ball"), ignore=255)
    with pytest.raises(InputError, match="ignore label right behind the last structure, 2, not 255; number it so"):
        nnunet_labels(labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"labels": {"background": 0, "heart": [1, 2], "wall": 2}},
            r"labels heart are regions \(several numbers each\); only networks with one output per label",
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
