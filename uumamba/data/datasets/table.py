"""All data sets by name. To add one: a file beside this, a fake tree in `tests/fakes/`, and a line here."""

from uumamba.core.errors import InputError
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.datasets.dataset import Dataset

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (ACDC,)}


def find_dataset(name: str) -> Dataset:
    """The data set of this name; raises `InputError` with the names there are."""
    if name not in DATASETS:
        raise InputError(f"--dataset {name}: no such data set; there are {', '.join(DATASETS)}")
    return DATASETS[name]
