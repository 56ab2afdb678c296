"""What every data set in the table must keep, over the fake tree from `tests/fakes/<name>.py`."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from uumamba.core.errors import InputError
from uumamba.data.case import Case, require_distinct_names
from uumamba.data.case_reading import read_case_images, read_case_labels
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.sides import sided_pairs
from uumamba.data.datasets.table import DATASETS
from uumamba.imaging.grid import require_same_grid

NAMES = sorted(DATASETS)


@pytest.fixture(scope="module", params=NAMES)
def indexed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """A data set and its fake tree."""
    root = tmp_path_factory.mktemp(request.param)
    importlib.import_module(f"tests.fakes.{request.param}").write_fake(root)
    return DATASETS[request.param], root


def every_case(dataset: Dataset, root: Path) -> tuple[Case, ...]:
    """All cases, of training and official test."""
    return dataset.index(root).cases


def test_the_table_is_not_empty() -> None:
    assert NAMES == ["acdc", "aorta", "imagecas", "mnms"]


def test_cases_are_distinct_and_their_files_are_there(indexed: tuple[Dataset, Path]) -> None:
    dataset, root = indexed
    cases = every_case(dataset, root)
    assert dataset.index(root).training
    assert dataset.index(root).problems == ()
    require_distinct_names(cases)
    for case in cases:
        assert len(case.images) == len(dataset.description.channels)
        assert all(path.is_file() for path in case.images)


def test_every_training_case_has_a_reference_of_its_labels_on_its_grid(indexed: tuple[Dataset, Path]) -> None:
    dataset, root = indexed
    seen: set[int] = set()
    for case in dataset.index(root).training:
        assert case.label_map is not None
        labels = read_case_labels(case)
        require_same_grid(read_case_images(case)[0], labels, case.name, "its reference")
        seen |= set(np.unique(labels.data).tolist())
    assert seen == set(range(dataset.description.labels.classes))


def test_training_and_official_test_share_no_patient(indexed: tuple[Dataset, Path]) -> None:
    dataset, root = indexed
    listing = dataset.index(root)
    assert not {case.patient for case in listing.training} & {case.patient for case in listing.test}


def test_indexing_twice_gives_the_same(indexed: tuple[Dataset, Path]) -> None:
    dataset, root = indexed
    assert every_case(dataset, root) == every_case(dataset, root)


def test_what_must_be_said_of_it_is_said(indexed: tuple[Dataset, Path]) -> None:
    dataset, _ = indexed
    assert dataset.description.title
    assert dataset.description.licence
    assert "doi" in dataset.description.citation
    assert dataset.description.surface_tolerance_mm > 0
    assert set(dataset.description.mirrored_axes) <= {0, 1, 2}


def test_the_anatomy_is_that_of_its_structures(indexed: tuple[Dataset, Path]) -> None:
    dataset, _ = indexed
    anatomy, known = dataset.description.anatomy, set(dataset.description.labels.structures)
    touched = {name for names in anatomy.touches.values() for name in names}
    assert {*anatomy.pieces, *anatomy.touches, *touched, *anatomy.solid, *anatomy.fragments} <= known
    assert all(count >= 1 for count in anatomy.pieces.values())
    assert all(names and structure not in names for structure, names in anatomy.touches.items())


def test_a_missing_folder_is_named(indexed: tuple[Dataset, Path], tmp_path: Path) -> None:
    dataset, _ = indexed
    with pytest.raises(InputError, match=r"nowhere: no such folder; give"):
        dataset.index(tmp_path / "nowhere")


def test_official_folds_share_no_patient_and_name_cases_that_are_there(indexed: tuple[Dataset, Path]) -> None:
    dataset, root = indexed
    listing = dataset.index(root)
    patients = {case.name: case.patient for case in listing.cases}
    for fold in listing.folds or ():
        parts = [{patients[name] for name in part} for part in (fold.training, fold.validation, fold.test)]
        assert parts[0]
        assert parts[1]
        assert not parts[0] & parts[1]
        assert not parts[2] & (parts[0] | parts[1])


def test_structures_with_sides_are_not_mirrored_from_left_to_right(indexed: tuple[Dataset, Path]) -> None:
    description = indexed[0].description
    assert (0 in description.mirrored_axes) is not bool(sided_pairs(description.labels.names))
