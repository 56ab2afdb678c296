"""All data sets by name, and the layouts in which anybody's data are read.

To add a data set: a file beside this, a fake tree in `tests/fakes/`, and a line here.
"""

from collections.abc import Callable
from pathlib import Path

from uumamba.core.errors import InputError
from uumamba.data.datasets.acdc import ACDC
from uumamba.data.datasets.aorta import AORTA
from uumamba.data.datasets.case_table import case_table_dataset
from uumamba.data.datasets.dataset import Dataset
from uumamba.data.datasets.decathlon import decathlon_dataset
from uumamba.data.datasets.imagecas import IMAGECAS
from uumamba.data.datasets.mnms import MNMS
from uumamba.data.datasets.nnunet_raw import nnunet_raw_dataset
from uumamba.data.datasets.spec import split_spec

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (ACDC, IMAGECAS, AORTA, MNMS)}

LAYOUTS: dict[str, Callable[[Path], Dataset]] = {
    "nnunet": nnunet_raw_dataset,
    "decathlon": decathlon_dataset,
    "csv": case_table_dataset,
}
"""Layout -> what reads a data set that lies in that layout: `--dataset nnunet:DIR`, `decathlon:DIR`, `csv:FILE`."""


def find_dataset(spec: str) -> Dataset:
    """The data set of a name, or of a layout and a place; raises `InputError` with what there is.

    A data set of one's own may not have the name of one of the table, whose work folder it would share.
    """
    layout, place = split_spec(spec)
    if place is None:
        if spec not in DATASETS:
            raise InputError(f"--dataset {spec}: no such data set; there are {_choices()}")
        return DATASETS[spec]
    if layout not in LAYOUTS:
        raise InputError(f"--dataset {spec}: no such layout; there are {_choices()}")
    dataset = LAYOUTS[layout](place)
    if dataset.name in DATASETS:
        taken = DATASETS[dataset.name].description.title
        raise InputError(f"--dataset {spec}: its name {dataset.name} is that of {taken}; rename it")
    return dataset


def _choices() -> str:
    places = {"csv": "FILE"}
    return ", ".join((*DATASETS, *(f"{layout}:{places.get(layout, 'DIR')}" for layout in LAYOUTS)))
