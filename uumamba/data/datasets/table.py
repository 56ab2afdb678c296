"""All data sets by name. To add one: a file beside this, a fake tree in `tests/fakes/`, and a line here."""

from uumamba.data.datasets.acdc import ACDC
from uumamba.data.datasets.dataset import Dataset

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (ACDC,)}
